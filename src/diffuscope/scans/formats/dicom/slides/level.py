"""One level of a DICOM slide, decoded tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.slides.frames import NATIVE, read_frame, unpack
from diffuscope.scans.formats.dicom.slides.instance import Instance
from diffuscope.scans.formats.tiff_colour import ycbcr_to_rgb
from diffuscope.scans.source import Blank, Cache, Source, paste


class DicomLevel(Source):
    """The files of one size, one optical path or more, as one (y, x, c) level.

    Parameters
    ----------
    parts : sequence of Instance
        The file, or those that hold the frames of one image one after the other.
    cache : Cache
        Where decoded tiles are kept.

    Raises
    ------
    InputError
        There are other tiles than the image needs, or they do not lie side by side.
    """

    def __init__(self, parts: Sequence[Instance], cache: Cache) -> None:
        first = parts[0]
        self._kind, self._cache, self._name = first, cache, first.path.name
        self._parts = [part.frames for part in parts]
        ends = np.cumsum([len(part.starts) for part in self._parts])
        self._ends = ends
        grid = _grid(parts, int(ends[-1]))
        if first.samples == 3:
            grid = grid[:1]
        self._grids = list(grid)
        self._empty = 255.0 if first.samples == 3 else 0.0
        channels = first.samples if first.samples == 3 else len(self._grids)
        super().__init__((*first.shape, channels), np.uint8 if first.bits == 8 else np.uint16, first.tile)
        self._blank = Blank(np.asarray((grid >= 0).any(axis=0)), first.tile)

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        out = np.empty((y1 - y0, x1 - x0, self.shape[2]), dtype=self.dtype)
        height, width = self._kind.tile
        for top in range(y0 // height * height, y1, height):
            for left in range(x0 // width * width, x1, width):
                piece = self._cache.get((id(self), top, left), partial(self._chunk, top, left))
                paste(out, piece, top - y0, left - x0)
        return out

    def blank(self, y0: int, y1: int, x0: int, x1: int) -> float | None:
        """As in `Source`: tiles that were never stored."""
        return self._empty if self._blank.is_blank(y0, y1, x0, x1) else None

    def channel(self, number: int, cache: Cache) -> Source:
        """As in `Source`: each optical path has frames of its own."""
        if self._kind.samples == 3:
            return super().channel(number, cache)
        one = copy(self)
        one._grids, one._cache = [self._grids[number]], cache  # noqa: SLF001  a copy of its own
        one.shape = (*self.shape[:2], 1)
        one._blank = Blank(self._grids[number] >= 0, self._kind.tile)  # noqa: SLF001
        return one

    def _chunk(self, top: int, left: int) -> np.ndarray:
        """One tile of all optical paths, as far as it lies on the image."""
        (rows, columns), samples = self._kind.tile, self._kind.samples
        height, width = min(rows, self.shape[0] - top), min(columns, self.shape[1] - left)
        out = np.full((height, width, self.shape[2]), self._empty, self.dtype)
        for number, grid in enumerate(self._grids):
            frame = int(grid[top // rows, left // columns])
            pixels = self._frame(frame) if frame >= 0 else None
            if pixels is not None:
                out[..., number * samples : (number + 1) * samples] = pixels[:height, :width]
        return out

    def _frame(self, number: int) -> NDArray[Any] | None:
        """Return a frame, (rows, columns, samples); None where nothing is stored of it."""
        part = int(np.searchsorted(self._ends, number, side="right"))
        frames = self._parts[part]
        number -= int(self._ends[part]) - len(frames.starts)
        kind, shape = self._kind, (*self._kind.tile, self._kind.samples)
        is_native = kind.syntax in NATIVE
        try:
            data = read_frame(frames, number, is_native=is_native)
            if not data:
                return None
            if not is_native:
                return unpack(data, shape, kind.bits, kind.syntax, kind.photometric)
            stored = np.frombuffer(data, f"<u{kind.bits // 8}")
            pixels = (
                stored.reshape(shape[2], *shape[:2]).transpose(1, 2, 0) if kind.is_planar else stored.reshape(shape)
            )
        except Exception as error:  # decoders raise what they like on a damaged tile
            why = str(error) if type(error) is ValueError else type(error).__name__
            raise InputError(
                f"{frames.path.name} has a tile that cannot be read ({why}); copy or download it again."
            ) from error
        return ycbcr_to_rgb(pixels) if kind.photometric == "YBR_FULL" else pixels


def _grid(parts: Sequence[Instance], count: int) -> NDArray[np.int64]:
    """Return the number of the frame of each tile, (optical paths, rows, columns); -1 where there is none."""
    first, name = parts[0], parts[0].path.name
    down, across = (-(-side // piece) for side, piece in zip(first.shape, first.tile, strict=True))
    tiles = down * across
    paths, planes = (len(first.paths), first.focal_planes) if count != tiles else (1, 1)
    if any(part.places is not None for part in parts):
        return _sparse(parts, (len(first.paths), down, across), name)
    if count != tiles * paths * planes:
        raise InputError(f"{name} has {count} tiles of {tiles * paths * planes}: others of its files may be missing.")
    order = np.arange(count, dtype=np.int64).reshape(paths, planes, down, across)
    return order[:, planes // 2]


def _sparse(parts: Sequence[Instance], shape: tuple[int, int, int], name: str) -> NDArray[np.int64]:
    grid = np.full(shape, -1, np.int64)
    before = 0
    for part in parts:
        if part.places is None:
            raise InputError(f"{name} does not say where each tile lies: export the slide again.")
        used = np.flatnonzero(part.places[:, 1] >= 0)
        path, row, column = part.places[used].T
        height, width = part.tile
        if (row % height).any() or (column % width).any():
            raise InputError(f"{name} has tiles that overlap, which are not read: export it as TILED_FULL.")
        at = path, row // height, column // width
        if (at[1] >= shape[1]).any() or (at[2] >= shape[2]).any():
            raise InputError(f"{name} has tiles outside of its image: export the slide again.")
        grid[at] = used + before
        before += len(part.frames.starts)
    return grid
