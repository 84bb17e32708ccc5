"""Tables joined by their first column, the patient: of each what is known, as it is written, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diffuscope.errors import InputError, InputErrors
from diffuscope.files.sheet import Line, Sheet, read_sheet
from diffuscope.jobs.inputs import split_channel
from diffuscope.ports.heads import Heads, check_spelling, match_heads, not_used
from diffuscope.ports.table import Column, Row, Table


@dataclass(frozen=True, eq=False)
class Patient:
    """What files say of a patient.

    Attributes
    ----------
    name : str
        As the first columns have it; empty where a row names none.
    lines : mapping of int to Line
        By number of the file.
    faults : tuple of str
        What is wrong with its rows as such, with the file; nothing else of it is to be trusted then.
    """

    name: str
    lines: Mapping[int, Line]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Joined:
    """Files joined by patient.

    Attributes
    ----------
    sheets : tuple of Sheet
        The files.
    heads : tuple of Heads
        Of each, what its columns are.
    patients : tuple of Patient
        In the order of the first file, then of those that it does not have.
    where : mapping of str to int
        By name of a column the number of the file that has it.
    columns : mapping of str to Column
        By name.
    """

    sheets: tuple[Sheet, ...]
    heads: tuple[Heads, ...]
    patients: tuple[Patient, ...]
    where: Mapping[str, int]
    columns: Mapping[str, Column]

    @property
    def first(self) -> str:
        """What the column of patients is called."""
        return self.sheets[0].first

    @property
    def missing(self) -> tuple[str, ...]:
        """Columns that no file has."""
        return tuple(name for name in self.columns if name not in self.where)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know of how the files were read."""
        both = zip(self.sheets, self.heads, strict=True)
        own = tuple(notice for sheet, heads in both for notice in (*sheet.notices, *heads.notices))
        return (*own, *_apart(self.sheets))

    def text(self, patient: Patient, name: str) -> str:
        """Return what a column that is no table's says of a patient; empty where it, or the patient, is not there."""
        found = (line.cells.get(name, "") for line in patient.lines.values())
        return next((text.strip() for text in found if text.strip()), "")

    def row(self, table: Table, patient: Patient) -> tuple[Row, list[str]]:
        """Return the row of a patient, and what of it cannot be used, a sentence a value with file and patient."""
        row: Row = {}
        wrong = []
        for column in table.columns:
            row[column.name] = None
            number = self.where.get(column.name)
            if number is None or number not in patient.lines:
                continue
            (head, unit), line = self.heads[number].taken[column.name], patient.lines[number]
            try:
                row[column.name] = column.read(line.cells[head], unit, decimal_commas=line.decimal_commas)
            except InputError as error:
                wrong.append(f"{self.sheets[number].name}, {self.first} {patient.name}: {error}")
        return row, wrong

    def files(self, patient: Patient, keys: Iterable[str]) -> tuple[dict[str, Path], list[str]]:
        """Return the files of a patient by the heads that name them, and which of them are not there, in sentences.

        After ``#`` may stand a channel, or the roles of outlines.
        """
        found, wrong = {}, []
        for number, line in patient.lines.items():
            for key in keys:
                if name := line.cells.get(key, "").strip():
                    found[key] = self.sheets[number].path.parent / name
                    file, _ = split_channel(found[key])
                    if not _exists(file):
                        wrong.append(
                            f"{self.sheets[number].name}, {self.first} {patient.name}: {key} {file} does not exist: "
                            "mend the path."
                        )
        return found, wrong

    def having(self, head: str) -> list[str]:
        """Return the names of the files that have a column of a name."""
        return [sheet.name for sheet in self.sheets if head in sheet.heads]

    def check_once(self, heads: Iterable[str]) -> None:
        """Refuse a column that two files have.

        Raises
        ------
        InputError
            It names column and files.
        """
        for head in heads:
            if len(having := self.having(head)) > 1:
                raise InputError(f"the column “{head}” is in {' and in '.join(having)}: leave one of the two out.")

    def written(self, tables: Iterable[Table]) -> list[Table]:
        """Return tables without those that a system measures itself, of which nobody has written a column."""
        return [one for one in tables if not one.measured or any(column.name in self.where for column in one.columns)]

    def check_spelling(self, besides: Iterable[str], among: Iterable[Table]) -> None:
        """Refuse a head that is a column of some tables but for a slip, where nothing else is that column.

        Parameters
        ----------
        besides : iterable of str
            Heads that mean something else.
        among : iterable of Table
            Whose columns are meant.

        Raises
        ------
        InputError
            It names both.
        """
        missing = [column.name for table in among for column in table.columns if column.name not in self.where]
        for name, unused in self._unused(besides):
            check_spelling(unused, missing, name)

    def unused(self, besides: Iterable[str]) -> tuple[str, ...]:
        """Return a sentence for each file with columns that nobody reads, but for those that mean something else."""
        return tuple(told for name, unused in self._unused(besides) for told in not_used(unused, name))

    def _unused(self, besides: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        others = {*besides, self.first}
        for sheet, heads in zip(self.sheets, self.heads, strict=True):
            yield sheet.name, [head for head in heads.unused if head not in others]


def join(paths: Sequence[Path], tables: Iterable[Table]) -> Joined:
    """Read files and join them.

    Parameters
    ----------
    paths : sequence of Path
        Tables (see `diffuscope.files.sheet.read_sheet`) whose first columns have one name.
    tables : iterable of Table
        Whose columns are looked for in all of them.

    Raises
    ------
    InputError
        A file cannot be read, the files begin differently, or two have one column.
    """
    columns = {column.name: column for table in tables for column in table.columns}
    sheets = tuple(read_sheet(path) for path in paths)
    for sheet in sheets[1:]:
        if sheet.first != sheets[0].first:
            raise InputError(
                f"{sheet.name} begins with {sheet.first} and {sheets[0].name} with {sheets[0].first}: call it alike."
            )
    heads = tuple(match_heads(sheet.heads[1:], columns.values(), sheet.name) for sheet in sheets)
    where: dict[str, int] = {}
    for number, one in enumerate(heads):
        for name in one.taken:
            if name in where:
                both = f"{sheets[where[name]].name} and in {sheets[number].name}"
                raise InputError(f"the column “{name}” is in {both}: leave one of the two out.")
            where[name] = number
    return Joined(sheets, heads, _patients(sheets), where, columns)


def refuse(sentences: Sequence[str]) -> None:
    """Refuse all that is wrong in one go.

    Raises
    ------
    InputError
        There is anything.
    """
    if sentences:
        raise InputErrors(*sentences)


@dataclass
class _Found:
    lines: dict[int, Line] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def _patients(sheets: Sequence[Sheet]) -> tuple[Patient, ...]:
    found: dict[str, _Found] = {}
    nameless = []
    for number, sheet in enumerate(sheets):
        for line in sheet.lines:
            name = line.cells[sheet.first].strip()
            if not name:
                nameless.append(f"{sheet.name}, line {line.number}: it names no {sheet.first}.")
                continue
            one = found.setdefault(name, _Found())
            if number in one.lines:
                one.faults.append(f"{sheet.name} has {name} twice, again in line {line.number}: leave one out.")
            if line.fault:
                one.faults.append(f"{sheet.name}, {sheet.first} {name}: {line.fault}.")
            one.lines[number] = line
    known = (Patient(name, one.lines, tuple(one.faults)) for name, one in found.items())
    return (*known, *(Patient("", {}, (fault,)) for fault in nameless))


def _apart(sheets: Sequence[Sheet]) -> Iterator[str]:
    """Yield which files have none of the patients of those before, and who is perhaps one, written in two ways."""
    before: dict[str, str] = {}
    for sheet in sheets:
        names = {line.cells[sheet.first].strip() for line in sheet.lines}
        if before and not names & before.keys():
            yield f"{sheet.name} has no patient whom {' or '.join(dict.fromkeys(before.values()))} has."
        # A program that takes 007 for a number writes 7.
        written = {_digits(name): name for name in before if name not in names}
        twice = sorted(name for name in names - before.keys() if _digits(name) in written)
        if twice:
            other = written[_digits(twice[0])]
            more = f", and {len(twice) - 1} more such pairs" if len(twice) > 1 else ""
            yield (
                f"“{other}” of {before[other]} and “{twice[0]}” of {sheet.name} count as two patients{more}: write "
                "them alike where they are one."
            )
        before = dict.fromkeys(names, sheet.name) | before


def _digits(name: str) -> str:
    return name.lstrip("0").casefold()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no disk could have
        return False
