"""Windows of a scan at any resolution, the same pixel whatever window it is read in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from dask.local import get_sync
from numpy.typing import NDArray
from scipy import sparse

from diffuscope.errors import InputError
from diffuscope.scans.source import as_dtype

if TYPE_CHECKING:
    from diffuscope.scans.scan import Scan

# A slide whose µm/px is this close to the model's is taken as it is: resampling by a few per cent only blurs.
SAME_RESOLUTION = 0.05

# Two factors that differ by less are one: float arithmetic on µm/px leaves 1e-16.
EQUAL = 1e-9


class UnknownMppError(InputError):
    """A picture does not say its µm/px.

    Parameters
    ----------
    name : str
        Of the picture.
    way_out : str
        Where its µm/px can be given, as whoever was asked calls it.
    """

    def __init__(self, name: str, way_out: str = "give it with --mpp (in the dock: µm/px)") -> None:
        super().__init__(f"{name} does not say its µm/px; {way_out}.")
        self.name, self.way_out = name, way_out

    def __reduce__(self) -> tuple[type[UnknownMppError], tuple[str, str]]:
        """Return what another process makes the same of."""
        return type(self), (self.name, self.way_out)


class Resolved(Protocol):
    """Anything with a name and a µm/px: a `Scan`, or what stands for one."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def mpp(self) -> float | None:
        """µm per level-0 pixel."""
        ...


def resampling_factor(scan: Resolved, mpp: float) -> float:
    """Level-0 pixels of `scan` per pixel of `mpp` µm.

    Parameters
    ----------
    scan : Scan
        Or anything else that has `name` and `mpp`.
    mpp : float
        Wanted µm/px.

    Returns
    -------
    float
        Exactly 1.0 when both differ by 5 % or less.

    Raises
    ------
    UnknownMppError
        When the scan's µm/px is not known.
    """
    if scan.mpp is None:
        raise UnknownMppError(scan.name)
    return resolved(mpp / scan.mpp)


def resolved(factor: float) -> float:
    """Return exactly 1.0 for a factor that differs from it by 5 % or less, any other as it is."""
    return 1.0 if abs(factor - 1) <= SAME_RESOLUTION + EQUAL else factor


def read_region(scan: Scan, *, y: int, x: int, height: int, width: int, factor: float, fill: float = 255) -> np.ndarray:
    """Read a window of the scan resampled by `factor`.

    Pixel (i, j) of the window is pixel (y + i, x + j) of a grid that starts at the slide's origin and whose pixels are
    `factor` level-0 pixels wide: the mean over [(y + i)·factor, (y + i + 1)·factor) and likewise along x, taken from
    the next finer level. At the slide's edge it is the mean over what lies on the slide. A factor of 1 gives the raw
    pixels, one below 1 linear interpolation between pixel centres.

    Every pixel is computed from its place on the slide alone and its terms are summed in one order, so that it is the
    same to the last bit in every window. Safe to call from several threads.

    Parameters
    ----------
    scan : Scan
    y, x : int
        Place of the window in pixels of the resampled grid; may lie outside the slide.
    height, width : int
        Size of the window in these pixels.
    factor : float
        Level-0 pixels per pixel, > 0.
    fill : float
        Value of pixels that lie wholly outside the slide.

    Returns
    -------
    numpy.ndarray
        (height, width, c), the scan's dtype; integers are rounded once, to nearest.
    """
    number = _level_for(scan, factor)
    level = scan.grids[number]
    ratio = factor / scan.downsamples[number]
    rows = Axis(y, height, factor, ratio, scan.shape[0], level.shape[0])
    columns = Axis(x, width, factor, ratio, scan.shape[1], level.shape[1])
    out = np.full((height, width, level.shape[2]), fill, dtype=scan.dtype)
    if rows.count <= 0 or columns.count <= 0:
        return out
    pixels = _pixels(scan, number, rows.span, columns.span)
    if not (abs(ratio - 1) < EQUAL and rows.raw and columns.raw):
        pixels = _resample(pixels, rows, columns)
    out[rows.place, columns.place] = pixels
    return out


def _level_for(scan: Scan, factor: float) -> int:
    """Number of the coarsest level that is not coarser than the wanted pixel."""
    fine_enough = [i for i, down in enumerate(scan.downsamples) if down <= factor * (1 + EQUAL)]
    return max(fine_enough, default=0)


class Axis:
    """Along one axis: which pixels of the window lie on the slide and which level pixels they are made of."""

    def __init__(self, start: int, count: int, factor: float, ratio: float, slide: int, level: int) -> None:
        end = math.ceil(slide / factor * (1 - EQUAL))  # pixels of the grid that touch the slide
        self.first = max(start, 0)
        self.count = min(start + count, end) - self.first
        self.place = slice(self.first - start, self.first - start + self.count)
        self._ratio = ratio
        self._level = level
        self._linear = ratio < 1 - EQUAL
        if self.count > 0:
            low = self.bounds(np.array([self.first]))[0][0]
            high = self.bounds(np.array([self.first + self.count - 1]))[1][0]
            self.span = (int(low), int(high))
            self.raw = self.span == (self.first, self.first + self.count)

    def bounds(self, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First level pixel of each grid pixel, and one past the last."""
        if self._linear:
            centre = np.floor((number + 0.5) * self._ratio - 0.5).astype(np.int64)
            return np.clip(centre, 0, self._level - 1), np.clip(centre + 1, 0, self._level - 1) + 1
        low, high = self._edges(number)
        first = np.floor(low + EQUAL).astype(np.int64)
        return first, np.maximum(np.ceil(high - EQUAL).astype(np.int64), first + 1)

    def _edges(self, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # A level can end up to a pixel before the slide does: what is made of nothing else takes its last pixel.
        low = np.clip(number * self._ratio, 0, self._level - 1)
        return low, np.clip((number + 1) * self._ratio, low + EQUAL, self._level)

    def weights(self) -> tuple[sparse.csr_array, np.ndarray]:
        """Matrix (count, level pixels of `span`) of overlaps, and its rows' sums: functions of absolute places only."""
        number = np.arange(self.first, self.first + self.count)
        low, high = self.bounds(number)
        most = int((high - low).max())
        pixel = low[:, None] + np.arange(most)[None, :]
        if self._linear:
            centre = (number + 0.5) * self._ratio - 0.5
            part = (centre - np.floor(centre))[:, None]
            weight = np.concatenate([1 - part, part], axis=1)
            # At the edge both neighbours are the edge pixel.
            weight = np.where(high - low == 1, 1.0, weight.T).T[:, :most]
        else:
            left, right = self._edges(number)
            weight = np.minimum(right[:, None], pixel + 1) - np.maximum(left[:, None], pixel)
        used = (pixel < high[:, None]) & (weight > 0)
        row = np.broadcast_to(np.arange(self.count)[:, None], used.shape)
        shape = (self.count, self.span[1] - self.span[0])
        matrix = sparse.coo_array((weight[used], (row[used], pixel[used] - self.span[0])), shape=shape).tocsr()
        matrix.sort_indices()
        return matrix, np.where(used, weight, 0.0).sum(axis=1)


def _resample(pixels: np.ndarray, rows: Axis, columns: Axis) -> np.ndarray:
    down, sum_down = rows.weights()
    across, sum_across = columns.weights()
    channels = pixels.shape[2]
    # In float64; the product with a sparse row adds its terms one after the other, whatever the window.
    half = down @ pixels.astype(np.float64).reshape(pixels.shape[0], -1)
    half = half.reshape(rows.count, pixels.shape[1], channels).transpose(1, 0, 2).reshape(pixels.shape[1], -1)
    full = (across @ half).reshape(columns.count, rows.count, channels).transpose(1, 0, 2)
    return as_dtype(full / (sum_down[:, None, None] * sum_across[None, :, None]), pixels.dtype)


def _pixels(scan: Scan, number: int, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    if scan.sources:
        return scan.sources[number].read(*rows, *columns)
    return in_memory(scan.levels[number][slice(*rows), slice(*columns)])


def in_memory(lazy: Any) -> NDArray[Any]:
    """Return the values of a dask array, read in this thread.

    Called by its name, or not at all, any scheduler of dask has `distributed` imported: a third of a second, once a
    process.
    """
    return np.asarray(lazy.compute(scheduler=get_sync))
