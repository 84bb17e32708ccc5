"""What can be said of a structure in two numbers: how large it is, and how dense."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from diffuscope.ports.table import Column


def figure_columns(name: str) -> tuple[Column, Column]:
    """Return the columns of what `crop_figures` tells of a structure."""
    return Column(name=f"volume of the {name}", unit="ml"), Column(name=f"mean of the {name}", unit="HU")


def crop_figures(crops: Tensor, spacing: Sequence[float], window: tuple[float, float]) -> Tensor:
    """Return volume and mean of what crops show, of several of a case all together.

    Parameters
    ----------
    crops : Tensor (n, …)
        From `diffuscope.systems.mmfusion.crops.crop_structures`: −1 beside the structure and at or below the window,
        NaN where there is none.
    spacing : sequence of float
        (z, y, x) mm per voxel.
    window : (float, float)
        HU that are −1 and 1.

    Returns
    -------
    Tensor (n, 2)
        ml, and HU of what lies above the window's lower end; NaN where there is nothing.
    """
    flat = crops.float().flatten(1)
    inside = flat > -1
    count = inside.sum(1).double()
    total = torch.where(inside, flat, 0.0).double().sum(1)
    mean = window[0] + (total / count + 1) / 2 * (window[1] - window[0])
    volume = count * prod(spacing) / 1000
    return torch.stack([torch.where(count > 0, one, torch.nan) for one in (volume, mean)], dim=1).float()
