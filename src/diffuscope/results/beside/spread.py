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

    The members' scores x_j on the logit scale are taken for draws of one normal distribution; a further one lies in

        mean(x) ± t(ν; (1 + level) / 2) · √V,   V = max(s² − v, 0) + s² / m,   ν = (m − 1) · (V / (s² + s² / m))²,

    s² the variance of the m scores, and v the part of it that comes of each being a mean of a few draws (delta method).
    Without that part it is the prediction interval of a normal sample, s · √(1 + 1/m) with m − 1 degrees of freedom;
    taking it off costs degrees (F. Satterthwaite, Biometrics Bulletin 1946; never below 2), without which intervals of
    few draws would be too narrow.

    Parameters
    ----------
    draws : array_like (members, samples)
        In [0, 1], two or more of two members or more, each trained on patients resampled from the cohort.
    level : float
        Share of such intervals that hold the further guide's score, in (0, 1).
    """
    from scipy.stats import t

    values = np.asarray(draws, np.float64)
    members, samples = values.shape
    # What no draw was may have half a draw's chance: a logit of 0 is infinite.
    least = 0.5 / samples
    means = values.mean(axis=1).clip(least, 1 - least)
    slope = 1 / (means * (1 - means))
    logits = np.log(means / (1 - means))
    spread = float(logits.var(ddof=1))
    drawn = float((values.var(axis=1, ddof=1) / samples * slope**2).mean())
    whole = spread * (1 + 1 / members)
    kept = max(spread - drawn, 0.0) + spread / members
    degrees = max((members - 1) * (kept / whole) ** 2, 2.0) if 0 < kept < whole else members - 1
    half = float(t.ppf((1 + level) / 2, degrees)) * kept**0.5
    low, high = (1 / (1 + np.exp(-(logits.mean() + side * half))) for side in (-1, 1))
    return float(low), float(high)
