"""find_cases: from a folder of folders, or from a table, to cases."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from diffuscope.cases.case import Case
from diffuscope.cases.split import PARTS
from diffuscope.errors import InputError
from diffuscope.files.read import read_rows
from diffuscope.scans.formats.table import ending_of, stem
from diffuscope.scans.open_volume import is_image

TABLE = "cases.csv"
SIMULATED = "SIMULATED.txt"
"""A file of this name in the data's folder says how its truth was simulated; every report quotes its first line."""
_COLUMNS = ("case", "group", "part", "slide")
# What others call a group.
_PATIENTS = {"patient", "patients", "patient id", "patient_id", "patientid"}


def find_cases(data: str | Path, keys: Sequence[str], *, optional: Sequence[str] = ()) -> list[Case]:
    """Find the cases of a data set.

    Two layouts are known. **Paired folders**: one sub-folder a port key, and in them files of one name, whatever their
    format: ``data/he/a.svs`` and ``data/ihc/a.png`` are case ``a``, and so are ``data/t1/a.nii.gz`` and a folder
    ``data/ct/a`` with a DICOM series. **A table**: ``data/cases.csv``, or any ``.csv``
    file, with the columns ``case``, perhaps ``group`` (patient or slide; else the slide, else each case is its
    own), ``part`` (train, validation, test) and ``slide`` (that the pictures were cut from; else the group, where one
    is given), and one a port key, with paths relative to the table. A folder that holds a table is read by it.

    Parameters
    ----------
    data : str or Path
        The folder, or the table.
    keys : sequence of str
        Port keys that every case must have, e.g. ``["he", "ihc"]``.
    optional : sequence of str
        Port keys that are taken where there are any.

    Returns
    -------
    list of Case
        By name; at least one.

    Raises
    ------
    InputError
        There is no such folder or table, a key has no folder or column, a file is missing or has no partner, two have
        one name, or there is no case at all.
    """
    data = Path(data)
    if not data.exists():
        raise InputError(f"{data} does not exist: give a folder of cases, or a table of them (.csv).")
    table = data / TABLE if data.is_dir() else data
    if data.is_file() and data.suffix.lower() != ".csv":
        raise InputError(f"{data.name} is no folder of cases and no table of them (.csv).")
    cases = _from_table(table, keys, optional) if table.is_file() else _from_folders(data, keys, optional)
    if not cases:
        raise InputError(f"{data} holds no case: put pictures of one name into {_listed(f'{key}/' for key in keys)}.")
    return sorted(cases, key=lambda case: case.name)


def simulated_truth(data: Path) -> str | None:
    """Return how a data set's truth was simulated; None where nothing says that it was."""
    path = (data if data.is_dir() else data.parent) / SIMULATED
    if not path.is_file():
        return None
    return path.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0] or "nobody says how."


def _from_folders(data: Path, keys: Sequence[str], optional: Sequence[str]) -> list[Case]:
    folders = {path.name: path for path in data.iterdir() if path.is_dir() and path.suffix != ".zarr"}
    for key in keys:
        if key not in folders:
            raise InputError(f"{data} has no folder {key}{_nearest(key, folders)}, and no {TABLE}.")
    found = {key: pictures_in(folders[key]) for key in (*keys, *optional) if key in folders}
    first, *others = keys
    for key in others:
        for name in sorted(found[first].keys() ^ found[key].keys()):
            there, missing = (first, key) if name in found[first] else (key, first)
            partner = found[there][name].name
            raise InputError(
                f"{there}/{partner} has no partner in {data / missing}{_nearest(name, found[missing])}: "
                "add a picture of that name, or take this one out."
            )
    for key in found.keys() - set(keys):
        for name in sorted(found[key].keys() - found[first].keys()):
            raise InputError(f"{key}/{found[key][name].name} in {data} belongs to no case: there is no {first}/{name}.")
    return [
        Case(name, name, {key: pictures[name] for key, pictures in found.items() if name in pictures})
        for name in found[first]
    ]


def pictures_in(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by name without ending.

    Raises
    ------
    InputError
        Two have one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        # What is read, by its usual names, and folders with a DICOM series, by their own. Of other files (notes,
        # Thumbs.db) nothing is expected. A table names its files itself.
        if path.name.startswith(".") or not (ending_of(path.name) or (path.is_dir() and is_image(path))):
            continue
        name = stem(path.name)
        if name in found:
            raise InputError(f"{found[name].name} and {path.name} in {folder} have one name: keep one of them.")
        found[name] = path
    return found


def _from_table(table: Path, keys: Sequence[str], optional: Sequence[str]) -> list[Case]:
    try:
        rows = read_rows(table)
    except OSError as error:
        raise InputError(f"{table} cannot be read as a table ({error}): save it as CSV in UTF-8.") from error
    if not rows:
        raise InputError(f"{table} holds no case: it needs a line a case below the line of the columns' names.")
    for column in ("case", *keys):
        if column not in rows[0]:
            raise InputError(f"{table} has no column {column}{_nearest(column, [c for c in rows[0] if c])}.")
    _check_misspelt([column for column in rows[0] if column], (*_COLUMNS, *keys, *optional), table)
    taken = [key for key in (*keys, *optional) if key in rows[0]]
    cases = [_from_row(row, line, table, taken, keys) for line, row in enumerate(rows, start=2)]
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            raise InputError(f"{table} has {count} lines for case {name}: give each case a name of its own.")
    return cases


def _from_row(row: dict[str, str | None], line: int, table: Path, taken: list[str], keys: Sequence[str]) -> Case:
    case, group, part, slide = ((row.get(column) or "").strip() for column in _COLUMNS)
    if not case:
        raise InputError(f"{table}, line {line}, names no case.")
    if Path(case).name != case or case.startswith("."):  # results are files of this name
        raise InputError(f'{table}, line {line}: "{case}" cannot be the name of a file: give the case a plain name.')
    if part and part not in PARTS:
        raise InputError(f'{table}, line {line}: there is no part "{part}"; say {_listed(PARTS)}, or leave it empty.')
    files = {key: table.parent / path for key in taken if (path := (row[key] or "").strip())}
    for key in keys:
        if key not in files:
            raise InputError(f"{table}, line {line}: case {case} has no {key}.")
    if None in row or None in row.values():
        how = "more" if None in row else "fewer"
        raise InputError(f"{table}, line {line}, has {how} values than the first line has names: is the file whole?")
    for key, file in files.items():
        try:
            there = file.exists()
        except OSError:  # a name that no disk could have
            there = False
        if not there:
            raise InputError(f"{table}, line {line}: {key} of case {case} is {file}, which does not exist.")
    return Case(case, group or slide or case, files, part or None, slide or group)


def _check_misspelt(columns: Sequence[str], known: Sequence[str], table: Path) -> None:
    """Refuse columns that are nearly known ones, for which they would be passed over without a word."""
    for column in columns:
        if column in known:
            continue
        word = column.strip().lower()
        near = difflib.get_close_matches(word, known, n=1, cutoff=0.8)
        meant = "group" if word in _PATIENTS else near[0] if near else None
        if meant is not None and meant not in columns:
            raise InputError(f"{table} has a column {column}, which is not known: call it {meant}, or leave it out.")


def _nearest(name: str, among: Iterable[str]) -> str:
    """Return a hint at the nearest name, or at what there is."""
    among = sorted(among)
    near = difflib.get_close_matches(name.lower(), [one.lower() for one in among], n=1)
    if near:
        return f" (did you mean {next(one for one in among if one.lower() == near[0])}?)"
    return f" (there are {', '.join(among[:5])}{' …' if len(among) > 5 else ''})" if among else ""


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
