"""From probabilities to a table's figures: cut and calibrated by those who validate, pooled over folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from diffuscope.evaluation.decision import choose_threshold, fit_calibration
from diffuscope.evaluation.scores import score_figures
from diffuscope.systems.calibration import evidence

Floats = NDArray[np.float64]
DECIDED = ("accuracy", "macro precision", "macro recall", "macro F1")
_USUAL = 0.5


@dataclass(frozen=True)
class Setting:
    """What those who validate say of a model, as training does it for what ships.

    Attributes
    ----------
    cut : float
        Probability from which is decided for the second class.
    slope, offset : float
        Of the calibration; 1 and 0 where none helps.
    count : int
        Draws that a score is the mean of.
    """

    cut: float
    slope: float
    offset: float
    count: int

    def calibrated(self, found: Floats) -> Floats:
        """Return scores as calibrated."""
        if (self.slope, self.offset) == (1.0, 0.0):
            return found
        logit = self.slope * evidence(torch.from_numpy(found), self.count) + self.offset
        return np.asarray(torch.sigmoid(logit).numpy())


def setting(label: NDArray[np.int64], found: Floats, *, count: int) -> Setting:
    """Return what those who validate say.

    Parameters
    ----------
    label, found : ndarray (n,)
        0 or 1, and their scores.
    count : int
        Draws that each is the mean of.
    """
    cut = choose_threshold(label, found)
    slope, offset = fit_calibration(label, found, count=count) or (1.0, 0.0)
    return Setting(_USUAL if cut is None else cut, slope, offset, count)


def figures(label: NDArray[np.int64], found: Floats, cuts: Floats, calibrated: Floats) -> dict[str, float]:
    """Return the figures of a seed, all folds together.

    Parameters
    ----------
    label, found : ndarray (n,)
        0 or 1, and the scores of those who test.
    cuts : ndarray (n,)
        The cut of the fold that each tested in.
    calibrated : ndarray (n,)
        Their scores as calibrated.
    """
    decided = score_figures(label, found - cuts, threshold=0.0)
    probable = score_figures(label, found)
    after = score_figures(label, calibrated)
    kept = {name: (decided if name in DECIDED else probable)[name] for name in probable}
    return kept | {"Brier, calibrated": after["Brier"], "ECE, calibrated": after["ECE"]}
