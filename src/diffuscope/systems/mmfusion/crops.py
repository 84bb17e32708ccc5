"""From a CT with outlines to the crops that the image encoder sees: the tumour, and each node in a box of its own.

As in the paper (2.1), what lies outside of a structure's outline is taken away, so that a crop shows the structure
alone and, with it, its shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy import ndimage
from torch import Tensor

from diffuscope.systems.mmfusion.config import ImagesConfig

#: Label of the tumour; the nodes follow.
TUMOUR = 1
Box = tuple[tuple[int, int], ...]


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
    boxes = structure_boxes(labels, 1 + config.nodes)
    crops = [
        _crop(ct, labels, TUMOUR + number, place_of(box, spacing, shape, config), shape, config, spacing)
        for number, (box, shape) in enumerate(zip(boxes, _shapes(config), strict=True))
    ]
    return {"tumour": crops[0], "nodes": torch.stack(crops[1:])}


def structure_boxes(labels: Tensor, count: int) -> list[Box | None]:
    """Return where the first `count` structures lie, (start, end) voxels along z, y, x; None of one that is missing."""
    found = ndimage.find_objects(labels.cpu().numpy(), count)
    return [None if one is None else tuple((at.start, at.stop) for at in one) for one in found]


def places(labels: Tensor, spacing: Sequence[float], config: ImagesConfig) -> Tensor:
    """Return where all crops begin and end, (structures, 2, 3) whole voxels; 0 where there is no structure."""
    found = torch.zeros(1 + config.nodes, 2, 3, dtype=torch.int64)
    for number, (box, shape) in enumerate(zip(structure_boxes(labels, 1 + config.nodes), _shapes(config), strict=True)):
        place = place_of(box, spacing, shape, config)
        if place is not None:
            found[number] = torch.stack([place[0].floor(), place[1].ceil()]).long()
    return found


def place_of(box: Box | None, spacing: Sequence[float], shape: Sequence[int], config: ImagesConfig) -> Tensor | None:
    """Return where a structure's crop begins and ends, (2, 3) voxels of the CT; None where there is no structure.

    Parameters
    ----------
    box : tuple, optional
        From `structure_boxes`.
    spacing, shape, config
        See `crop_structures`; voxels of the crop.
    """
    if box is None:
        return None
    middle = torch.tensor([(start + end) / 2 for start, end in box], dtype=torch.float64)
    steps = zip(shape, config.spacing, spacing, strict=True)
    half = torch.tensor([count * step / own / 2 for count, step, own in steps], dtype=torch.float64)
    return torch.stack([middle - half, middle + half])


def _shapes(config: ImagesConfig) -> list[tuple[int, int, int]]:
    return [config.tumour, *[config.node] * config.nodes]


def _crop(
    ct: Tensor,
    labels: Tensor,
    label: int,
    place: Tensor | None,
    shape: Sequence[int],
    config: ImagesConfig,
    spacing: Sequence[float],
) -> Tensor:
    if place is None:
        return torch.full((1, *shape), torch.nan, device=ct.device)
    # Of a CT of a thousand slices only what the crop can show is touched.
    firsts = [max(int(start), 0) for start in place[0].floor()]
    ends = [min(int(end) + 1, size) for end, size in zip(place[1].ceil(), labels.shape, strict=True)]
    box = tuple(slice(first, end) for first, end in zip(firsts, ends, strict=True))
    low, high = config.window
    shown = ((ct[0][box].float() - low) / (high - low)).clamp(0.0, 1.0)
    shown = torch.stack([shown, (labels[box] == label).float()])[None]
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
