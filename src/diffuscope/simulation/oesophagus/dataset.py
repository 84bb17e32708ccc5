"""A simulated cohort on disk: a CT and a mask a patient, the table of patients, and the truth that no real one has."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases.dictionary import write_dictionary
from diffuscope.cases.find import SIMULATED
from diffuscope.files.place import FOLDER, check_place
from diffuscope.files.put import in_place_of
from diffuscope.ports.table import Table
from diffuscope.simulation.oesophagus.anatomy import Scene
from diffuscope.simulation.oesophagus.cohort import CohortPlan, OesophagusPatient, simulated
from diffuscope.simulation.oesophagus.rule import Bayes, bayes
from diffuscope.simulation.oesophagus.tables import BLOOD, CLINICAL

#: Files of a cohort's folder, and the column that says the patient and that of the class.
COHORT, TRUTH, DICTIONARY = "cohort.csv", "truth.csv", "dictionary.csv"
PATIENT, LABEL = "patient_id", "metastasis"
#: The tables, as a model's inputs.
TABLES = (
    Table(name="Clinical data", key="clinical", columns=CLINICAL),
    Table(name="Blood", key="blood", columns=BLOOD),
)

_NOTE = (
    "SIMULATED by diffuscope.simulation.oesophagus: tumours, nodes, tables and labels come from a written rule. "
    "truth.csv holds what no real cohort knows; no model may read it."
)


def write_cohort(folder: Path, plan: CohortPlan, scenes: Sequence[Scene] = (), *, with_ct: int | None = None) -> Bayes:
    """Simulate a cohort and write it.

    Parameters
    ----------
    folder : Path
        Is made, whole or not at all: ``cohort.csv`` (``patient_id``, ``ct`` and ``mask`` relative to it, clinical data,
        blood, ``metastasis`` 0 or 1; what is missing is empty), ``ct/`` (int16 HU) and ``masks/`` (uint8: 1 tumour,
        2–4 nodes) as NIfTI, ``dictionary.csv`` (of the tables; a recipe's ``config`` can name it), ``truth.csv``
        (``probability``, measures, and factors of the rule) and ``SIMULATED.txt``.
    plan : CohortPlan
        Of the cohort.
    scenes : sequence of Scene
        What tumours grow in, by turns; simulated mediastina where there are none.
    with_ct : int, optional
        The first of the patients, of whom alone images are written.

    Returns
    -------
    Bayes
        What the best judge reaches on these patients.

    Raises
    ------
    InputError
        The folder exists, or cannot be written.
    """
    check_place(folder, FOLDER, way_out="choose another folder")
    rows, truths = [], []
    with in_place_of(folder, replace=False) as part:
        for name in ("ct", "masks"):
            (part / name).mkdir(parents=True)
        for number, patient in enumerate(simulated(plan, scenes)):
            known = with_ct is None or number < with_ct
            images = _write_images(part, patient) if known else {"ct": "", "mask": ""}
            rows.append({PATIENT: patient.name, **images, **_known(patient)})
            truths.append({PATIENT: patient.name, "probability": patient.probability, **_true(patient)})
        _write_rows(part / COHORT, rows)
        _write_rows(part / TRUTH, truths)
        write_dictionary(part / DICTIONARY, TABLES)
        around = " What the CTs show around tumours and nodes is real." if scenes else ""
        (part / SIMULATED).write_text(f"{_NOTE}{around} {plan}\n", encoding="utf-8")
    return bayes(np.array([truth["probability"] for truth in truths], np.float64))


def _write_images(folder: Path, patient: OesophagusPatient) -> dict[str, str]:
    """Write CT and mask of a patient into ``ct`` and ``masks`` of a folder, and return their names in its table."""
    if patient.ct is None or patient.mask is None:
        return {"ct": "", "mask": ""}
    names = {"ct": f"ct/{patient.name}.nii.gz", "mask": f"masks/{patient.name}.nii.gz"}
    _write_volume(folder / names["ct"], patient.ct, patient.spacing)
    _write_volume(folder / names["mask"], patient.mask, patient.spacing)
    return names


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of the same columns as CSV; what is not known is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def _known(patient: OesophagusPatient) -> dict[str, Any]:
    row = {**patient.clinical, **patient.blood, LABEL: patient.label}
    return {name: f"{value:g}" if isinstance(value, float) else value for name, value in row.items()}


def _true(patient: OesophagusPatient) -> dict[str, str]:
    """Return measures and factors; a factor goes by its own name behind ``factor_``, since some are called alike."""
    values = patient.measures | {f"factor_{name}": value for name, value in patient.factors.items()}
    return {name: "" if np.isnan(value) else f"{value:.6g}" for name, value in values.items()}


def _write_volume(path: Path, voxels: NDArray[np.integer], spacing: tuple[float, float, float]) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing[::-1])
    sitk.WriteImage(image, str(path), useCompression=True)
