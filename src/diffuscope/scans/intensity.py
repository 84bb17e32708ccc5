"""Values of a free scale (fluorescence, MR) brought to a port's range: by two numbers for a whole slide or volume.

Never tile by tile: what is dark in one place and bright in another must stay so.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffuscope.scans.mask import Foreground
from diffuscope.scans.windows import foreground_windows

if TYPE_CHECKING:
    from diffuscope.scans.scan import Scan
    from diffuscope.scans.volume import Volume

#: Percentiles of the foreground that become the ends of the port's range. Not the extremes: one hot pixel, or one
#: bright vessel in a volume, would make everything else dark.
PERCENTILES = (0.5, 99.5)

# A volume is sampled by so many voxels.
_VOXELS = 2**24
# What six digits cannot tell apart no percentile does; and the numbers are short enough for a command line.
_DIGITS = 6


def slide_range(scan: Scan, mask: Foreground, *, factor: float) -> tuple[float, float]:
    """Return the low and high percentile of a one-channel slide's foreground.

    Taken from windows at the model's resolution spread evenly over the foreground (see
    `diffuscope.scans.windows.foreground_windows`). The same slide gives the same numbers always.

    Parameters
    ----------
    scan : Scan
        Of one channel.
    mask : Foreground
        Its foreground.
    factor : float
        Level-0 px per px of the model.
    """
    found = [pixels[..., 0][inside] for pixels, inside in foreground_windows(scan, mask, factor=factor, fill=0)]
    return percentile_range(np.concatenate(found) if found else np.zeros(0))


def volume_range(volume: Volume, mask: Foreground) -> tuple[float, float]:
    """Return the low and high percentile of a volume's foreground; of every n-th voxel of a very large one."""
    step = ceil((np.prod(volume.shape) / _VOXELS) ** (1 / 3))
    cut = (slice(step // 2, None, step),) * 3
    z, y, x = (np.arange(length)[part] for length, part in zip(volume.shape, cut, strict=True))
    down = int(mask.downsample)
    return percentile_range(volume.voxels[cut][mask.mask[np.ix_(z, y // down, x // down)]])


def range_line(channel: str, values: tuple[float, float]) -> tuple[str, str]:
    """Return name and text of a line that tells what `slide_range` or `volume_range` found."""
    low, high = PERCENTILES
    return "range", f"{channel}: {values[0]:g} to {values[1]:g} (percentiles {low:g} and {high:g} of the foreground)"


def percentile_range(values: NDArray[np.generic]) -> tuple[float, float]:
    """Return the low and high percentile of values, six digits each; (0, 1) of none, (v, v + 1) where all are v."""
    finite = np.asarray(values)[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    # Adding 0 makes a plain zero of a negative one, which would look odd on a command line.
    low, high = (float(f"{value:.{_DIGITS}g}") + 0.0 for value in np.percentile(finite, PERCENTILES))
    return (low, high) if high > low else (low, low + 1.0)


def to_range(
    values: NDArray[np.generic], given: tuple[float, float], target: tuple[float, float], *, keep_nan: bool = False
) -> NDArray[np.float32]:
    """Bring values linearly from one range to another, and clip; where both are the same only clip.

    Parameters
    ----------
    values : ndarray
        Any numbers; NaN counts as the low end, unless it is kept.
    given, target : tuple of float
        (low, high) as they are, and as they become.
    keep_nan : bool
        Whether NaN stays NaN.
    """
    low, high = given
    bottom, top = target
    # A CT of a thousand slices is held once, and not once a step.
    clipped = values.astype(np.float32)
    if values.dtype.kind == "f" and not keep_nan:
        np.nan_to_num(clipped, copy=False, nan=low)
    np.clip(clipped, low, high, out=clipped)
    if given == target:
        return clipped
    return np.clip((clipped - low) * np.float32((top - bottom) / (high - low)) + np.float32(bottom), bottom, top)
