"""What the auxiliary task learns, made from the batches of a training set: learned masks, signed distances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from diffuscope.stains import signed_distance
from diffuscope.systems.staindiffuser.config import StainDiffuserConfig
from diffuscope.training.data.batches import Batch, TrainingData


def with_targets(
    data: TrainingData, config: Mapping[str, Any], draw: Callable[[Tensor], Tensor] | None = None
) -> TrainingData:
    """Return data that hold what a system's auxiliary task learns.

    Parameters
    ----------
    data : TrainingData
        With ``ihc`` and ``mask`` where one of them is asked for.
    config : mapping
        The system's configuration, for its ``auxiliary``.
    draw : callable, optional
        Draws masks of IHCs (see `diffuscope.systems.cellmasks.system.CellMasks.draw`) that take the place of those
        there are.
    """
    if draw is not None:
        data = data.changed(partial(with_masks, draw=draw))
    if config.get("auxiliary") == "distance":
        data = data.changed(partial(with_distance, config=config))
    return data


def with_masks(batch: Batch, *, draw: Callable[[Tensor], Tensor]) -> Batch:
    """Return a batch whose ``mask`` is drawn from its ``ihc``."""
    return {**batch, "mask": draw(batch["ihc"])}


def with_distance(batch: Batch, *, config: Mapping[str, Any]) -> Batch:
    """Return a batch with ``distance``: the signed distance to the outline of ``mask`` in µm, (n, 1, h, w).

    It is the distance to an outline in the crop: near the crop's border a nearer one may lie beyond it.
    """
    stated = StainDiffuserConfig.model_validate(config)
    maps = [
        torch.from_numpy(signed_distance(mask.numpy() > 0.5, mpp=stated.mpp, limit=stated.distance_um))
        for mask in batch["mask"][:, 0]
    ]
    return {**batch, "distance": torch.stack(maps)[:, None]}
