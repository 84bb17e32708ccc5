"""How near the set of found tiles comes to the set of true ones: FID, KID, precision and recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diffuscope.evaluation.metrics.distributions import fid, kid, precision_recall

_SUBSETS = 10
_NEIGHBOURS = 3


def set_figures(cases: Sequence[Mapping[str, NDArray[np.float64]]]) -> dict[str, dict[str, float | int]]:
    """Return the measures that there are tiles enough for, as JSON values.

    Parameters
    ----------
    cases : sequence of mapping
        Features (n, d) of each case, one row a tile: ``truth``, and what is held against it, ``model`` or ``input``.

    Returns
    -------
    dict of str to dict
        For ``model``, and for ``input`` if all cases have it: ``tiles`` and ``dimensions``; ``fid``; from 4 tiles on
        ``kid`` with ``kid_standard_error``, ``precision`` and ``recall``. Empty below 2 tiles.
    """
    every = {
        name: np.concatenate([case[name] for case in cases])
        for name in ("truth", "model", "input")
        if all(name in case for case in cases)
    }
    truth = every.pop("truth", np.empty((0, 0)))
    return {name: _measures(truth, found) for name, found in every.items()} if len(truth) >= 2 else {}


def _measures(truth: NDArray[np.float64], found: NDArray[np.float64]) -> dict[str, float | int]:
    n, dimensions = truth.shape
    figures: dict[str, float | int] = {"tiles": n, "dimensions": dimensions, "fid": fid(truth, found)}
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
