"""A row of a table that a run is given: typed, or from a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from diffuscope.errors import InputError, InputErrors
from diffuscope.files.read import is_file
from diffuscope.files.sheet import Line, Sheet, read_sheet
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.jobs.inputs import split_channel
from diffuscope.ports.heads import check_spelling, match_heads, not_used
from diffuscope.ports.table import Row, Table

#: A table's row: typed, ``"age=63,sex=f"``, or ``"cohort.csv#P17"``, by the file's first column; in Python a mapping.
GivenRow = str | Path | Mapping[str, object]


def read_row(given: GivenRow, table: Table, besides: Collection[str] = ()) -> tuple[Row, tuple[str, ...]]:
    """Return a row, and what the user should know of how it was read.

    Parameters
    ----------
    given : str, Path or mapping
        What is typed names columns of the table and no others; of a file what is no column is not used, and told.
    table : Table
        Whose row it is.
    besides : collection of str
        Columns of a file that are used elsewhere.

    Raises
    ------
    InputError
        It is neither a row nor a file, the file cannot be read or has no such row, or values are not what their columns
        take.
    """
    if isinstance(given, Mapping):
        return table.read({str(name): "" if value is None else str(value) for name, value in given.items()}), ()
    path, wanted = file_of_row(given)
    if path is not None:
        return _from_file(read_sheet(path), wanted, table, besides)
    pairs = [pair.partition("=") for pair in str(given).split(",")]
    if not all(mark for _, mark, _ in pairs):
        raise InputError(
            f"{table.name}: {given} is no file; give FILE.csv#ROW, or values as "
            f"{','.join(f'{column.name}=…' for column in table.columns[:2])}."
        )
    return table.read({name.strip(): value for name, _, value in pairs}), ()


def file_of_row(given: GivenRow) -> tuple[Path | None, str]:
    """Return the file that a row is taken from, and which row that is; of what is typed neither, # or not."""
    if isinstance(given, Mapping):
        return None, ""
    path, _, wanted = str(given).partition("#")
    return (Path(path), wanted) if is_file(Path(path)) else (None, "")


def typed(row: Row) -> str | None:
    """Return a row as `read_row` takes it typed; None where a name or a value has a mark that divides there."""
    known = {name: str(value) for name, value in row.items() if value is not None}
    # Nothing known is a row, too: of one column that is left empty.
    cells = known or dict.fromkeys([*row][:1], "")
    if any("," in name or "=" in name or "," in value for name, value in cells.items()):
        return None
    return ",".join(f"{name}={value}" for name, value in cells.items())


def check_files_of_row(given: GivenRow, files: Mapping[str, str | Path | LayerCopy | Sequence[str | Path]]) -> None:
    """Refuse a row of a table whose own columns name other files than those that it is given with.

    Parameters
    ----------
    given : str, Path or mapping
        As of `read_row`; what is typed names no files.
    files : mapping of str to (str, Path, LayerCopy or sequence of files)
        By port key, which is a column's name where the table says which file belongs to whom.

    Raises
    ------
    InputError
        It does.
    """
    path, wanted = file_of_row(given)
    if path is None:
        return
    sheet = read_sheet(path)
    line = find_line(sheet, wanted)
    for key, value in files.items():
        if cell := line.cells.get(key, "").strip():
            named, _ = split_channel(sheet.path.parent / cell)
            shown = [split_channel(one)[0] for one in ([value] if isinstance(value, str | Path | LayerCopy) else value)]
            if wrong := of_another(line.cells[sheet.first].strip(), named, shown):
                raise InputError(wrong)


def of_another(patient: str, named: Path | None, shown: Sequence[Path | None]) -> str:
    """Say that none of some files is the one that a patient's row names; empty where one is, or nothing is known.

    By its name alone where the named one does not lie there: tables are copied without their images.
    """
    known = [file for file in shown if file is not None]
    if named is None or not known or len(known) < len(shown):
        return ""
    for file in known:
        if named.resolve() == file.resolve() or (named.name == file.name and not named.exists()):
            return ""
    return f"The row of {patient} names {named.name}, and {known[0].name} is given: take that file, or another row."


def find_line(sheet: Sheet, wanted: str) -> Line:
    """Return the row of a case, by the first column; where nobody says which, the only one.

    Raises
    ------
    InputError
        There is none, or more than one, or it has more values than there are names.
    """
    found = [line for line in sheet.lines if line.cells[sheet.first].strip() == wanted] if wanted else sheet.lines
    if len(found) != 1:
        which = f"{len(found)} rows whose {sheet.first} is “{wanted}”" if wanted else f"{len(sheet.lines)} rows"
        raise InputError(f"{sheet.path} has {which}: say which one, {sheet.path}#{sheet.first.upper()}.")
    [line] = found
    if line.fault:
        raise InputError(f"{sheet.name}, line {line.number}: {line.fault}; mend it.")
    return line


def _from_file(sheet: Sheet, wanted: str, table: Table, besides: Collection[str]) -> tuple[Row, tuple[str, ...]]:
    line, heads = find_line(sheet, wanted), match_heads(sheet.heads, table.columns, sheet.name)
    unused = [head for head in heads.unused if head not in {sheet.first, *besides}]
    missing = [column.name for column in table.columns if column.name not in heads.taken]
    check_spelling(unused, missing, sheet.name)
    row: Row = dict.fromkeys(column.name for column in table.columns)
    wrong = []
    for column in table.columns:
        head, unit = heads.taken.get(column.name, ("", ""))
        try:
            row[column.name] = column.read(line.cells.get(head, ""), unit, decimal_commas=line.decimal_commas)
        except InputError as error:
            wrong.append(f"{sheet.name}, {sheet.first} {line.cells[sheet.first].strip()}: {error}")
    if wrong:
        raise InputErrors(*wrong)
    return row, (*sheet.notices, *heads.notices, *not_used(unused, sheet.name))
