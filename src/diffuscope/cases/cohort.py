"""A cohort: cases that are rows of tables, joined by the first column of each, and what is known of their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases.case import Case
from diffuscope.cases.joined import Joined, Patient, join, refuse
from diffuscope.cases.split import PARTS
from diffuscope.errors import InputError
from diffuscope.ports.figures import is_missing, read_figure
from diffuscope.ports.heads import misspelt
from diffuscope.ports.table import Table

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
    unlabelled : tuple of str
        Names of patients who were left out since their class is not known.
    notices : tuple of str
        What the user should know of how the tables were read.
    """

    cases: tuple[Case, ...]
    rows: Mapping[str, NDArray[np.float32]]
    labels: NDArray[np.float32]
    unlabelled: tuple[str, ...]
    notices: tuple[str, ...] = ()


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
        Files whose first column, of one name, says the patient (see `diffuscope.cases.joined.join`). A column of a
        table is looked for in all of them.
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
        A file, a column or a patient is missing, there more than once, or a value is none that its column takes; all
        such values are named in one go, with file and patient.
    """
    joined = join(paths, tables)
    # What a system measures itself is read only where somebody measured it before.
    if len(written := joined.written(tables)) < len(tables):
        tables = written
        joined = join(paths, tables)
    _check_columns(joined, label)
    joined.check_once((label, *images))
    refuse([fault for patient in joined.patients for fault in patient.faults])
    cases, labels, wrong, unlabelled = [], [], [], []
    rows: dict[str, list[tuple[float, ...]]] = {table.key: [] for table in tables}
    for patient in sorted(joined.patients, key=lambda one: one.name):
        text = joined.text(patient, label)
        if is_missing(text) and text not in (*positive, *negative):
            unlabelled.append(patient.name)
            continue
        try:
            commas = any(line.decimal_commas for line in patient.lines.values() if label in line.cells)
            labels.append(_label(text, positive, negative, above, commas))
        except InputError as error:
            wrong.append(f"{joined.having(label)[0]}, {joined.first} {patient.name}: {error}")
        for table in tables:
            row, faults = joined.row(table, patient)
            wrong += faults
            rows[table.key].append(table.encode(row))
        files, faults = joined.files(patient, images)
        wrong += faults
        cases.append(Case(name=patient.name, group=patient.name, files=files, part=part_of(joined, patient)))
    refuse(wrong)
    if not cases:
        raise InputError(f"no patient of {paths[0].name} has anything in {label}: say which column states the class.")
    arrays = {key: np.array(values, np.float32) for key, values in rows.items()}
    return Cohort(tuple(cases), arrays, np.array(labels, np.float32), tuple(unlabelled), joined.notices)


def _check_columns(joined: Joined, label: str) -> None:
    """Refuse a table whose columns are not all there: a model is not trained on what nobody knows."""
    names = ", ".join(sheet.name for sheet in joined.sheets)
    unused = [head for heads in joined.heads for head in heads.unused]
    lacking = [*joined.missing, *([] if joined.having(label) else [label])]
    if lacking:
        near = misspelt(unused, lacking)
        missing, hint = (near[1], f" (did you mean “{near[0]}”?)") if near else (lacking[0], "")
        raise InputError(f"no column “{missing}” is in {names}{hint}: add it, or take it out of the configuration.")


def _label(text: str, positive: Sequence[str], negative: Sequence[str], above: float | None, commas: bool) -> float:
    if above is None:
        if text not in (*positive, *negative):
            raise InputError(f"“{text}” is neither said to be positive nor negative: name it.")
        return float(text in positive)
    value = read_figure(text, decimal_commas=commas)
    if value is None:
        raise InputError(f"“{text}” is no number, which the class goes by: mend it.")
    return float(value > above)


def part_of(joined: Joined, patient: Patient) -> str | None:
    """Return the part that a patient states, None where none.

    Raises
    ------
    InputError
        It states two, or none that there is.
    """
    stated = {line.cells.get(PART, "").strip() for line in patient.lines.values()} - {""}
    if len(stated) > 1 or stated - set(PARTS):
        raise InputError(
            f"{joined.sheets[0].name}: {patient.name} states the part {' and '.join(sorted(stated))}: "
            f"give {', '.join(PARTS)}."
        )
    return next(iter(stated), None)
