"""How far samples differ, where that tells how unsure a model is."""

from __future__ import annotations

import torch
from torch import Tensor


def spread(samples: Tensor, steps: int) -> Tensor:
    """Return the standard deviation (ddof 1) over samples (K, …) of some steps each.

    NaN, unknown, where K = 1, and of one step: each is a posterior mean then, and these differ less than samples do.
    """
    if len(samples) > 1 and steps > 1:
        return samples.std(dim=0, correction=1)
    return torch.full_like(samples[0], torch.nan)
