"""Cases of which a table names images and texts, some of each, to learn any from any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffuscope.cases.case import Case
from diffuscope.cases.cohort import part_of
from diffuscope.cases.joined import join, refuse
from diffuscope.errors import InputError
from diffuscope.files.read import read_text

# What a cell ends with that names a text's file.
_TEXT_FILE = ".txt"


@dataclass(frozen=True)
class PairedCase:
    """A case with what is there of it.

    Attributes
    ----------
    case : Case
        With the files of its images; a group of its own.
    texts : mapping of str to str
        By port key.
    """

    case: Case
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Paired:
    """What a table names.

    Attributes
    ----------
    cases : tuple of PairedCase
        In the order of their names; each has something.
    notices : tuple of str
        What the user should know of how the table was read.
    """

    cases: tuple[PairedCase, ...]
    notices: tuple[str, ...]


def read_paired(path: Path, images: Sequence[str], texts: Sequence[str]) -> Paired:
    """Read a table of cases: its first column says the case, others are headed by the keys of images and texts.

    Parameters
    ----------
    path : Path
        CSV or XLSX. A cell of an image names a file relative to the table's folder; one of a text is the text itself,
        or names a .txt file; any may be empty. A column ``part`` may say who trains, validates or tests.
    images, texts : sequence of str
        Keys that are looked for.

    Raises
    ------
    InputError
        The table cannot be read, has none of the columns, or names files that are not there: all of them in one go.
    """
    joined = join([path], [])
    if not any(joined.having(key) for key in (*images, *texts)):
        raise InputError(f"{path.name} has no column {', '.join((*texts, *images))}: head at least one so.")
    found, wrong = [], [fault for patient in joined.patients for fault in patient.faults]
    for patient in sorted(joined.patients, key=lambda one: one.name):
        files, faults = joined.files(patient, images)
        wrong += faults
        said = {}
        for key in texts:
            if text := joined.text(patient, key):
                said[key] = _text(path.parent, text)
        if patient.name and (files or said):
            case = Case(name=patient.name, group=patient.name, files=files, part=part_of(joined, patient))
            found.append(PairedCase(case, said))
    refuse(wrong)
    if not found:
        raise InputError(f"{path.name} has no case with an image or a text: fill a row in.")
    return Paired(tuple(found), (*joined.notices, *joined.unused((*images, *texts, "part"))))


def _text(folder: Path, cell: str) -> str:
    return read_text(folder / cell).strip() if cell.casefold().endswith(_TEXT_FILE) else cell
