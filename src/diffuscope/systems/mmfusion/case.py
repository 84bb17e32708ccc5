"""What MMFusion sees of one case, and how what it looked at is drawn back on the CT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.ports.port import Port
from diffuscope.radiomics.case import case_row
from diffuscope.systems.base import CaseInput
from diffuscope.systems.mmfusion.config import ImagesConfig, MMFusionConfig
from diffuscope.systems.mmfusion.crops import TUMOUR, crop_structures, places

#: Key of the output that shows where the tissues look at each other.
RELEVANCE = "relevance"


def see(
    config: MMFusionConfig, ports: Sequence[Port], inputs: Mapping[str, CaseInput], spacing: tuple[float, ...] | None
) -> dict[str, CaseInput]:
    """Return what the network sees of a case.

    Parameters
    ----------
    config : MMFusionConfig
        Its configuration.
    ports : sequence of Port
        Its inputs, for messages.
    inputs, spacing
        See `diffuscope.systems.base.Whole.prepare`.

    Returns
    -------
    dict of str to Tensor
        The rows that were given, or that are measured of CT and outlines; the crops (see `crop_structures`); and, of
        whole numbers and for showing alone, ``"mask"`` (d, h, w) and ``"places"`` (structures, 2, 3), where each crop
        begins and ends in voxels of the CT, all 0 where there is none.

    Raises
    ------
    InputError
        There is a CT without outlines or the reverse, nothing is outlined, or nothing at all is known.
    """
    seen = {table.key: inputs[table.key] for table in config.tables if table.key in inputs}
    images = config.images
    if images is not None and ("ct" in inputs) != ("mask" in inputs):
        has, lacks = ("a CT", "outlines") if "ct" in inputs else ("outlines", "a CT")
        raise InputError(f"{has} without {lacks}: give both (ct and mask), or none.")
    if images is not None and "ct" in inputs:
        ct, labels = inputs["ct"], inputs["mask"]
        assert isinstance(ct, Tensor) and isinstance(labels, Tensor) and spacing is not None
        if not labels.any():
            raise InputError("nothing is outlined: draw the tumour or a node, or leave out CT and outlines.")
        unknown = ct[0].isnan()
        if count := int((unknown & (labels > 0)).sum()):
            raise InputError(f"the CT has no value (NaN) at {count} voxels that are outlined: give one that has.")
        ct = torch.where(unknown, images.window[0], ct[0])[None] if unknown.any() else ct
        seen |= crop_structures(ct, labels, spacing, images)
        seen |= {"mask": labels, "places": places(labels, spacing, images)}
        for table in config.tables:
            if table.measured is not None and not _known(seen.get(table.key)):
                row = case_row(ct[0].cpu().numpy(), labels.cpu().numpy(), spacing, table.measured)
                seen[table.key] = torch.tensor(list(row.values()), dtype=torch.float32, device=ct.device)
    if not any(_known(one) for one in seen.values()):
        names = ", ".join(port.name for port in ports)
        raise InputError(f"nothing is known of the case: give at least one value of {names}.")
    return seen


def draw_back(looked_at: Tensor, seen: Mapping[str, CaseInput], config: ImagesConfig) -> Tensor:
    """Return where the tissues look at each other on the CT: of each outlined voxel, how much its token is looked at.

    Parameters
    ----------
    looked_at : Tensor (tokens of the tumour and of the nodes,)
        See `ImageNodes`.
    seen : mapping of str to Tensor
        From `see`.
    config : ImagesConfig
        For the grid of tokens.

    Returns
    -------
    Tensor (1, d, h, w)
        Percent of what the token is looked at that is looked at most; 0 beside the outlines.
    """
    labels, lies = seen["mask"], seen["places"]
    assert isinstance(labels, Tensor) and isinstance(lies, Tensor)
    shown = torch.zeros(labels.shape, device=labels.device)
    highest = looked_at.max().clamp(min=1e-12)
    grids = (100 * looked_at / highest).view(-1, *config.tokens)
    for number, (grid, (first, end)) in enumerate(zip(grids, lies, strict=True)):
        if not (end > first).all():
            continue
        box = tuple(slice(max(int(a), 0), min(int(b), n)) for a, b, n in zip(first, end, labels.shape, strict=True))
        index = [
            ((torch.arange(at.start, at.stop, device=labels.device) - int(a)) * count // int(b - a))
            for at, a, b, count in zip(box, first, end, config.tokens, strict=True)
        ]
        values = grid.float()[torch.meshgrid(*index, indexing="ij")]
        shown[box] = torch.where(labels[box] == TUMOUR + number, values, shown[box])
    return shown[None]


def _known(one: CaseInput | None) -> bool:
    """Return whether anything is known: whole numbers, which tell where something lies, do not count."""
    return isinstance(one, Tensor) and one.is_floating_point() and not bool(one.isnan().all())
