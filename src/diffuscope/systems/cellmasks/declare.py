"""What the mask network declares."""

from __future__ import annotations

from diffuscope.ports.declaration import Declaration
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.cellmasks.config import CellMasksConfig


def declare(config: CellMasksConfig) -> Declaration:
    """Of the mask network: an IHC, and where its positive cells are."""
    return Declaration(
        task="segmentation of positive cells",
        inputs=(
            Raster(
                name=config.stain, key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=config.mpp, range=(0.0, 255.0)
            ),
        ),
        outputs=(
            Raster(
                name=f"{config.stain}-positive cells",
                key="mask",
                kind="map",
                channels=("positive",),
                mpp=config.mpp,
                range=(0.0, 1.0),
                dtype="float32",
                fill=0.0,
                colormap="viridis",
            ),
        ),
        presets={"fast": SampleSettings(sampler="direct", steps=1)},
        tile=272,
        overlap=16,
        patch=config.patch,
    )
