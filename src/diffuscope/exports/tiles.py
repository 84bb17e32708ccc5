"""The tiles of a slide's image in the order of a file, read and coded side by side while those before are written."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.exports.table import MULTIPLEX
from diffuscope.results.chunks import read_chunk
from diffuscope.results.layout import open_images
from diffuscope.scans.region import in_memory
from diffuscope.tiling.boxes import CHUNK

if TYPE_CHECKING:
    import dask.array as da

    from diffuscope.results.result import Result

#: Side of a tile, px: a tile is a chunk of the result.
TILE = CHUNK

# Of what is computed where it is read, tiles at once: that has a fixed cost, and 64 of three channels are 13 MB.
_AT_ONCE = 64
# Tiles under way or waiting to be written: enough for all threads, 25 to 32 MB.
_AHEAD = 128

Tile = NDArray[Any]
T = TypeVar("T")


def stored_images(result: Result) -> dict[str, list[zarr.Array[Any]]]:
    """Return the levels that lie on disk, by port; none of what is computed where it is read, as the multiplex."""
    if any(port.key == MULTIPLEX for port in result.ports):
        return {}
    return open_images(zarr.open_group(result.path, mode="r", zarr_format=2), result.ports)


def tiles(
    level: da.Array,
    code: Callable[[Tile], T],
    *,
    planar: bool,
    fill: float | None,
    stored: zarr.Array[Any] | None = None,
) -> Iterator[T]:
    """Yield what `code` makes of each tile of one level, in the order of the file.

    Parameters
    ----------
    level : dask array (y, x, c)
        One level.
    code : callable
        Takes a tile, contiguous, in one of several threads.
    planar : bool
        One plane per channel, each (256, 256) a tile; else (256, 256, c) with the channels together.
    fill : float or None
        Value beyond the image's edge, where tiles are whole but the image is not; None repeats the image's last px, so
        that a compression that loses something has no edge to draw.
    stored : zarr.Array (c, y, x), optional
        Where the level lies on disk: read without dask, which takes as long as reading does.
    """
    for channel in range(level.shape[2]) if planar else (slice(None),):
        found = _from_disk(stored, channel, fill) if stored is not None else _computed(level, channel, fill)
        yield from _ahead(found, code)


def _ahead(found: Iterator[Callable[[], Tile]], code: Callable[[Tile], T]) -> Iterator[T]:
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(os.cpu_count(), "diffuscope-tile") as threads:
        for read in found:
            waiting.append(threads.submit(lambda read: code(read()), read))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _from_disk(stored: zarr.Array[Any], channel: int | slice, fill: float | None) -> Iterator[Callable[[], Tile]]:
    """Yield what reads each tile of what lies on disk, from its chunk."""
    height, width = stored.shape[1:]

    def read(down: int, across: int) -> Tile:
        planes = read_chunk(stored, (down, across))[:, : height - down * TILE, : width - across * TILE]
        if isinstance(channel, int):
            return _whole(planes[channel], fill)
        joined = np.empty((*planes.shape[1:], len(planes)), planes.dtype)
        # Plane by plane: four times as fast as numpy turns the axes.
        for number, plane in enumerate(planes):
            joined[..., number] = plane
        return _whole(joined, fill)

    for place in product(range(-(-height // TILE)), range(-(-width // TILE))):
        yield partial(read, *place)


def _computed(level: da.Array, channel: int | slice, fill: float | None) -> Iterator[Callable[[], Tile]]:
    """Yield what gives each tile of what is computed where it is read, which is done here, some tiles at a time."""
    height, width, _ = level.shape
    for y in range(0, height, TILE):
        for left in range(0, width, _AT_ONCE * TILE):
            window = level[y : y + TILE, left : left + _AT_ONCE * TILE, channel]
            strip = in_memory(window)
            for x in range(0, strip.shape[1], TILE):
                yield partial(_whole, strip[:, x : x + TILE], fill)


def _whole(inner: Tile, fill: float | None) -> Tile:
    """Return a tile of its full size, `fill` where the image ends before it."""
    if inner.shape[:2] == (TILE, TILE):
        return np.ascontiguousarray(inner)
    if fill is None:
        return np.pad(inner, [(0, TILE - side) for side in inner.shape[:2]] + [(0, 0)] * (inner.ndim - 2), "edge")
    block = np.full((TILE, TILE, *inner.shape[2:]), fill, dtype=inner.dtype)
    block[: inner.shape[0], : inner.shape[1]] = inner
    return block
