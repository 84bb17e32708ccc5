"""A system that scores a case from a CT, outlines and a table, and the case; known by its declaration alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from model_card import CARD
from pydantic import BaseModel

from diffuscope.model.folder import save_model
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.score import Score
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.table import Column, Table
from diffuscope.systems import registry
from diffuscope.systems.base import Estimate, Whole
from diffuscope.systems.registry import Row, build_system

SPACING = (None, 0.5, 0.5)
DECLARED = Declaration(
    task="scoring a case",
    inputs=(
        Raster(
            name="CT", key="ct", kind="map", channels=("CT",), mpp=500.0, spacing=SPACING, range=(-1000.0, 1000.0),
            dtype="float32", unit="HU", required=False,
        ),
        Mask(name="outlines", key="mask", on="ct", roles=("tumour", "node 1", "node 2"), required=False),
        Table(
            name="blood", key="blood", required=False,
            columns=(Column(name="wbc", title="Leukozyten", unit="10³/µl"), Column(name="crp", unit="mg/l")),
        ),
        Table(
            name="clinical data", key="clinical", required=False, columns=(Column(name="sex", categories=("f", "m")),),
        ),
    ),
    any_of=(("ct", "blood", "clinical"),),
    outputs=(
        Score(name="metastasis of <nodes>", key="metastasis", classes=("none", "metastasis"), threshold=0.4),
        Raster(
            name="relevance", key="relevance", kind="map", channels=("relevance",), mpp=500.0, spacing=SPACING,
            range=(0.0, 1.0), dtype="float32",
        ),
    ),
    presets={"fast": SampleSettings(sampler="direct", steps=1, samples=20)},
)  # fmt: skip


class NoConfig(BaseModel):
    """Nothing to configure."""


class Scores(Whole):
    """Thirteen draws of twenty are 1; where the tumour lies it looked."""

    def sample(self, inputs, noise, settings):
        yield Estimate(1, 1, {})
        told = {"metastasis": (torch.arange(settings.samples) < 13).float()}
        if "ct" in inputs:
            told["relevance"] = (inputs["mask"] == 1).float()[None]
        return told


def save_scorer(folder: Path, monkeypatch) -> Path:
    """Write the model folder."""
    monkeypatch.setitem(registry._ROWS, "scores", Row(NoConfig, lambda _: DECLARED, lambda _: Scores(DECLARED)))
    return save_model(folder, build_system("scores", {}), "scores", {}, CARD)


def write_case(folder: Path) -> dict[str, Path]:
    """Write a CT of 12 slices of 0.5 x 0.5 x 3 mm and its outlines; node 2 is not there. Files by port key."""
    import SimpleITK as sitk

    ct = np.full((12, 200, 240), 40, np.int16)
    labels = np.zeros(ct.shape, np.uint8)
    labels[3:7, 90:120, 100:140] = 1
    labels[4, 88:122, 100:140] = 1  # the largest section
    labels[9, 30:40, 30:36] = 2
    ct[labels == 1] = 100
    ct[labels == 2] = 300
    files = {"ct": folder / "ct.nii.gz", "mask": folder / "outlines.nii.gz"}
    for key, voxels in (("ct", ct), ("mask", labels)):
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing((0.5, 0.5, 3.0))
        sitk.WriteImage(image, str(files[key]))
    return files
