"""Sources: one resolution level each, of which any window can be read, safely from several threads."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, overload

import dask.array as da
import numpy as np

# A pyramid is continued until its longer side is at most this, so that an overview costs little.
COARSEST_SIDE = 1024

# Chunks of levels that no file dictates; a picture of this side decodes or shrinks within one screen refresh.
CHUNK_SIDE = 512

# Rows at a time of what is computed in float64.
_BAND = 256


class Source(ABC):
    """One level of an image, (y, x, c), read window by window.

    Attributes
    ----------
    shape : tuple of int
        (height, width, channels) in pixels of this level.
    dtype : numpy.dtype
        In native byte order.
    chunks : tuple of int
        (height, width) in which reading is cheapest: the file's own tiles.
    """

    ndim = 3

    def __init__(self, shape: tuple[int, int, int], dtype: Any, chunks: tuple[int, int]) -> None:
        self.shape = tuple(int(side) for side in shape)
        self.dtype = np.dtype(dtype).newbyteorder("=")
        self.chunks = (min(int(chunks[0]), self.shape[0]), min(int(chunks[1]), self.shape[1]))

    @abstractmethod
    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """Pixels [y0, y1) × [x0, x1), which lie inside the level, as (y1 - y0, x1 - x0, c)."""

    def blank(self, y0: int, y1: int, x0: int, x1: int) -> float | None:  # noqa: ARG002  for levels that know
        """Value of all pixels of a window of which nothing is stored, known without reading; None where it is not.

        What an overview of a huge slide is made of is mostly such: a sparse one is looked at in no time.
        """
        return None

    def channel(self, number: int, cache: Cache) -> Source:  # noqa: ARG002  for levels that decode
        """Return one channel of the level as a level of its own, which reads no other where the file allows it.

        Parameters
        ----------
        number : int
            Of the channel, from 0.
        cache : Cache
            Where the new level keeps what it decodes.
        """
        return OneChannel(self, number)

    def labels(self) -> Source:
        """Return the level as a mask has it: 0 outside, and where it is transparent; of a palette its numbers."""
        return self

    def __getitem__(self, key: tuple[slice, slice, slice]) -> np.ndarray:
        """What dask asks for: slices of step 1."""
        (y0, y1, _), (x0, x1, _) = (part.indices(side) for part, side in zip(key[:2], self.shape[:2], strict=True))
        return self.read(y0, y1, x0, x1)[..., key[2]]

    def to_dask(self) -> da.Array:
        """The level as a dask array whose chunks are `chunks`; nothing is read before it is computed."""
        # The name is random on purpose: dask would otherwise hash the source, and two slides must never share chunks.
        return da.from_array(
            self,
            chunks=(*self.chunks, self.shape[2]),
            name=False,
            asarray=False,
            meta=np.empty((0, 0, 0), dtype=self.dtype),
        )


class Levels(Sequence[da.Array]):
    """Levels as dask arrays, each made when first asked for: a quarter of the time that a small picture takes.

    Parameters
    ----------
    sources : sequence of Source
        The levels.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self._made: dict[int, da.Array] = {}

    def __len__(self) -> int:
        return len(self._sources)

    @overload
    def __getitem__(self, number: int) -> da.Array: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[da.Array]: ...
    def __getitem__(self, number: int | slice) -> da.Array | Sequence[da.Array]:
        """A level, the same array each time; or some of them."""
        if isinstance(number, slice):
            return [self[one] for one in range(len(self))[number]]
        at = range(len(self))[number]
        if at not in self._made:
            self._made[at] = self._sources[at].to_dask()
        return self._made[at]


class Cache:
    """The pieces decoded last, up to a number of bytes, shared by the levels of one file.

    Neighbouring windows share tiles, and decoding one (JPEG 2000: about 10 ms) costs far more than keeping it.
    """

    def __init__(self, max_bytes: int = 64 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._held: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The piece called `key`, made by `make` unless it is held; to be read only."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        piece = make()  # outside the lock: two threads may decode one tile twice, none waits for another's
        with self._lock:
            if key not in self._held and piece.nbytes <= self._max_bytes:
                self._held[key] = piece
                self._bytes += piece.nbytes
                while self._bytes > self._max_bytes:
                    self._bytes -= self._held.popitem(last=False)[1].nbytes
        return piece


class Blank:
    """Which windows of a level hold nothing that is stored.

    Parameters
    ----------
    there : ndarray of bool, (rows, columns)
        Which pieces are stored.
    shape : tuple of int
        (height, width) of a piece, px.
    """

    def __init__(self, there: np.ndarray, shape: tuple[int, int]) -> None:
        self._shape = shape
        # Sums over all pieces above and left, by which any window's number of stored pieces is four look-ups.
        self._sums = None if there.all() else np.pad(there.cumsum(0, np.int32).cumsum(1, np.int32), ((1, 0), (1, 0)))

    def is_blank(self, y0: int, y1: int, x0: int, x1: int) -> bool:
        """Whether no piece that a window touches is stored."""
        if self._sums is None:
            return False
        height, width = self._shape
        top, bottom, left, right = y0 // height, -(-y1 // height), x0 // width, -(-x1 // width)
        sums = self._sums
        return bool(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left] == 0)


class OneChannel(Source):
    """One channel of a level whose channels lie together in the file and are decoded together."""

    def __init__(self, whole: Source, number: int) -> None:
        super().__init__((whole.shape[0], whole.shape[1], 1), whole.dtype, whole.chunks)
        self._whole, self._number = whole, number

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        return self._whole.read(y0, y1, x0, x1)[..., self._number, np.newaxis]

    def blank(self, y0: int, y1: int, x0: int, x1: int) -> float | None:
        """As in `Source`."""
        return self._whole.blank(y0, y1, x0, x1)


class Halved(Source):
    """A level at half the resolution of another one: means of 2×2 pixels, of what there is of them at odd edges."""

    def __init__(self, finer: Source, cache: Cache) -> None:
        height, width, channels = finer.shape
        super().__init__(((height + 1) // 2, (width + 1) // 2, channels), finer.dtype, (CHUNK_SIDE, CHUNK_SIDE))
        self._finer = finer
        self._cache = cache

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        out = np.empty((y1 - y0, x1 - x0, self.shape[2]), dtype=self.dtype)
        ch, cw = self.chunks
        for top in range(y0 // ch * ch, y1, ch):
            for left in range(x0 // cw * cw, x1, cw):
                piece = self._cache.get((id(self), top, left), partial(self._chunk, top, left))
                paste(out, piece, top - y0, left - x0)
        return out

    def channel(self, number: int, cache: Cache) -> Source:
        """As in `Source`."""
        return Halved(self._finer.channel(number, cache), cache)

    def blank(self, y0: int, y1: int, x0: int, x1: int) -> float | None:
        """As in `Source`."""
        height, width = self._finer.shape[:2]
        return self._finer.blank(2 * y0, min(2 * y1, height), 2 * x0, min(2 * x1, width))

    def _chunk(self, top: int, left: int) -> np.ndarray:
        bottom, right = min(top + self.chunks[0], self.shape[0]), min(left + self.chunks[1], self.shape[1])
        value = self.blank(top, bottom, left, right)
        if value is not None:
            return np.full((bottom - top, right - left, self.shape[2]), value, self.dtype)
        height, width = self._finer.shape[:2]
        return halve(self._finer.read(2 * top, min(2 * bottom, height), 2 * left, min(2 * right, width)))


def halve(pixels: np.ndarray) -> np.ndarray:
    """Means of 2×2 pixels; an odd last row or column is averaged with itself. Integers are rounded to nearest, once."""
    pad = [(0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)]
    full = np.pad(pixels, pad, mode="edge") if any(after for _, after in pad) else pixels
    # Sums of four 8- and 16-bit integers fit twice as many bits exactly.
    wide = {"u1": np.uint16, "u2": np.uint32}.get(full.dtype.str[1:], np.float64)
    sums = full[0::2].astype(wide) + full[1::2]
    sums = sums[:, 0::2] + sums[:, 1::2]
    if wide is np.float64:
        return as_dtype(sums / 4, pixels.dtype)
    # A half goes to the even neighbour, as by `as_dtype`, in a quarter of its time.
    return ((sums + 1 + (sums >> 2 & 1)) >> 2).astype(pixels.dtype)


def as_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Float values as `dtype`: integers are rounded to nearest (halves to even) and clipped to what they can hold.

    Values that are of it already are returned as they are.
    """
    if values.dtype == dtype:
        return values
    if dtype.kind not in "ui":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def paste(out: np.ndarray, piece: np.ndarray, y: int, x: int) -> None:
    """Put `piece` into `out` with its first pixel at (y, x); what falls outside is left off."""
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + piece.shape[0], out.shape[0]), min(x + piece.shape[1], out.shape[1])
    if bottom > top and right > left:
        out[top:bottom, left:right] = piece[top - y : bottom - y, left - x : right - x]


def over_white(pixels: np.ndarray, *, premultiplied: bool = False) -> np.ndarray:
    """Composite colour with an alpha channel, last axis, over white.

    Parameters
    ----------
    pixels : numpy.ndarray
        (..., c + 1), unsigned integers or floats in 0–1; the last channel is alpha.
    premultiplied : bool
        Whether the colour is already multiplied by alpha (TIFF's "associated" alpha).

    Returns
    -------
    numpy.ndarray
        (..., c), same dtype.
    """
    white = float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind in "ui" else 1.0
    out = np.empty((*pixels.shape[:-1], pixels.shape[-1] - 1), pixels.dtype)
    for top in range(0, len(pixels), _BAND):  # float64 of a whole picture would need eight times its memory
        colour = pixels[top : top + _BAND, ..., :-1].astype(np.float64)
        alpha = pixels[top : top + _BAND, ..., -1:].astype(np.float64) / white
        mixed = (colour if premultiplied else colour * alpha) + (1 - alpha) * white
        out[top : top + _BAND] = as_dtype(mixed, pixels.dtype)
    return out
