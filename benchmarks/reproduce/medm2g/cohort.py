"""Simulated patients as tables have them: who trains and who tests, who has what, and the system's configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from benchmarks.reproduce.medm2g.directions import ACCELERATED, CONTRASTS, IMAGES, REPORT
from benchmarks.reproduce.medm2g.figures import Patients, Pictures
from benchmarks.reproduce.medm2g.rows import WHOLE
from diffuscope.simulation.thorax_brain import RANGES, simulate
from diffuscope.systems.medm2g.text.tokens import train_vocabulary

#: Seeds of cohorts: who tests, who trains (and the seed of the row), the encoder's, and whose reports are wishes.
TESTS, TRAINS, OTHERS, WISHES = 900_001, 910_000, 920_000, 930_000
#: What the patients who train have, by turns: X-ray and MRI are never seen together, nor report and MRI.
PAIRINGS = ((REPORT, "xray"), (REPORT, "ct"), ("ct", *CONTRASTS, *ACCELERATED))


@cache
def simulated(patients: int, *, seed: int) -> Patients:
    """Return simulated patients, images brought to 0 … 1."""
    made = list(simulate(patients, seed=seed))
    images = {key: np.stack([_scaled(key, one.images[key]) for one in made]) for key in IMAGES}
    return Patients(images, tuple(one.report for one in made), tuple(one.findings for one in made))


def paired(count: int) -> list[tuple[str, ...]]:
    """Return which keys each patient who trains has."""
    return [PAIRINGS[number % len(PAIRINGS)] for number in range(count)]


def denormalised(key: str, pictures: Pictures) -> Pictures:
    """Return pictures of 0 … 1 in the range of their key."""
    low, high = RANGES[key]
    return np.asarray(low + pictures * (high - low), np.float32)


def modality(key: str) -> str:
    """Return what shares a latent diffusion model with a key."""
    return {REPORT: "text", "ct": "ct", "xray": "xray"}.get(key, "mri")


def configuration(
    reports: Sequence[str],
    changes: Mapping[str, Any],
    *,
    context: Mapping[str, Any] = WHOLE.context,
    invariant: bool = True,
) -> dict[str, Any]:
    """Return MedM2G's configuration: the words of the reports that train, and what a budget and a row change."""
    images = [
        {"key": key, "name": key, "modality": modality(key), "range": list(RANGES[key]), "made": key not in ACCELERATED}
        for key in IMAGES
    ]
    text = {"vocabulary": train_vocabulary(reports).model_dump(mode="json"), **changes.get("text", {})}
    whole: dict[str, Any] = {**changes, "images": images, "text": text}
    whole["context"] = {**changes.get("context", {}), **context}
    if not invariant:
        whole["align"] = {"invariant": 0.0}
    return whole


def _scaled(key: str, image: Any) -> Pictures:
    low, high = RANGES[key]
    return ((np.asarray(image, np.float32) - low) / (high - low)).clip(0, 1)
