"""A score's probability set right: the draws of the class moved so that their mean is a calibrated probability."""

from __future__ import annotations

import torch
from torch import Tensor

#: Slope and offset of `calibrated`.
Calibration = tuple[float, float]


def evidence(mean: Tensor, count: int) -> Tensor:
    """Return the logit of a mean of draws of the class, as if there were half a draw more of each.

    A probability that no draw shows is then small, not 0, and of two scores the higher stays the higher.

    Parameters
    ----------
    mean : Tensor
        In [0, 1].
    count : int
        Draws that it is the mean of.
    """
    return torch.logit((mean.double() * count + 0.5) / (count + 1))


def calibrated(draws: Tensor, calibration: Calibration) -> Tensor:
    """Move draws of the class so that their mean becomes σ(slope · evidence + offset) (J. Platt, 1999).

    What the mean lacks is made up by a share of each draw's way to 1, or to 0, that is the same for all: their order,
    and what the members of a system say of each other, stay.

    Parameters
    ----------
    draws : Tensor (members, n, samples)
        In [0, 1], of n cases.
    calibration : (float, float)
        Slope, above 0, and offset.
    """
    slope, offset = calibration
    # In double, which not every device has.
    own = draws.cpu()
    mean = own.double().mean(dim=(0, 2), keepdim=True)
    right = torch.sigmoid(slope * evidence(mean, own.shape[0] * own.shape[2]) + offset)
    up = own + (1 - own) * ((right - mean) / (1 - mean))
    down = own * (right / mean)
    return torch.where(right > mean, up, down).to(draws).clamp(0.0, 1.0)
