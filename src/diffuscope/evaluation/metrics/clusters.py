"""How well features part classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def davies_bouldin(features: ArrayLike, classes: ArrayLike) -> float:
    """Return the Davies–Bouldin score (D. Davies and D. Bouldin, IEEE TPAMI 1979): lower is better parted.

    Mean over classes of the worst (s_i + s_j) / d_ij: s the mean distance to the own centre, d between centres.

    Parameters
    ----------
    features : array_like (n, features)
        In any unit, which counts.
    classes : array_like (n,)
        Two or more, each once at least.

    Returns
    -------
    float
        At least 0; infinite where two centres are one.
    """
    points, which = np.asarray(features, np.float64), np.unique(np.asarray(classes), return_inverse=True)[1]
    own = [points[which == one] for one in range(int(which.max()) + 1)]
    centres = np.array([one.mean(axis=0) for one in own])
    spreads = np.array([np.linalg.norm(one - centre, axis=1).mean() for one, centre in zip(own, centres, strict=True)])
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    with np.errstate(divide="ignore"):
        return float(((spreads[:, None] + spreads[None]) / apart).max(axis=1).mean())
