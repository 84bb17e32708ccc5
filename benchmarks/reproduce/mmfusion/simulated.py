"""Simulated patients with CT: what their encoders saw of them, their tables, and the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from benchmarks.reproduce.mmfusion.eyes import IMAGES, crops_of, seen, trained
from benchmarks.reproduce.mmfusion.study import Study
from benchmarks.shared.cells import Cell
from benchmarks.shared.places import RUNS
from diffuscope.ports.table import Column, Table
from diffuscope.simulation.oesophagus import BLOOD, CLINICAL, CohortPlan, OesophagusPatient, simulated
from diffuscope.systems.mmfusion.config import ImagesConfig

ROOT = RUNS / "reproduce" / "mmfusion"
BACKBONE, SEED = "resnet10", 0
# Raise it when what is kept of a cohort changes.
_COHORT = 1
#: Radiomics by simple formulas, of the tumour and of the largest node: size, shape, HU.
SIMPLE = ("volume", "longest", "middle", "shortest", "mean", "deviation", "tenth", "ninetieth", "dark")
_TABLES = {"clinical": ("clinical data", CLINICAL), "blood": ("blood", BLOOD)}


@cache
def cohort(patients: int, seed: int) -> dict[str, Tensor]:
    """Return crops, rows, simple radiomics, label and true probability of simulated patients; simulated once."""
    facts = {"cohort": _COHORT, "patients": patients, "seed": seed, "images": dict(IMAGES)}
    cell = Cell(f"cohort-{seed}", facts)

    def work(folder: Path) -> dict[str, Any]:
        torch.save(_made(patients, seed), folder / "cohort.pt")
        return {"patients": patients}

    cell.compute(ROOT, work)
    found: dict[str, Tensor] = torch.load(ROOT / cell.key / "cohort.pt", weights_only=True)
    return found


@cache
def study(*, patients: int, seed: int, backbone: str, others: int, steps: int, radiomics: bool = False) -> Study:
    """Return simulated patients as an encoder saw them.

    Parameters
    ----------
    patients, seed : int
        Of the cohort.
    backbone : str
        Whose maps take the place of the crops.
    others, steps : int
        Patients that the encoder was trained on, and how long.
    radiomics : bool
        Whether simple radiomics are a table as well.
    """
    made = cohort(patients, seed)
    eyes = trained(backbone, patients=others, steps=steps, root=ROOT)
    maps = _maps(patients, seed, backbone, others, steps, eyes)
    tables = [_table(key, name, columns) for key, (name, columns) in _TABLES.items()]
    cases = {key: made[key] for key in _TABLES} | maps
    if radiomics:
        tables.append({"name": "radiomics", "key": "radiomics", "columns": [{"name": name} for name in _names()]})
        cases["radiomics"] = made["radiomics"]
    return Study(
        name="simulated",
        title="simulated oesophagus",
        tables=tables,
        cases=cases,
        label=made["label"].numpy(),
        patients=tuple(f"P{number:04d}" for number in range(patients)),
        facts={
            "study": "simulated", "cohort": _COHORT, "patients": patients, "cohort_seed": seed, "backbone": backbone,
            "others": others, "eye_steps": steps, "images": dict(IMAGES), "radiomics": radiomics,
        },
        truth=made["probability"].numpy(),
    )  # fmt: skip


def _maps(
    patients: int, seed: int, backbone: str, others: int, steps: int, eyes: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Return what an encoder sees of a cohort, seen once."""
    facts = {"cohort": _COHORT, "patients": patients, "seed": seed, "backbone": backbone, "others": others}
    cell = Cell(f"maps-{backbone}-{seed}", facts | {"steps": steps, "images": dict(IMAGES)})

    def work(folder: Path) -> dict[str, Any]:
        made = cohort(patients, seed)
        torch.save({key: one.half() for key, one in seen(eyes, made).items()}, folder / "maps.pt")
        return {"patients": patients}

    cell.compute(ROOT, work)
    found = torch.load(ROOT / cell.key / "maps.pt", weights_only=True)
    return {key: one.float() for key, one in found.items()}


def _made(patients: int, seed: int) -> dict[str, Tensor]:
    images = ImagesConfig(**IMAGES)  # type: ignore[arg-type]
    ports = {key: Table(name=key, key=key, columns=columns) for key, (_, columns) in _TABLES.items()}
    found: dict[str, list[Tensor]] = {}
    for patient in simulated(CohortPlan(patients=patients, seed=seed)):
        one = crops_of(patient, images)
        one = {key: crop.half() for key, crop in one.items()}
        one |= {key: torch.tensor(port.encode(getattr(patient, key))) for key, port in ports.items()}
        one["radiomics"] = torch.from_numpy(_radiomics(patient))
        one |= {"label": torch.tensor(patient.label), "probability": torch.tensor(patient.probability).double()}
        for key, value in one.items():
            found.setdefault(key, []).append(value)
    return {key: torch.stack(values) for key, values in found.items()}


def _radiomics(patient: OesophagusPatient) -> NDArray[np.float32]:
    """Return `SIMPLE` of the tumour and of the largest node, NaN where there is none, and the number of nodes."""
    assert patient.ct is not None and patient.mask is not None
    rows = [_simple(patient.ct, patient.mask == label, patient.spacing) for label in (1, 2)]
    count = len(np.unique(patient.mask[patient.mask > 1]))
    return np.array([*rows[0], *rows[1], count], np.float32)


def _simple(ct: NDArray[np.int16], inside: NDArray[np.bool_], spacing: Sequence[float]) -> list[float]:
    if not inside.any():
        return [float("nan")] * len(SIMPLE)
    places = np.argwhere(inside) * np.array(spacing)
    # Of an ellipsoid the axis is 2 √5 standard deviations of the places in it.
    axes = (
        2 * np.sqrt(5 * np.sort(np.linalg.eigvalsh(np.cov(places.T)))[::-1].clip(min=0)) if len(places) > 3 else [0] * 3
    )
    inner = ndimage.binary_erosion(inside)
    values = ct[inner if inner.any() else inside].astype(float)
    return [
        len(places) * float(np.prod(spacing)), *map(float, axes), float(values.mean()), float(values.std()),
        *map(float, np.quantile(values, [0.1, 0.9])), float((values < 30).mean()),
    ]  # fmt: skip


def _names() -> list[str]:
    return [f"{part} {name}" for part in ("tumour", "node") for name in SIMPLE] + ["nodes"]


def _table(key: str, name: str, columns: Sequence[Column]) -> dict[str, Any]:
    """Return a table as a configuration has it."""
    listed = [{"name": one.name} | ({"categories": list(one.categories)} if one.categories else {}) for one in columns]
    return {"name": name, "key": key, "columns": listed}
