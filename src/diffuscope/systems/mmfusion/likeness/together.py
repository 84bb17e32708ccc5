"""How far all values of a case together are from those of others: Mahalanobis's distance, where some are missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Numbers = NDArray[np.float64]
# Below this no direction is told from one in which training does not vary at all.
_FLOOR = 1e-3


@dataclass(frozen=True)
class Law:
    """A normal law of several numbers.

    Attributes
    ----------
    mean, deviation : ndarray (p,)
        Of each.
    covariance : ndarray (p, p)
        Of the numbers once they are scaled by these.
    """

    mean: _Numbers
    deviation: _Numbers
    covariance: _Numbers

    def distance(self, row: _Numbers) -> tuple[float, _Numbers]:
        """Return how far a row is, on a scale that does not hang on how much of it is known, and by what.

        Of k known values the marginal law has d² = zᵀ Σ⁻¹ z, of a normal row χ² with k degrees of freedom; its cube
        root is nearly normal (E. Wilson and M. Hilferty, PNAS 1931), which is returned as deviations from its mean.

        Parameters
        ----------
        row : ndarray (p,)
            NaN where nothing is known.

        Returns
        -------
        float
            −inf of a row with fewer than two known values, which are nothing together.
        ndarray (p,)
            The share of each value in d²; NaN where nothing is known.
        """
        known = np.flatnonzero(~np.isnan(row))
        shares = np.full(len(row), np.nan)
        if len(known) < 2:
            return -np.inf, shares
        scaled = (row[known] - self.mean[known]) / self.deviation[known]
        shares[known] = scaled * np.linalg.solve(self.covariance[np.ix_(known, known)], scaled)
        count, squared = len(known), max(float(np.nansum(shares)), 0.0)
        spread = 2 / (9 * count)
        return float(((squared / count) ** (1 / 3) - (1 - spread)) / spread**0.5), shares


def law_of(rows: _Numbers) -> Law:
    """Return the law of rows of which values may be missing.

    Covariances are those of the rows that know both numbers, drawn towards none at all by as much as they are
    uncertain (J. Schäfer and K. Strimmer, Statistical Applications in Genetics and Molecular Biology 2005).

    Parameters
    ----------
    rows : ndarray (n, p)
        NaN where nothing is known.
    """
    known = ~np.isnan(rows)
    counts = known.sum(axis=0)
    filled = np.where(known, rows, 0.0)
    mean = filled.sum(axis=0) / np.maximum(counts, 1)
    centred = np.where(known, rows - mean, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / np.maximum(counts - 1, 1))
    deviation[deviation == 0] = 1.0
    scaled = centred / deviation
    both = known.T.astype(np.float64) @ known
    together = scaled.T @ scaled / np.maximum(both - 1, 1)
    np.fill_diagonal(together, 1.0)
    apart = ~np.eye(len(mean), dtype=bool) & (both > 2)
    squares = together[apart] ** 2
    unsure = ((1 - squares.clip(max=1.0)) ** 2 / np.maximum(both[apart] - 1, 1)).sum()
    kept = 1 - min(1.0, unsure / max(float(squares.sum()), 1e-12)) if apart.any() else 0.0
    covariance = np.where(apart, kept * together, np.eye(len(mean)))
    sizes, axes = np.linalg.eigh(covariance)
    return Law(mean, deviation, (axes * sizes.clip(_FLOOR)) @ axes.T)


def held_out(rows: _Numbers, folds: NDArray[np.intp]) -> _Numbers:
    """Return the distance of each row from the law of those of the other folds.

    Parameters
    ----------
    rows : ndarray (n, p)
        NaN where nothing is known.
    folds : ndarray of int (n,)
        Which fold each is of.
    """
    found = np.empty(len(rows))
    for fold in np.unique(folds):
        law = law_of(rows[folds != fold])
        found[folds == fold] = [law.distance(row)[0] for row in rows[folds == fold]]
    return found
