"""The moving slide seen in the fixed slide's frame: any window of it, and all of it as a pyramid on disk."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.events import Progress
from diffuscope.ports.raster import Raster
from diffuscope.registration.transform import Transform
from diffuscope.results.coverage import keep_coverage
from diffuscope.results.layout import ATTRS, SLIDE_FORMAT, create_images
from diffuscope.results.place import Place
from diffuscope.results.pyramid import update_pyramid
from diffuscope.scans import Scan, read_region
from diffuscope.scans.region import resolved
from diffuscope.tiling.boxes import chunks
from diffuscope.tiling.plan import make_plan

KEY = "registered"
# Side of a block that is warped at once, px: a whole number of chunks.
_BLOCK = 1024
# The transform is evaluated at every so many px and interpolated between: a bend of 15 µm over 150 µm is off by
# less than 0.1 µm in between, and a block takes a tenth of the time.
_KNOT = 16
_GLASS = 255


def read_warped(
    moving: Scan, transform: Transform, *, mpp: float, y: int, x: int, height: int, width: int
) -> NDArray[np.uint8]:
    """Read a window of the moving slide, resampled into the fixed slide's frame.

    Of the moving slide only what lies under the window is read: at its own resolution, or where that is finer than
    the window's, at the window's. Between its pixels is interpolated linearly.

    Parameters
    ----------
    moving : Scan
        8-bit RGB, of known µm/px.
    transform : Transform
        From the fixed slide to the moving one.
    mpp : float
        µm per pixel of the window.
    y, x : int
        Place of the window in its pixels, from the fixed slide's upper left corner.
    height, width : int
        Its size.

    Returns
    -------
    ndarray of shape (height, width, 3)
        uint8; white where the moving slide shows nothing.
    """
    assert moving.mpp is not None
    factor = max(1.0, resolved(mpp * transform.scale / moving.mpp))
    place = _places(transform, mpp, (y, x), (height, width)) / (moving.mpp * factor) - 0.5
    out = np.full((height, width, 3), _GLASS, np.uint8)
    slide = np.array(moving.shape[::-1]) / factor
    low = np.maximum(np.floor(place.min(axis=(0, 1))), -1.0).astype(int)
    high = np.minimum(np.ceil(place.max(axis=(0, 1))) + 1, np.ceil(slide) + 1).astype(int)
    if (high <= low).any():
        return out
    (left, top), (right, bottom) = low, high
    block = read_region(moving, y=top, x=left, height=bottom - top, width=right - left, factor=factor, fill=_GLASS)
    at = (place[..., 1] - top, place[..., 0] - left)
    for channel in range(3):
        colour = block[..., channel].astype(np.float32)
        out[..., channel] = np.rint(ndimage.map_coordinates(colour, at, order=1, mode="constant", cval=_GLASS))
    return out


def write_warped(
    path: Path,
    moving: Scan,
    transform: Transform,
    *,
    fixed: Scan,
    record: Mapping[str, Any],
) -> Generator[Progress, None, None]:
    """Write the moving slide in the fixed slide's frame as a Diffuscope result: an OME-Zarr pyramid with a record.

    Block by block: the memory it takes does not depend on the slides.

    Parameters
    ----------
    path : Path
        Folder to write; must not exist.
    moving, fixed : Scan
        8-bit RGB, of known µm/px. The result has the fixed slide's size and µm/px.
    transform : Transform
        From the fixed slide to the moving one.
    record : mapping
        Its record, JSON.

    Yields
    ------
    Progress
        Blocks, before the first and after each.
    """
    assert fixed.mpp is not None
    height, width = fixed.shape
    mpp = fixed.mpp
    port = Raster(
        name=f"registered {moving.name}",
        key=KEY,
        kind="rgb",
        channels=("red", "green", "blue"),
        mpp=mpp,
        range=(0.0, 255.0),
        fill=_GLASS,
    )
    place = Place(window=(0, 0, height, width), factors=(1.0, 1.0), spacing=(mpp, mpp), origin=(0.0, 0.0))
    root = zarr.create_group(store=path, zarr_format=2)
    levels = create_images(root, (port,), shape=fixed.shape, spacing=place.spacing, origin=place.origin)[KEY]
    blocks, done = prod(ceil(side / _BLOCK) for side in fixed.shape), 0
    yield Progress(total=blocks, unit="blocks", what="Writing")
    for y in range(0, height, _BLOCK):
        rows = min(_BLOCK, height - y)
        for x in range(0, width, _BLOCK):
            columns = min(_BLOCK, width - x)
            pixels = read_warped(moving, transform, mpp=mpp, y=y, x=x, height=rows, width=columns)
            levels[0][:, y : y + rows, x : x + columns] = np.moveaxis(pixels, -1, 0)
            done += 1
            yield Progress(done=done, total=blocks, unit="blocks", what="Writing")
        update_pyramid(levels, chunks((y, 0, rows, width)))
    # beside the moving slide lies glass, which is part of the picture: through it the slide below would pass for it
    plan = make_plan(shape=fixed.shape, factors=(1.0, 1.0), tile=_BLOCK, overlap=0)
    keep_coverage(root, plan, plan.selected)
    about: dict[str, Any] = {
        "version": SLIDE_FORMAT,
        "complete": True,
        "done": blocks,
        "tiles": blocks,
        "ports": [asdict(port)],
        **place.to_json(),
        "record": dict(record),
    }
    root.attrs[ATTRS] = about


def _places(transform: Transform, mpp: float, corner: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Where the pixel centres of a window lie on the moving slide, (h, w, 2) of (x, y) µm."""
    (y, low_y), (x, low_x) = (_between(start, count) for start, count in zip(corner, shape, strict=True))
    # Knots lie at whole multiples, whatever the window, so that windows agree where they meet.
    knots = np.stack(np.meshgrid(low_x + np.arange(x.shape[1]), low_y + np.arange(y.shape[1])), axis=-1) * (_KNOT * mpp)
    at = transform.to_moving(knots)
    return np.stack([y @ at[..., i] @ x.T for i in (0, 1)], axis=-1)


def _between(start: int, count: int) -> tuple[NDArray[np.float64], int]:
    """Weights (count, knots) of linear interpolation at pixel centres, and the number of the first knot."""
    place = (np.arange(start, start + count) + 0.5) / _KNOT
    low = np.floor(place).astype(int)
    weights = np.zeros((count, low[-1] - low[0] + 2))
    row = np.arange(count)
    weights[row, low - low[0]] = 1 - (place - low)
    weights[row, low - low[0] + 1] = place - low
    return weights, int(low[0])
