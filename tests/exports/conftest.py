"""A result folder with known pixels in every layer, written by the canvas that runs use."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.results.tissue import crop_tissue, save_tissue
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

MPP = 0.4992
FACTOR = 2.0
TILE = 128
REGION = Region(106, 74, 1466, 1202)
"""Level-0 px; on the canvas 733 x 601 px from (53, 37): three levels, odd sizes, cut tiles."""

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
PAIR = Raster(
    name="two maps", key="pair", kind="map", channels=("a", "b"), mpp=MPP, range=(0.0, 1.0), dtype="float32", fill=0.0
)
RECORD = {
    "note": "Research use only; not for diagnosis.",
    "command": 'diffuscope run stain-cd3-demo "a <b> & µ.svs" -o r.ome.zarr',
    "inputs": {"he": {"name": "a <b> & \u0007µ.svs", "mpp": 0.2496}},
    "parameters": {"seed": 7},
}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished result, to be copied."""
    return write(tmp_path_factory.mktemp("whole") / "r.ome.zarr")


@pytest.fixture
def make_result(tmp_path: Path, whole: Path) -> Callable[..., Result]:
    """Put smooth colours and maps there; `done` stops after that many tiles, as a cancelled run does."""

    def make(*, done: int | None = None) -> Result:
        path = tmp_path / "r.ome.zarr"
        return open_result(shutil.copytree(whole, path) if done is None else write(path, done=done))

    return make


def write(path: Path, *, done: int | None = None) -> Path:
    """Write a result, or that many of its tiles."""
    plan = make_plan(shape=(1600, 1800), factors=(FACTOR, FACTOR), tile=TILE, overlap=0, region=REGION)
    canvas = Canvas(path, plan=replace(plan, spacing=(MPP, MPP)), ports=(IHC, DAB, PAIR), record=RECORD)
    tissue = np.ones((100, 100), bool)
    save_tissue(canvas.root, crop_tissue(tissue, 18.0, factor=FACTOR, window=plan.window, region=None))
    for number, tile in enumerate(plan.tiles()):
        if done is None or number < done:
            canvas.write_tile(tile, pixels(tile.y, tile.x))
    if done is None:
        canvas.finish()
        (path / "table.csv").write_text("region,positive_objects\nall tissue,3\n", encoding="utf-8")
    else:
        canvas.refresh()  # the scratch folder stays, as after a kill
    return path


def pixels(y: int, x: int) -> dict[str, NDArray[Any]]:
    """Return the tile at (y, x): known functions of the place."""
    rows, columns = np.mgrid[y : y + TILE, x : x + TILE].astype(np.float32)
    wave = np.sin(rows / 9) * np.cos(columns / 13)
    colour = np.stack([150 + 60 * wave, 128 + 90 * np.cos(rows / 31), columns / 4]).round()
    maps = np.stack([0.3 + 0.3 * wave, np.sqrt(rows + columns) / 64, wave])
    return {"ihc": colour, "dab": maps[:1], "pair": maps[1:]}
