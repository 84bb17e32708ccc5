"""How far a score spreads: over the draws of the class, and over the guides that drew them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

#: Share of what an interval is about that lies in it.
LEVEL = 0.9


def predictive(draws: ArrayLike, *, level: float = LEVEL) -> tuple[float, float]:
    """Return where the middle `level` of all draws lie.

    A draw is of the class and lies near 0 or 1, so this says how sure the class is, not how well its probability is
    known.

    Parameters
    ----------
    draws : array_like
        In [0, 1], of any shape.
    level : float
        In (0, 1).
    """
    low, high = np.quantile(np.asarray(draws, np.float64), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def over_guides(draws: ArrayLike, *, level: float = LEVEL) -> tuple[float, float]:
    """Return where the score of one more guide would lie, trained on other patients of the same kind.

    On the logit scale the members' scores x_j scatter about what their one cohort says as that scatters about what all
    patients would say: that is the principle of the bootstrap. The further guide scatters about the latter, so that

        mean(x) ± t(ν; (1 + level) / 2) · √V,
        V = 2 · max(s² − v, s² / 10) + s² / m,   ν = (m − 1) · (V / (2 s² + s² / m))²,

    s² the variance of the m scores, and v the part of it that comes of each being a mean of a few draws (delta method).
    Taking that off costs degrees of freedom (F. Satterthwaite, Biometrics Bulletin 1946; never below 2), without which
    intervals of few draws would be too narrow. s · √(1 + 1/m) instead would hold a further member of the same cohort,
    and of guides of other patients three in four.

    Parameters
    ----------
    draws : array_like (members, samples)
        In [0, 1], two or more of two members or more, each trained on patients resampled from the cohort.
    level : float
        Nominal share of such intervals that hold the further guide's score, in (0, 1); what was measured is in
        docs/mmfusion.md.
    """
    # Not of scipy.stats, which is a second of imports in the window's own thread.
    from scipy.special import stdtrit

    values = np.asarray(draws, np.float64)
    members, samples = values.shape
    # What no draw was may have half a draw's chance: a logit of 0 is infinite.
    least = 0.5 / samples
    means = values.mean(axis=1).clip(least, 1 - least)
    slope = 1 / (means * (1 - means))
    logits = np.log(means / (1 - means))
    spread = float(logits.var(ddof=1))
    drawn = float((values.var(axis=1, ddof=1) / samples * slope**2).mean())
    whole = spread * (2 + 1 / members)
    kept = 2 * max(spread - drawn, spread / 10) + spread / members
    degrees = max((members - 1) * (kept / whole) ** 2, 2.0) if 0 < kept < whole else members - 1
    half = float(stdtrit(degrees, (1 + level) / 2)) * kept**0.5
    low, high = (1 / (1 + np.exp(-(logits.mean() + side * half))) for side in (-1, 1))
    return float(low), float(high)
