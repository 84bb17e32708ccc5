"""A cohort: cases that are rows of tables, joined by the first column of each, and what is known of their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases.case import Case
from diffuscope.cases.split import PARTS
from diffuscope.errors import InputError
from diffuscope.files.read import read_rows
from diffuscope.ports.table import Row, Table

#: Column of any of the files in which a case may state its part.
PART = "part"


@dataclass(frozen=True, eq=False)
class Cohort:
    """Cases with their rows.

    Attributes
    ----------
    cases : tuple of Case
        By name the patient, who is a group of their own; with the images that the tables name.
    rows : mapping of str to ndarray (n, columns)
        By table, as `Table.encode` gives them, float32: NaN where nothing is known.
    labels : ndarray (n,)
        0 or 1, float32.
    unlabelled : int
        Patients who were left out since their class is not known.
    """

    cases: tuple[Case, ...]
    rows: Mapping[str, NDArray[np.float32]]
    labels: NDArray[np.float32]
    unlabelled: int


def read_cohort(
    paths: Sequence[Path],
    tables: Sequence[Table],
    *,
    label: str,
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
    above: float | None = None,
    images: Sequence[str] = (),
) -> Cohort:
    """Read the rows of all patients whose class is known.

    Parameters
    ----------
    paths : sequence of Path
        CSV files whose first column, of one name, says the patient. A column of a table is looked for in all of them.
    tables : sequence of Table
        What is read.
    label : str
        Column that says the class; a patient with nothing there is left out.
    positive, negative : sequence of str
        Values of it that mean the second class, and the first; or
    above : float
        Number beyond which it does.
    images : sequence of str
        Columns that may name a file each, relative to the table's folder; empty where a patient has none.

    Raises
    ------
    InputError
        A file, a column or a patient is missing, there more than once, or no possible value; the sentence names file
        and patient.
    """
    found, first = _joined(paths)
    wanted = {column.name: "" for table in tables for column in table.columns}
    where = _columns(paths, found, (*wanted, label))
    named = _columns(paths, found, [key for key in images if any(key in _head(rows) for rows in found)])
    patients = sorted({patient for rows in found for patient in rows})
    cases, kept, labels = [], [], []
    for patient in patients:
        text = {name: found[place].get(patient, {}).get(name) or "" for name, place in where.items()}
        if not text[label].strip():
            continue
        own = f"{paths[where[label]].name}, {first} {patient}"
        labels.append(_label(text[label].strip(), positive, negative, above, own))
        files = {
            key: paths[place].parent / name
            for key, place in named.items()
            if (name := (found[place].get(patient, {}).get(key) or "").strip())
        }
        for key, file in files.items():
            if not file.exists():
                raise InputError(
                    f"{paths[named[key]].name}, {first} {patient}: {key} {file} does not exist: mend the path."
                )
        cases.append(Case(name=patient, group=patient, files=files, part=_part(found, paths, patient)))
        kept.append(text)
    if not cases:
        raise InputError(f"no patient of {paths[0].name} has anything in {label}: say which column states the class.")
    sources = {name: paths[place].name for name, place in where.items()}
    rows = {
        table.key: np.array(
            [_encoded(table, text, sources, f"{first} {case.name}") for case, text in zip(cases, kept, strict=True)],
            np.float32,
        )
        for table in tables
    }
    return Cohort(tuple(cases), rows, np.array(labels, np.float32), len(patients) - len(cases))


def _joined(paths: Sequence[Path]) -> tuple[list[dict[str, dict[str, str]]], str]:
    """Return the rows of each file by patient, and what the column of patients is called."""
    joined: list[dict[str, dict[str, str]]] = []
    called = ""
    for path in paths:
        try:
            rows = read_rows(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror or error}): check the path.") from error
        if not rows or any(None in row for row in rows):
            raise InputError(f"{path.name} has no row, or one with more values than its first line has names: mend it.")
        first = next(iter(rows[0]))
        if called and first != called:
            raise InputError(f"{path.name} begins with {first} and {paths[0].name} with {called}: call it alike.")
        called = first
        by_patient: dict[str, dict[str, str]] = {}
        for row in rows:
            patient = (row[first] or "").strip()
            if not patient or patient in by_patient:
                raise InputError(
                    f"{path.name} has {'a row of no patient' if not patient else f'{patient} twice'}: mend it."
                )
            by_patient[patient] = row
        joined.append(by_patient)
    return joined, called


def _columns(
    paths: Sequence[Path], found: Sequence[Mapping[str, Mapping[str, str]]], names: Sequence[str]
) -> dict[str, int]:
    """Return the number of the file that has each column."""
    heads = [_head(rows) for rows in found]
    where = {}
    for name in names:
        having = [number for number, head in enumerate(heads) if name in head]
        files = ", ".join(path.name for path in paths)
        if not having:
            raise InputError(f"no column “{name}” is in {files}: add it, or take it out of the configuration.")
        if len(having) > 1:
            both = " and in ".join(paths[number].name for number in having)
            raise InputError(f"the column “{name}” is in {both}: leave one of the two out.")
        where[name] = having[0]
    return where


def _head(rows: Mapping[str, Mapping[str, str]]) -> set[str]:
    return set(next(iter(rows.values())))


def _label(text: str, positive: Sequence[str], negative: Sequence[str], above: float | None, whose: str) -> float:
    if above is None:
        if text not in (*positive, *negative):
            raise InputError(f"{whose}: “{text}” is neither said to be positive nor negative: name it.")
        return float(text in positive)
    try:
        return float(float(text) > above)
    except ValueError:
        raise InputError(f"{whose}: “{text}” is no number, which the class goes by: mend it.") from None


def _part(found: Sequence[Mapping[str, Mapping[str, str]]], paths: Sequence[Path], patient: str) -> str | None:
    stated = {(rows.get(patient, {}).get(PART) or "").strip() for rows in found} - {""}
    if len(stated) > 1 or stated - set(PARTS):
        raise InputError(
            f"{paths[0].name}: {patient} states the part {' and '.join(sorted(stated))}: give {', '.join(PARTS)}."
        )
    return next(iter(stated), None)


def _encoded(table: Table, text: Mapping[str, str], files: Mapping[str, str], whose: str) -> tuple[float, ...]:
    row: Row = {}
    for column in table.columns:
        try:
            row[column.name] = column.read(text[column.name])
        except InputError as error:
            raise InputError(f"{files[column.name]}, {whose}: {error}") from error
    return table.encode(row)
