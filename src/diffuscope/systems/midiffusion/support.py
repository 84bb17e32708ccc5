"""Where a translation is supported by its source: its structure by LMI, its levels by what else was to be expected."""

from __future__ import annotations

import torch
from torch import Tensor

from diffuscope.systems.midiffusion.condition import smooth
from diffuscope.systems.midiffusion.consistency import Consistency
from diffuscope.systems.midiffusion.estimator import LMI
from diffuscope.systems.midiffusion.lmi import Guide

#: Larger patches than guidance has, for there is no time to save; a kernel wide enough for MR's noise to be flat. One
#: window, for a result lies exactly on its source: windows that slide find something alike beside what was planted.
SUPPORT = LMI(patch=7, windows=1, bandwidth=0.2)
#: Standard deviation, px, of the local means that the quotient is of.
BLUR = 1.5
# Nats: what noise has in common with itself is less.
_FLOOR = 0.2
# Standard deviation, px, of the means that levels are compared by, and how far apart, of a range of 2, makes a half.
_LEVEL_BLUR, _HALF = 3.0, 0.4


def support(source: Tensor, result: Tensor) -> Tensor:
    """Return the support of each pixel of a result by its source, in [0, 1].

    (LMI(G, F̂) + c) / (max(LMI(G, G), LMI(F̂, F̂)) + c) with c = 0.2 nats, both of Gaussian means over 1.5 px, never
    above 1: the part of what either image tells of itself that they tell of each other (Theorem 1 bounds it). It is 1
    where both are flat, and near 0 where one has structure of which the other has nothing: painted into the result, or
    left out of it. Contrast that the two modalities do not share lowers it too.

    Parameters
    ----------
    source, result : Tensor of shape (n, 1, h, w)
        In [−1, 1].
    """
    guide = Guide(source, SUPPORT)
    most = torch.maximum(guide.itself().raw, Guide(result, SUPPORT).itself().raw)
    shared, most = (smooth(one.float(), BLUR) + _FLOOR for one in (guide(result).raw, most))
    return (shared / most).clamp_max(1.0)


def level_support(source: Tensor, result: Tensor, expected: Tensor | None = None) -> Tensor:
    """Return how far the level of each pixel's surroundings is one that was to be expected, in [0, 1].

    LMI has no sign: a region that was turned over as a whole, tumour to air, keeps its structure and its support. Its
    level is then another one than the posterior mean has there, or than the same level of the source has elsewhere in
    the result. The larger of the two distances d, of Gaussian means over 3 px, counts: 2^−(d / 0.4)².

    Parameters
    ----------
    source, result : Tensor of shape (n, 1, h, w)
        In [−1, 1].
    expected : Tensor of shape (n, 1, h, w), optional
        The posterior mean of the result.
    """
    result = result.float()
    apart = smooth(Consistency(source).means(result) - result, _LEVEL_BLUR).abs()
    if expected is not None:
        apart = torch.maximum(apart, smooth(expected.float() - result, _LEVEL_BLUR).abs())
    return torch.exp2(-(apart / _HALF).square())
