"""A result of a volume with known voxels, of which only a part was computed; written by the canvas that runs use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.computed import Computed
from diffuscope.results.result import Result, open_result
from diffuscope.scans import open_volume
from diffuscope.tiling.plan import make_plan

TILE = 16
HU = Raster(
    name="virtual CT", key="ct", kind="map", channels=("CT",), mpp=1000.0, spacing=(None, 1.0, 1.0),
    range=(-200.0, 300.0), dtype="float32", fill=-200.0, unit="HU",
)  # fmt: skip
FREE = Raster(
    name="FLAIR", key="flair", kind="map", channels=("FLAIR",), mpp=1000.0, spacing=(None, 1.0, 1.0), range=(-1.0, 1.0),
    dtype="float32", fill=-1.0,
)  # fmt: skip
BYTES = Raster(
    name="labels", key="bytes", kind="map", channels=("labels",), mpp=1000.0, spacing=(None, 1.0, 1.0),
    range=(0.0, 255.0), dtype="uint8", fill=0.0,
)  # fmt: skip


def value(port: Raster, z: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What is computed at a voxel of the input: from one end of the port's range to the other, both included."""
    low, high = port.range
    part = ((7 * z + 3 * y + x) % 101) / 100
    return np.rint((low + part * (high - low)) * 100) / 100 if port.dtype == "float32" else np.rint(part * 255)


def write_result(
    path: Path, source: Path, *, ports: Sequence[Raster] = (HU, FREE, BYTES), slices: tuple[int, int] = (2, 6),
    empty: tuple[int, ...] = (), record: dict | None = None, is_whole: bool = False, is_unknown: bool = False,
) -> Result:  # fmt: skip
    """Write a result of some slices of a volume; of those that are `empty` no tile, and of the others none at left.

    Tiles are 16 voxels wide with an overlap of 4, so that the first 16 columns, less those that other tiles reach
    into, are not computed; unless `is_whole`. Values that are computed may be `is_unknown`, NaN.
    """
    volume = open_volume(source)
    plan = make_plan(
        shape=volume.shape,
        factors=(1.0, 1.0, 1.0),
        spacing=volume.spacing,
        tile=TILE,
        overlap=4,
        slices=slices,
        shows=None if is_whole else lambda z, y, x, d, h, w: int(z) not in empty and x > 0,
    )
    about = {"model": {"name": "m"}, "parameters": {"seed": 7}, "inputs": {"source": volume.to_json()}}
    canvas = Canvas(path, plan=plan, ports=tuple(ports), record={**about, **(record or {})})
    by = np.float32(np.nan if is_unknown else 1)
    done = []
    for tile in plan.tiles():
        z, top, left = tile.corner
        y, x = np.mgrid[top : top + TILE, left : left + TILE]
        outputs = {port.key: by * value(port, z, y, x)[None].astype(np.float32) for port in ports}
        done.append(Computed(tile, outputs))
    canvas.write_tiles(done)  # at once, so that the disk is waited for once
    canvas.finish()
    return open_result(canvas.path)


def expected(port: Raster, shape: tuple[int, ...], slices: tuple[int, int], empty: tuple[int, ...] = ()) -> np.ndarray:
    """The same on the whole input, float, NaN where nothing was computed."""
    out = np.full(shape, np.nan)
    y, x = np.mgrid[: shape[1], : shape[2]]
    for z in range(*slices):
        if z not in empty:
            out[z] = np.where(x >= TILE - 4, value(port, z, y, x), np.nan)
    return out
