"""Cases that are to be scored: patients of tables, or one that is given by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases.joined import Joined, Patient, join
from diffuscope.errors import InputError
from diffuscope.files.names import names_apart
from diffuscope.jobs.inputs import split_channel
from diffuscope.jobs.masks import GivenMask
from diffuscope.jobs.rows import GivenRow, check_files_of_row, file_of_row, read_row, typed
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.heads import listed
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.table import Row, Table

#: The images that a command line can give of one case, by port key.
_OPTIONS = {"ct": "ct", "mask": "masks"}


@dataclass(frozen=True, eq=False)
class ToScore:
    """A case.

    Attributes
    ----------
    name : str
        Of the patient; empty where nobody says.
    files : mapping of str to str, Path or sequence of these
        Images and outlines by port key.
    rows : mapping of str to ndarray (columns,)
        By table, as `Table.encode` gives them; a table of which nothing is known is left out.
    fault : str
        Why it cannot be scored, in sentences; empty where it can.
    """

    name: str
    files: Mapping[str, GivenMask] = field(default_factory=dict)
    rows: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, eq=False)
class Cases:
    """Cases with what the user should know, and by what they are known again.

    Attributes
    ----------
    cases : tuple of ToScore
        In the order of the files.
    notices : tuple of str
        Of how they were read.
    inputs : mapping of str to str or mapping
        Of a cohort the hash of each table by its name (see `names_apart`), and of what tells that images are the same;
        of one case what it is given, by port key.
    flags : tuple of (str, str) or None
        By which options of a command line one case is given again; None where it cannot be.
    """

    cases: tuple[ToScore, ...]
    notices: tuple[str, ...]
    inputs: Mapping[str, Any]
    flags: tuple[tuple[str, str], ...] | None = ()


def read_cohort_to_score(paths: Sequence[Path], declared: Declaration, model: str) -> Cases:
    """Read the patients of some tables; what is wrong with one is a fault of its own.

    Parameters
    ----------
    paths : sequence of Path
        See `diffuscope.cases.joined.join`. Columns named like the keys of images and outlines hold their files.
    declared : Declaration
        Of the system.
    model : str
        Its name, for messages.

    Raises
    ------
    InputError
        A file cannot be read, has a column that is misspelt or of another unit, or none that the model knows.
    """
    tables = [port for port in declared.inputs if isinstance(port, Table)]
    images = [port.key for port in declared.inputs if isinstance(port, Raster | Mask)]
    joined = join(paths, tables)
    joined.check_once(images)
    joined.check_spelling(images, joined.written(tables))
    if not joined.where and not any(joined.having(key) for key in images):
        names = ", ".join(sheet.name for sheet in joined.sheets)
        raise InputError(
            f"no column of {names} is one of {model}: see diffuscope models {model} --dictionary FILE.csv."
        )
    cases = tuple(_case(joined, patient, tables, images) for patient in joined.patients)
    # What a system measures itself of images is there with them.
    read = [table for table in tables if not (table.measured and any(joined.having(key) for key in images))]
    notices = (*joined.notices, *joined.unused(images), *_lacking(joined, read))
    digests = (hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    inputs = dict(zip(names_apart(paths), digests, strict=True))
    files = [file for case in cases for file in case.files.values()]
    if files:
        inputs["images"] = _state(files)
    return Cases(cases, notices, inputs)


def read_one_to_score(
    files: Mapping[str, GivenMask], rows: Sequence[GivenRow], declared: Declaration, name: str = ""
) -> Cases:
    """Read one case.

    Parameters
    ----------
    files : mapping of str to str, Path or sequence of these
        Images and outlines by port key.
    rows : sequence of str, Path or mapping
        ``"FILE.csv#ROW"``, ``"NAME=VALUE,NAME=VALUE"`` or a mapping, whose names are columns of any table.
    declared : Declaration
        Of the system.
    name : str
        Of the patient; default: the row of the first file.

    Raises
    ------
    InputError
        A row cannot be read, or a value is given twice.
    """
    tables = [port for port in declared.inputs if isinstance(port, Table)]
    everything = {column.name: column for table in tables for column in table.columns}
    together = Table(name="the model", key="row", columns=tuple(everything.values()))
    found: Row = {}
    notices: list[str] = []
    read: list[Row] = []
    for given in rows:
        row, told = read_row(given, together)
        check_files_of_row(given, files)
        read.append(row)
        notices += told
        for column, value in row.items():
            if value is not None and found.get(column) is not None:
                raise InputError(f"{column} is given twice: give it once.")
            found[column] = value if value is not None else found.get(column)
        name = name or file_of_row(given)[1]
    encoded = {table.key: _encoded(table, found) for table in tables}
    known = {key: row for key, row in encoded.items() if not np.isnan(row).all()}
    stated = {table.key: {"row": _of(table, found)} for table in tables if table.key in known}
    images = {
        key: {"name": ", ".join(split_channel(file)[0].name for file in _several(one)), "hash": _state([one])}
        for key, one in files.items()
    }
    return Cases((ToScore(name, dict(files), known),), tuple(notices), stated | images, _flags(files, rows, read))


def _flags(
    files: Mapping[str, GivenMask], rows: Sequence[GivenRow], read: Sequence[Row]
) -> tuple[tuple[str, str], ...] | None:
    """Return the options by which one case is given again, rows of files by these, as they say whose they are."""
    if not files.keys() <= _OPTIONS.keys():
        return None
    parts: list[tuple[str, Path | None, str | None]] = [
        (_OPTIONS[key], *split_channel(one)) for key, given in files.items() for one in _several(given)
    ]
    for given, row in zip(rows, read, strict=True):
        path, wanted = file_of_row(given)
        text = wanted or None if path is not None else typed(row) if isinstance(given, Mapping) else str(given)
        parts.append(("row", path, text))
    if any(path is None and text is None for _, path, text in parts):
        return None
    names = iter(names_apart([path for _, path, _ in parts if path is not None]))
    return tuple(
        (option, "#".join(filter(None, (next(names) if path is not None else None, text))))
        for option, path, text in parts
    )


def _several(given: GivenMask) -> Sequence[str | Path]:
    return [given] if isinstance(given, str | Path) else given


def _case(joined: Joined, patient: Patient, tables: Sequence[Table], images: Sequence[str]) -> ToScore:
    if patient.faults:
        return ToScore(patient.name, fault=" ".join(patient.faults))
    rows, wrong = {}, []
    for table in tables:
        row, faults = joined.row(table, patient)
        wrong += faults
        encoded = _encoded(table, row)
        if not np.isnan(encoded).all():
            rows[table.key] = encoded
    files, faults = joined.files(patient, images)
    wrong += faults
    return ToScore(patient.name, files, rows, " ".join(wrong))


def _encoded(table: Table, row: Row) -> NDArray[np.float32]:
    return np.asarray(table.encode(_of(table, row)), np.float32)


def _of(table: Table, row: Row) -> Row:
    return {column.name: row.get(column.name) for column in table.columns}


def _lacking(joined: Joined, tables: Sequence[Table]) -> Iterator[str]:
    """Yield what no file has: whole tables, and columns of others."""
    for table in tables:
        names = [column.name for column in table.columns if column.name not in joined.where]
        if len(names) == len(table.columns):
            yield f"No file has a column of {table.name}: it counts as missing."
        elif names:
            yield f"No file has {listed(names)} of {table.name}: not known of any patient."


def _state(files: Sequence[GivenMask]) -> str:
    """Return what changes where a file does: names, sizes and times, without reading what may be a terabyte."""
    digest = hashlib.sha256()
    for given in files:
        for one in _several(given):
            path, roles = split_channel(one)
            # A series may lie in a folder of the folder that is named.
            inside = sorted(one for one in path.rglob("*") if not one.is_dir()) if path.is_dir() else [path]
            for file in inside:
                about = file.stat() if file.exists() else None
                name = file.relative_to(path).as_posix() if file != path else file.name
                digest.update(repr((name, roles, about and (about.st_size, about.st_mtime_ns))).encode())
    return digest.hexdigest()
