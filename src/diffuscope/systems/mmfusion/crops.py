"""From a CT with outlines to the crops that the image encoder sees: the tumour, and each node in a box of its own.

As in the paper (2.1), what lies outside of a structure's outline is taken away, so that a crop shows the structure
alone and, with it, its shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffuscope.systems.mmfusion.config import ImagesConfig

#: Labels of the mask: the tumour is 1, the nodes follow.
TUMOUR, FIRST_NODE = 1, 2


def crop_structures(ct: Tensor, labels: Tensor, spacing: Sequence[float], config: ImagesConfig) -> dict[str, Tensor]:
    """Cut out every structure that is outlined.

    Parameters
    ----------
    ct : Tensor (1, d, h, w)
        HU.
    labels : Tensor of integers (d, h, w)
        0 for none, 1 the tumour, 2, 3, … the nodes.
    spacing : (float, float, float)
        (z, y, x) mm per voxel.
    config : ImagesConfig
        Sizes, spacing and window of the crops.

    Returns
    -------
    dict of str to Tensor
        ``"tumour"`` (1, *config.tumour) and ``"nodes"`` (config.nodes, 1, *config.node), float32 in [−1, 1]: −1 at and
        below the window, beside the structure and beside the CT. NaN where there is no such structure. Of one that is
        larger than its box the middle is seen.
    """
    tumour = _crop(ct, labels == TUMOUR, spacing, config.tumour, config)
    nodes = [_crop(ct, labels == FIRST_NODE + number, spacing, config.node, config) for number in range(config.nodes)]
    return {"tumour": tumour, "nodes": torch.stack(nodes)}


def place_of(inside: Tensor, spacing: Sequence[float], shape: Sequence[int], config: ImagesConfig) -> Tensor | None:
    """Return where a structure's crop begins and ends, (2, 3) voxels of the CT; None where there is no structure.

    Parameters
    ----------
    inside : Tensor of bool (d, h, w)
        The structure.
    spacing, shape, config
        See `crop_structures`; voxels of the crop.
    """
    spans = [_span(inside, axis) for axis in range(3)]
    if any(span is None for span in spans):
        return None
    middle = torch.tensor([(span[0] + span[1]) / 2 for span in spans if span is not None], dtype=torch.float64)
    steps = zip(shape, config.spacing, spacing, strict=True)
    half = torch.tensor([count * step / own / 2 for count, step, own in steps], dtype=torch.float64)
    return torch.stack([middle - half, middle + half])


def _span(inside: Tensor, axis: int) -> tuple[int, int] | None:
    """Return first and one past the last place along an axis at which a structure is."""
    others = [other for other in range(3) if other != axis]
    places = torch.nonzero(inside.any(dim=others[1]).any(dim=others[0]))
    return (int(places[0]), int(places[-1]) + 1) if len(places) else None


def _crop(ct: Tensor, inside: Tensor, spacing: Sequence[float], shape: Sequence[int], config: ImagesConfig) -> Tensor:
    place = place_of(inside, spacing, shape, config)
    if place is None:
        return torch.full((1, *shape), torch.nan, device=ct.device)
    # Of a CT of a thousand slices only what the crop can show is touched.
    firsts = [max(int(start), 0) for start in place[0].floor()]
    ends = [min(int(end) + 1, size) for end, size in zip(place[1].ceil(), inside.shape, strict=True)]
    box = tuple(slice(first, end) for first, end in zip(firsts, ends, strict=True))
    low, high = config.window
    shown = ((ct[0][box].float() - low) / (high - low)).clamp(0.0, 1.0)
    shown = torch.stack([shown, inside[box].float()])[None]
    # A crop of coarser voxels than the CT's shows means over them, and not every second one.
    pooled = [
        max(1, min(round(step / own), end - first))
        for step, own, first, end in zip(config.spacing, spacing, firsts, ends, strict=True)
    ]
    if max(pooled) > 1:
        shown = torch.nn.functional.avg_pool3d(shown, pooled, ceil_mode=True, count_include_pad=False)
    axes = [
        ((place[0, axis] + (torch.arange(count) + 0.5) * (place[1, axis] - place[0, axis]) / count) - firsts[axis])
        / (pooled[axis] * shown.shape[2 + axis])
        for axis, count in enumerate(shape)
    ]
    z, y, x = torch.meshgrid(*((2 * at - 1).float().to(ct.device) for at in axes), indexing="ij")
    grid = torch.stack([x, y, z], dim=-1)[None]
    values, kept = torch.nn.functional.grid_sample(shown, grid, align_corners=False)[0]
    return torch.where(kept >= 0.5, 2 * values - 1, -1.0)[None]
