"""How near the set of found tiles comes to the set of true ones: FID, KID, precision and recall."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.evaluation.distributions import fid, kid, precision_recall

_SUBSETS = 10
_NEIGHBOURS = 3


def set_figures(truth: NDArray[np.float64], found: NDArray[np.float64]) -> dict[str, Any]:
    """Return the measures that there are tiles enough for, as JSON values.

    Parameters
    ----------
    truth, found : ndarray of shape (n, d)
        Features, one row a tile.

    Returns
    -------
    dict
        ``tiles`` and ``dimensions``; ``fid`` from 2 tiles on; ``kid`` with ``kid_standard_error``, ``precision`` and
        ``recall`` from 4 on.
    """
    n, dimensions = truth.shape
    figures: dict[str, Any] = {"tiles": n, "dimensions": dimensions}
    if n >= 2:
        figures["fid"] = fid(truth, found)
    if n > _NEIGHBOURS:
        estimate = kid(truth, found, subsets=min(_SUBSETS, n // 2))
        near = precision_recall(truth, found, neighbours=_NEIGHBOURS)
        figures |= {
            "kid": estimate.value,
            "kid_standard_error": estimate.standard_error,
            "precision": near.precision,
            "recall": near.recall,
        }
    return figures
