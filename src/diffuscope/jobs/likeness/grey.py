"""Traits of a window of a fluorescence map, or of a slice of a volume: its greys, and how they are spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Parts of the range that count as one of its ends, and above which something is lit.
_END, _LIT = 0.02, 0.1
# Fewest px of foreground that say anything.
_LEAST = 200
# Fewest px beside the foreground that say what lies there.
_BESIDE = 100
# Contrast that grain is measured against, at least: of an image without any, all would be grain.
_CONTRAST = 0.05


def grey_traits(
    values: NDArray[np.generic], inside: NDArray[np.bool_], between: tuple[float, float]
) -> dict[str, float]:
    """Return the traits of a window or slice by key (`diffuscope.ports.seen.GREY`), less the size.

    Parameters
    ----------
    values : ndarray of shape (h, w)
        As the file has them.
    inside : ndarray of bool, shape (h, w)
        Where the foreground is.
    between : tuple of float
        Values that become the ends of the port's range.

    Returns
    -------
    dict of str to float
        Empty where there is hardly any foreground.
    """
    if inside.sum() < _LEAST:
        return {}
    plain = np.nan_to_num(values.astype(np.float32), nan=between[0])
    low, high = between
    grey = np.clip((plain - low) / (high - low), 0.0, 1.0)
    own = grey[inside]
    dark, middle, bright, tenth, ninetieth = (float(one) for one in np.percentile(own, (25, 50, 75, 10, 90)))
    rough = np.abs(grey - ndimage.median_filter(grey, 3))[inside].mean()
    found = {
        "negative": 100.0 * float((plain[inside] < 0).mean()),
        "dark": 100.0 * dark,
        "middle": 100.0 * middle,
        "bright": 100.0 * bright,
        "lit": 100.0 * float((own > _LIT).mean()),
        "empty": 100.0 * float((own <= _END).mean()),
        "full": 100.0 * float((own >= 1.0 - _END).mean()),
        "grain": 100.0 * float(rough) / max(ninetieth - tenth, _CONTRAST),
    }
    if (~inside).sum() >= _BESIDE:
        found["beside"] = 100.0 * float(np.median(grey[~inside]))
    return found
