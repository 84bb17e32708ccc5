"""Images of a result as napari slices them, kept in memory piece by piece so that the window need not wait for them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.results.coverage import Coverage, Covered, Watched
from diffuscope.results.layout import chunk_file
from diffuscope.scans.source import paste
from diffuscope.tiling.boxes import CHUNK

#: Pieces kept of one level: what a 4K screen shows, or 128 MiB.
_KEPT = 512


class Windowed(ABC):
    """What napari slices as an array, and what is read a window at a time.

    Attributes
    ----------
    shape : tuple of int
        (y, x), or (y, x, c).
    dtype : numpy.dtype
        Of its values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> NDArray[np.generic]:
        """Read a window: whole numbers and slices, as of any array.

        Raises
        ------
        IndexError
            One runs backwards, or is none of these.
        """
        rows, columns, *rest = whole_index(key, self.ndim)
        y, inside_y = span_of(rows, self.shape[0])
        x, inside_x = span_of(columns, self.shape[1])
        return np.asarray(self._window(y, x)[(inside_y, inside_x, *rest)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.generic]:
        """Read all of it."""
        return np.asarray(self[:], dtype=dtype)

    @abstractmethod
    def _window(self, rows: range, columns: range) -> NDArray[np.generic]:
        """Read all that some rows and columns have."""


class Level(Windowed):
    """One resolution level of one image of a result, read from disk a piece at a time.

    A piece that was asked for stays in memory until its file changes. Once somebody renews the level, only `renew`
    looks for that, and the window at no file. Reading goes past dask, whose threads would wait for a core while a job
    is at work.

    Parameters
    ----------
    array : zarr.Array
        (c, y, x) on disk.
    fill : float, optional
        Given for RGB: the colour of what was not computed; it becomes transparent, the image RGBA.
    coverage : Coverage, optional
        Which px were computed, of whatever value: of a map of floats the others become NaN, which napari does not draw.
        Where a result of before does not know, what has the colour `fill` counts as not computed, and a map is shown
        as it is.
    factor : int
        Px of the finest level per px of this one.
    shift : int
        Px, up to the size of a piece, by which `chunks` begin later than pieces. napari reads what came into sight up
        to the edges of chunks: of images that differ in it not all are read for one picture of a pan.

    Attributes
    ----------
    shape : tuple of int
        (y, x), or (y, x, 4) for RGB.
    coverage : Coverage or None
        See there.
    chunks : tuple of (int or tuple of int)
        Sizes of what is read at once along each axis, all of them where they differ.
    """

    def __init__(
        self,
        array: zarr.Array[Any],
        fill: float | None = None,
        *,
        coverage: Coverage | None = None,
        factor: int = 1,
        shift: int = 0,
    ) -> None:
        colours = () if fill is None else (4,)
        self.shape: tuple[int, ...] = (*array.shape[1:], *colours)
        self.dtype = np.dtype(array.dtype)
        self.chunks = (*(_cuts(side, shift) for side in array.shape[1:]), *colours)
        self._array = array
        self._fill = fill
        self.coverage, self._factors = coverage, (factor, factor)
        # whole numbers have no NaN
        self._is_cut = coverage is not None and (fill is not None or np.issubdtype(self.dtype, np.floating))
        self._watched = Watched(coverage) if coverage is not None and self._is_cut else None
        # the stamp of the file that each was read from, and the pixels; (None, None) where there was no file
        self._pieces: OrderedDict[tuple[int, int], tuple[Any, NDArray[np.generic] | None]] = OrderedDict()
        self._lock = threading.Lock()
        self._is_renewed = False

    @property
    def whole(self) -> Level:
        """As it is on disk: of a map, what was not computed has the value that files give it."""
        return self if self._fill is not None or not self._is_cut else Level(self._array)

    def renew(self) -> None:
        """Read again every kept piece that changed on disk, so that the window will not have to. From any thread."""
        self._is_renewed = True
        with self._lock:
            kept = list(self._pieces)
        for piece in kept:
            self._piece(piece)

    def _window(self, rows: range, columns: range) -> NDArray[np.generic]:
        background = 0 if self._fill is not None else np.nan if self._is_cut else self._array.fill_value
        out = np.full((len(rows), len(columns), *self.shape[2:]), background, self.dtype)
        for cy, cx in _pieces(rows, columns):
            pixels = self._kept((cy, cx)) if self._is_renewed else self._piece((cy, cx))
            if pixels is not None:
                paste(out, pixels, cy * CHUNK - rows.start, cx * CHUNK - columns.start)
        return out

    def _kept(self, piece: tuple[int, int]) -> NDArray[np.generic] | None:
        """Return a piece as it was when somebody looked last; one that was never asked for is looked for."""
        with self._lock:
            if piece in self._pieces:
                self._pieces.move_to_end(piece)
                return self._pieces[piece][1]
        return self._piece(piece)

    def _piece(self, piece: tuple[int, int]) -> NDArray[np.generic] | None:
        stamp = self._stamp(piece)
        with self._lock:
            kept, pixels = self._pieces.get(piece, (None, None))
        if kept != stamp:
            pixels = self._read(piece)
        with self._lock:
            self._pieces[piece] = (stamp, pixels)
            self._pieces.move_to_end(piece)
            while len(self._pieces) > _KEPT:
                self._pieces.popitem(last=False)
        return pixels

    def _stamp(self, piece: tuple[int, int]) -> Any:
        """Return what changes whenever a piece does; None where there is nothing of it."""
        file = _file_stamp(chunk_file(self._array, piece))
        covered = self._now_covered()
        if covered is None:
            return file
        # nothing but white has no file, and is there all the same
        count = covered.count(self._spans(piece), self._factors)
        return (file, count) if count else None

    def _read(self, piece: tuple[int, int]) -> NDArray[np.generic]:
        block = _read_piece(self._array, piece)
        if self._fill is not None:
            return self._with_alpha(block, piece)
        covered = self._now_covered()
        if covered is None:
            return block[..., 0]
        return np.where(covered.mask(self._spans(piece), self._factors), block[..., 0], self.dtype.type(np.nan))

    def _with_alpha(self, block: NDArray[np.generic], piece: tuple[int, int]) -> NDArray[np.generic]:
        """Return RGB as RGBA, transparent where nothing was computed."""
        covered = self._now_covered()
        seen = (
            (block != self._fill).any(axis=-1) if covered is None else covered.mask(self._spans(piece), self._factors)
        )
        return np.concatenate([block, np.where(seen, np.uint8(255), np.uint8(0))[..., None]], axis=-1)

    def _now_covered(self) -> Covered | None:
        """Return what was computed as of now; None where that is told by colour, or cannot be shown."""
        return self._watched.now() if self._watched is not None else None

    def _spans(self, piece: tuple[int, int]) -> list[range]:
        """Return the rows and columns of a piece."""
        return [range(i * CHUNK, min((i + 1) * CHUNK, side)) for i, side in zip(piece, self.shape[:2], strict=True)]


class MultiplexLevel(Level):
    """One resolution level of the virtual multiplex, computed from the stains' levels a piece at a time.

    Parameters
    ----------
    stains : sequence of (zarr.Array, zarr.Array)
        Of each stain its colour image (3, y, x) and its DAB (1, y, x), on disk.
    fill : float
        Colour of what was not computed; what the first stain does not have is transparent.
    coverage, factor, shift
        As of `Level`.
    """

    def __init__(
        self,
        stains: Sequence[tuple[zarr.Array[Any], zarr.Array[Any]]],
        fill: float,
        *,
        coverage: Coverage | None = None,
        factor: int = 1,
        shift: int = 0,
    ) -> None:
        super().__init__(stains[0][0], fill, coverage=coverage, factor=factor, shift=shift)
        self._stains = stains

    def _stamp(self, piece: tuple[int, int]) -> Any:
        first = super()._stamp(piece)
        # a map that is 0 throughout has no file either
        others = [_file_stamp(chunk_file(array, piece)) for stain in self._stains for array in stain]
        return None if first is None else [first, *others]

    def _read(self, piece: tuple[int, int]) -> NDArray[np.generic]:
        from diffuscope.stains.multiplex import multiplex

        images = [np.asarray(_read_piece(image, piece), np.uint8) for image, _ in self._stains]
        dabs = [np.asarray(_read_piece(dab, piece)[..., 0], np.float32) for _, dab in self._stains]
        alpha = self._with_alpha(images[0], piece)[..., 3:]
        return np.concatenate([multiplex(images, dabs), alpha], axis=-1)


def _read_piece(array: zarr.Array[Any], piece: tuple[int, int]) -> NDArray[np.generic]:
    """Read a piece (y, x, c) of a level (c, y, x)."""
    y, x = piece[0] * CHUNK, piece[1] * CHUNK
    return np.moveaxis(np.asarray(array[:, y : y + CHUNK, x : x + CHUNK]), 0, -1)


def _file_stamp(file: Path) -> tuple[int, int] | None:
    """Return what changes whenever a chunk is written (zarr puts a new file in its place); None where there is none."""
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino


def whole_index(key: Any, ndim: int) -> list[Any]:
    """Return an index of an array with a part for each of its axes."""
    parts = list(key) if isinstance(key, tuple) else [key]
    at = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    return [*parts[:at], *[slice(None)] * (ndim - len(parts) + (at < len(parts))), *parts[at + 1 :]]


def span_of(part: Any, side: int) -> tuple[range, Any]:
    """Return the rows or columns to read for one index, and the index among them."""
    if isinstance(part, slice):
        start, stop, step = part.indices(side)
        if step < 1:
            raise IndexError("an image is read forwards only")
        return range(start, max(start, stop)), slice(None, None, step)
    at = range(side)[part]
    return range(at, at + 1), 0


def _cuts(side: int, shift: int) -> int | tuple[int, ...]:
    """Return the size of pieces, or the sizes of what lies between cuts that are so many px behind theirs."""
    if not shift:
        return CHUNK
    cuts = [0, *range(shift, side, CHUNK), side]
    return tuple(after - before for before, after in pairwise(cuts))


def _pieces(rows: range, columns: range) -> Iterator[tuple[int, int]]:
    """Return (cy, cx) of the pieces that a window touches."""
    return product(_indices(rows), _indices(columns))


def _indices(span: range) -> range:
    return range(span.start // CHUNK, -(-span.stop // CHUNK)) if len(span) else range(0)
