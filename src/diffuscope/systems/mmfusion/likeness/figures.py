"""What is known of a case in numbers: its tables, and of each structure how large and how dense it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor

from diffuscope.ports.table import Column, Table
from diffuscope.systems.mmfusion.config import ImagesConfig

_STRUCTURES = {"tumour": "the tumour", "nodes": "the nodes"}


def figure_columns(tables: Sequence[Table], images: ImagesConfig | None) -> tuple[Column, ...]:
    """Return the columns of `case_figures`: those of all tables, volume and mean of the tumour and of all nodes."""
    named = _STRUCTURES.values() if images is not None else ()
    # A crop is no outline: what is large reaches beyond it, and fat and air in it are nothing.
    pictures = [
        Column(name=f"{figure} of {one}", title=f"{figure} of what the model sees of {one}", unit=unit)
        for one in named
        for figure, unit in (("volume", "ml"), ("mean", "HU"))
    ]
    return (*(column for table in tables for column in table.columns), *pictures)


def case_figures(tables: Sequence[Table], images: ImagesConfig | None, batch: Mapping[str, Tensor]) -> Tensor:
    """Return what is known of cases in numbers, one beside the other; NaN where nothing is.

    Parameters
    ----------
    tables : sequence of Table
        Of the model.
    images : ImagesConfig, optional
        How it sees CT.
    batch : mapping of str to Tensor (n, …)
        Rows and crops by key; what is left out is missing of all.

    Returns
    -------
    Tensor (n, columns)
        As `figure_columns` has them.
    """
    n = len(next(iter(batch.values())))
    parts = []
    for table in tables:
        row = batch.get(table.key)
        parts.append(torch.full((n, len(table.columns)), torch.nan) if row is None else row.float().cpu())
    for key in _STRUCTURES if images is not None else ():
        crops = batch.get(key)
        assert images is not None
        nothing = torch.full((n, 2), torch.nan)
        parts.append(nothing if crops is None else crop_figures(crops, images.spacing, images.window).cpu())
    return torch.cat(parts, dim=1)


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
    # In double: sums of many voxels. Not every device has it.
    flat = crops.cpu().float().flatten(1)
    inside = flat > -1
    count = inside.sum(1).double()
    total = torch.where(inside, flat, 0.0).double().sum(1)
    mean = window[0] + (total / count + 1) / 2 * (window[1] - window[0])
    volume = count * prod(spacing) / 1000
    return torch.stack([torch.where(count > 0, one, torch.nan) for one in (volume, mean)], dim=1).float()
