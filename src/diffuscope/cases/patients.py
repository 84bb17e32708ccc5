"""Scans that lie in one folder a patient, laid out as cases.

Scans often come as a folder a patient with files of the same names in each: ``SOURCE/patient07/FLAIR.nii.gz``. Training
wants a folder a port key: ``FOLDER/flair/patient07.nii.gz``. What is named is copied and nothing else, so that a model
that is trained on its target alone is trained from a folder that holds nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.files.copy import copy_tree
from diffuscope.files.place import FOLDER, check_place
from diffuscope.files.put import in_place_of


def lay_out(source: Path, folder: Path, files: Mapping[str, str], *, only: Sequence[str] = ()) -> int:
    """Copy the scans of patients into a folder of cases.

    Parameters
    ----------
    source : Path
        One folder a patient.
    folder : Path
        Is made, whole or not at all: ``KEY/PATIENT.ending``, as `diffuscope.cases.find_cases` reads it; of a folder
        with a DICOM series ``KEY/PATIENT/``.
    files : mapping of str to str
        By port key, the path of a file or of a DICOM folder in a patient's folder. Patients without one are left out.
    only : sequence of str
        Patients to take; none: all.

    Returns
    -------
    int
        Patients copied.

    Raises
    ------
    InputError
        The folder exists, a key or a name is missing, or no patient has all files.
    """
    check_place(folder, FOLDER, keep=[source], way_out="choose another folder")
    if not source.is_dir():
        raise InputError(f"{source} is no folder: give one with a folder a patient.")
    if wrong := [key for key, name in files.items() if not (key.isidentifier() and name)]:
        raise InputError(f"{wrong[0]} names no file: say KEY=FILE, e.g. t1=T1.nii.gz.")
    patients = sorted(path for path in source.iterdir() if path.is_dir() and (not only or path.name in only))
    if missing := sorted(set(only) - {path.name for path in patients}):
        raise InputError(f"{source} has no patient {missing[0]}.")
    whole = [path for path in patients if all((path / name).exists() for name in files.values())]
    if not whole:
        raise InputError(f"no folder in {source} has {' and '.join(files.values())}.")
    with in_place_of(folder, replace=False) as part:
        for key, name in files.items():
            (part / key).mkdir(parents=True)
            for path in whole:
                _copy(path / name, part / key / path.name)
    return len(whole)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        copy_tree(source, target)
    else:
        stem, _, endings = source.name.partition(".")
        shutil.copyfile(source, target.with_name(f"{target.name}.{endings}" if stem else target.name))
