"""Where a translation is supported by its source: LMI of the two, after the fact."""

from __future__ import annotations

import torch
from torch import Tensor

from diffuscope.systems.midiffusion.lmi import LMI, Guide

#: Larger patches than guidance has, for there is no time to save; a kernel wide enough for an MR's noise to be flat.
SUPPORT = LMI(patch=7, windows=3, bandwidth=0.2)
# Nats: what noise has in common with itself is less.
_FLOOR = 0.1


def support(source: Tensor, result: Tensor) -> Tensor:
    """Return the support of each pixel of a result by its source, in [0, 1].

    (LMI(G, F̂) + c) / (max(LMI(G, G), LMI(F̂, F̂)) + c) with c = 0.1 nats, never above 1: the part of what either
    image tells of itself that they tell of each other (Theorem 1 bounds it). It is 1 where both are flat, and near 0
    where one has structure of which the other has nothing: painted into the result, or left out of it. Contrast that
    the two modalities do not share lowers it too.

    Parameters
    ----------
    source, result : Tensor of shape (n, 1, h, w)
        In [−1, 1].
    """
    guide = Guide(source, SUPPORT)
    most = torch.maximum(guide.itself().raw, Guide(result, SUPPORT).itself().raw)
    return ((guide(result).raw + _FLOOR) / (most + _FLOOR)).clamp_max(1.0)
