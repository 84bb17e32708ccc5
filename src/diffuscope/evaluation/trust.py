"""Does a score know when it is wrong: what is left to it where the unsure cases are left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from diffuscope.errors import InputError
from diffuscope.evaluation.scores import auroc


def selective_accuracy(right: ArrayLike, unsure: ArrayLike, *, coverage: float) -> float:
    """Return the accuracy on the surest share of the cases (R. El-Yaniv and Y. Wiener, JMLR 2010).

    Parameters
    ----------
    right : array_like of bool (n,)
        Whether each case was decided rightly.
    unsure : array_like (n,)
        Its uncertainty, in any unit.
    coverage : float
        Share of the cases that is kept, in (0, 1]: at least one case. Of equally unsure cases at the edge each counts
        for the part of them that is kept.
    """
    hits, doubts = np.asarray(right, np.float64), np.asarray(unsure, np.float64)
    kept = max(1, round(coverage * len(hits)))
    edge = np.sort(doubts)[kept - 1]
    surer, equal = doubts < edge, doubts == edge
    return float((hits[surer].sum() + hits[equal].mean() * (kept - surer.sum())) / kept)


def error_auroc(right: ArrayLike, unsure: ArrayLike) -> float:
    """Return the chance that a wrong case is less sure than a right one, ties counting half.

    Parameters
    ----------
    right, unsure
        As of `selective_accuracy`; width of an interval, or 1 − |2 p − 1|.

    Raises
    ------
    InputError
        All cases are right, or all are wrong.
    """
    wrong = ~np.asarray(right, bool)
    if wrong.all() or not wrong.any():
        raise InputError(
            "cases that are right and cases that are wrong are needed to say whether width tells of error."
        )
    return auroc(wrong, np.asarray(unsure, np.float64))
