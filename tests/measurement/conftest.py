"""Result folders with known pixels, written by the canvas that runs use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diffuscope.ports.raster import Raster
from diffuscope.ports.stains import each_sample
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.results.tissue import crop_tissue, save_tissue
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

MPP = 0.5
FACTOR = 2.0
TILE = 128

IHC = Raster(name="virtual CD3", key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=MPP, range=(0.0, 255.0))
DAB = Raster(
    name="DAB",
    key="dab",
    kind="map",
    channels=("DAB",),
    mpp=MPP,
    range=(0.0, 1.0),
    dtype="float32",
    fill=0.0,
    unit="OD",
)


@pytest.fixture
def make_result(tmp_path: Path) -> Callable[..., Result]:
    """Write a whole slide of model pixels (h, w[, 3]) as a result; the tissue mask has 8 level-0 px per px."""

    def make(
        image: NDArray[Any],
        tissue: NDArray[np.bool_],
        *,
        region: Region | None = None,
        record: dict[str, Any] | None = None,
        tiles: int | None = None,
        samples: NDArray[Any] | None = None,
    ) -> Result:
        height, width = image.shape[:2]
        port = IHC if image.ndim == 3 else DAB
        shape = (int(height * FACTOR), int(width * FACTOR))
        plan = make_plan(shape=shape, factors=(FACTOR, FACTOR), tile=TILE, overlap=0, region=region)
        images = {port: np.moveaxis(np.atleast_3d(image), -1, 0).astype(np.float32)}
        if samples is not None:
            images[each_sample(replace(port, samples="samples"), len(samples))] = samples
        canvas = Canvas(
            tmp_path / "r.ome.zarr", plan=replace(plan, spacing=(MPP, MPP)), ports=tuple(images), record=record or {}
        )
        save_tissue(canvas.root, crop_tissue(tissue, 8.0, factor=FACTOR, window=plan.window, region=region))
        padded = {one.key: np.pad(planes, ((0, 0), (0, TILE), (0, TILE))) for one, planes in images.items()}
        for number, tile in enumerate(plan.tiles()):
            if tiles is None or number < tiles:
                here = np.s_[:, tile.y : tile.y + TILE, tile.x : tile.x + TILE]
                canvas.write_tile(tile, {key: planes[here] for key, planes in padded.items()})
        canvas.finish()
        return open_result(tmp_path / "r.ome.zarr")

    return make
