"""Where something is, of a fluorescence slide or a volume: what is brighter than the empty background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.scans.mask import Foreground
from diffuscope.scans.morphology import closed, filled, holes, without_specks
from diffuscope.scans.region import read_region
from diffuscope.scans.tissue import coarse_grid

if TYPE_CHECKING:
    from diffuscope.scans.scan import Scan
    from diffuscope.scans.volume import Volume

# Level-0 px, as in `diffuscope.scans.tissue`: smoothed by; gaps closed up to twice this; specks dropped and holes
# filled below this side.
_SMOOTH, _CLOSE, _SPECK, _HOLE = 8, 48, 32, 192
# A slide of at most so many px is looked at whole.
_FIELD = 2**24
# Bytes of a slide's channels that are looked at together.
_TOGETHER = 2**27
# A volume's mask has at most so many voxels: a slice is looked at every n-th row and column.
_VOXELS = 2**24
# Parts of a volume's foreground smaller than this share of the largest are noise in the air, or the couch's edge.
_SMALL = 0.01
# Percentiles between which a channel is normalised before channels are added up.
_CUT = (0.5, 99.5)


def slide_foreground(scans: Sequence[Scan]) -> Foreground:
    """Find what a fluorescence slide shows, on a level of at most 1024 px.

    The channels, each normalised by its own percentiles, are added up and smoothed; foreground is what lies above the
    lower of two thresholds, Otsu's and the triangle's, which differ where background or tissue is rare. Gaps up to
    96 px are closed, small holes filled, specks dropped. Where all pixels are the same everything is foreground.

    Parameters
    ----------
    scans : sequence of Scan
        The channels that count; all of one size.
    """
    down, height, width = coarse_grid(scans[0])
    total = np.zeros((height, width))
    for scan in scans:
        for part in _parts(scan):
            for channel in np.moveaxis(_coarse(part, down, height, width), -1, 0):
                total += _normalised(channel)
    bright = _above(ndimage.gaussian_filter(total, _SMOOTH / down))
    mask = without_specks(closed(bright, _CLOSE / down), _SPECK / down)
    return Foreground(mask | holes(mask, _HOLE / down), down)


def volume_foreground(volumes: Sequence[Volume], ranges: Sequence[tuple[float, float] | None]) -> Foreground:
    """Find the patient in a volume: what is brighter than air.

    As `slide_foreground`, but every slice stays: a threshold for the whole volume, and of the connected parts those
    of at least a hundredth of the largest, their holes (lungs, bowel) filled slice by slice.

    Parameters
    ----------
    volumes : sequence of Volume
        That count; all of one lattice.
    ranges : sequence of (low, high) or None
        Values between which each is looked at, e.g. a CT window; None takes its percentiles.
    """
    depth, height, width = volumes[0].shape
    down = math.ceil(math.sqrt(depth * height * width / _VOXELS))
    total = np.zeros((depth, -(-height // down), -(-width // down)), np.float32)
    for volume, values in zip(volumes, ranges, strict=True):
        total += _normalised(volume.voxels[:, ::down, ::down], values)
    bright = _above(ndimage.gaussian_filter(total, (0, 1, 1)))
    labels, count = ndimage.label(bright)
    if count:
        sizes = np.bincount(labels[bright])
        bright = (sizes >= _SMALL * sizes.max())[labels]
    return Foreground(filled(bright), float(down))


def _parts(scan: Scan) -> list[Scan]:
    """Return a slide whole, or channel by channel where all of them together would need too much memory."""
    if min(scan.shape[0] * scan.shape[1], _FIELD) * len(scan.channels) * scan.dtype.itemsize <= _TOGETHER:
        return [scan]
    return [scan.channel(number) for number in range(len(scan.channels))]


def _coarse(scan: Scan, down: float, height: int, width: int) -> NDArray[np.generic]:
    """Return a slide's means over the px of its mask, (height, width, c).

    Of a field that is small enough from its finest level: coarser ones are rounded, and of sparse counts, such as
    ions, nothing would be left.
    """
    if scan.shape[0] * scan.shape[1] > _FIELD or not down.is_integer():
        return read_region(scan, y=0, x=0, height=height, width=width, factor=down, fill=0)
    step = int(down)
    fine = read_region(scan, y=0, x=0, height=height * step, width=width * step, factor=1.0, fill=0)
    return fine.reshape(height, step, width, step, -1).mean(axis=(1, 3), dtype=np.float32)


def _normalised(values: NDArray[np.generic], between: tuple[float, float] | None = None) -> NDArray[np.float32]:
    """Return values as 0–1 between two numbers, their own percentiles by default; 0 where all are the same."""
    numbers = values.astype(np.float32)
    known = np.isfinite(numbers)
    there = numbers if known.all() else numbers[known]
    if not there.size:
        return np.zeros_like(numbers)
    low, high = between or (float(value) for value in np.percentile(there, _CUT))
    if high <= low:
        low, high = float(there.min()), float(there.max())
    if there is not numbers:
        # What is no number is nothing that could be seen: of a CT 0 would be water.
        numbers[~known] = low
    if high <= low:
        return np.zeros_like(numbers)
    # In place: of a large volume each copy counts.
    numbers -= low
    numbers /= high - low
    return np.clip(numbers, 0, 1, out=numbers)


def _above(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return what is above the lower of Otsu's and the triangle's threshold."""
    from skimage.filters import threshold_otsu, threshold_triangle

    if np.ptp(values) == 0:
        return np.ones(values.shape, bool)
    bright: NDArray[np.bool_] = values > min(threshold_otsu(values), threshold_triangle(values))
    return bright
