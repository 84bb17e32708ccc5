"""Where a translation is supported by its source: LMI of the two, after the fact."""

from __future__ import annotations

import torch
from torch import Tensor

from diffuscope.systems.midiffusion.condition import smooth
from diffuscope.systems.midiffusion.lmi import LMI, Guide

#: Larger patches than guidance has, for there is no time to save; a kernel wide enough for MR's noise to be flat. One
#: window, for a result lies exactly on its source: windows that slide find something alike beside what was planted.
SUPPORT = LMI(patch=7, windows=1, bandwidth=0.2)
#: Standard deviation, px, of the local means that the quotient is of.
BLUR = 1.5
# Nats: what noise has in common with itself is less.
_FLOOR = 0.2


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
