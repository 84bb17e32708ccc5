"""Simulated patients as tables have them: who trains and who tests, who has what, and the system's configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reproduce.medm2g.directions import ACCELERATED, CONTRASTS, IMAGES, REPORT
from benchmarks.reproduce.medm2g.figures import Patients, Pictures
from benchmarks.reproduce.medm2g.rows import WHOLE
from benchmarks.shared.cells import Cell
from diffuscope.simulation.thorax_brain import read_image
from diffuscope.simulation.thorax_brain.dataset import Plan, subjects
from diffuscope.simulation.thorax_brain.subject import HU_RANGE, UNIT_RANGE
from diffuscope.systems.medm2g.text.tokens import train_vocabulary

#: Seeds of cohorts: who tests, who trains (and the seed of the row), the encoder's, and whose reports are wishes.
TESTS, TRAINS, OTHERS, WISHES = 900_001, 910_000, 920_000, 930_000
#: What the patients who train have, by turns: X-ray and MRI are never seen together, nor report and MRI.
PAIRINGS = ((REPORT, "xray"), (REPORT, "ct"), ("ct", *CONTRASTS, *ACCELERATED))
_TURNS = 2


@cache
def simulator() -> str:
    """Return what tells apart patients that another simulator makes, and what other readers read: part of keys."""
    found = hashlib.sha256()
    for one in subjects(Plan(patients=4, seed=TESTS)):
        found.update(one.report.encode())
        for key, image in one.images.items():
            found.update(np.rint(1000 * image).astype(np.int32).tobytes())
            found.update(str(read_image(key, image)).encode())
    return found.hexdigest()[:16]


@cache
def simulated(patients: int, *, seed: int) -> Patients:
    """Return simulated patients, chests and heads by turns, images brought to 0 … 1."""
    made = list(subjects(Plan(patients=patients, seed=seed)))
    images = {key: np.stack([_scaled(key, one.images[key]) for one in made]) for key in IMAGES}
    return Patients(images, tuple(one.report for one in made), tuple(one.findings for one in made))


def paired(count: int) -> list[tuple[str, ...]]:
    """Return which keys each patient who trains has; chests and heads, who take turns, have all pairings alike."""
    return [PAIRINGS[number // _TURNS % len(PAIRINGS)] for number in range(count)]


def denormalised(key: str, pictures: Pictures) -> Pictures:
    """Return pictures of 0 … 1 in the range of their key."""
    low, high = _range(key)
    return np.asarray(low + pictures * (high - low), np.float32)


def modality(key: str) -> str:
    """Return what shares a latent diffusion model with a key."""
    return {REPORT: "text", "ct": "ct", "xray": "xray"}.get(key, "mri")


def vocabulary(reports: Sequence[str], *, seed: int, root: Path) -> dict[str, Any]:
    """Return the pieces of words of the reports that train; found once, as ties fall one way or the other."""
    cell = Cell(f"words-{seed}", {"simulator": simulator(), "count": len(reports), "seed": seed})
    return cell.compute(root, lambda _: train_vocabulary(reports).model_dump(mode="json"))


def configuration(
    stated: Mapping[str, Any],
    *,
    context: Mapping[str, Any] = WHOLE.context,
    invariant: bool = True,
    places: bool = True,
) -> dict[str, Any]:
    """Return MedM2G's configuration: sizes and pieces of words as stated, and what a row changes."""
    images = [
        {"key": key, "name": key, "modality": modality(key), "range": list(_range(key)), "made": key not in ACCELERATED}
        for key in IMAGES
    ]
    whole: dict[str, Any] = {**stated, "images": images}
    whole["context"] = {**stated.get("context", {}), **context}
    if not places:
        whole["unet"] = {**stated.get("unet", {}), "near": 0}
        whole["context"] |= {"layout": False, "drawn": ()}
    if not invariant:
        whole["align"] = {**stated.get("align", {}), "invariant": 0.0}
    return whole


def _range(key: str) -> tuple[float, float]:
    return HU_RANGE if key == "ct" else UNIT_RANGE


def _scaled(key: str, image: Any) -> Pictures:
    low, high = _range(key)
    return np.asarray(((image - low) / (high - low)).clip(0, 1), np.float32)
