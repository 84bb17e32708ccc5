"""What the auxiliary task learns, made from the batches of a training set: learned masks, signed distances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diffuscope.stains import signed_distance
from diffuscope.systems.staindiffuser.config import StainDiffuserConfig
from diffuscope.training.data.masks import Batches, MaskModel, learn_masks
from diffuscope.training.recipe import Recipe


def with_targets(batches: Batches, recipe: Recipe) -> Batches:
    """Return batches that hold what a recipe's auxiliary task learns.

    Parameters
    ----------
    batches : callable
        Batch of a step, with ``ihc`` and ``mask``.
    recipe : Recipe
        Its `masks`, and its configuration's ``auxiliary``.

    Returns
    -------
    callable
        Batch of a step; where masks are to be learned, they have been by now.
    """
    if recipe.masks == "learned":
        batches = with_learned_masks(batches, learn_masks(batches, seed=recipe.optimisation.seed))
    if recipe.config.get("auxiliary") == "distance":
        batches = with_distance(batches, recipe.config)
    return batches


def with_learned_masks(batches: Batches, model: MaskModel) -> Batches:
    """Return batches whose ``mask`` is a segmentation network's answer to their ``ihc``."""

    def at(step: int) -> Mapping[str, Tensor]:
        batch = batches(step)
        return {**batch, "mask": model(batch["ihc"])}

    return at


def with_distance(batches: Batches, config: Mapping[str, Any]) -> Batches:
    """Return batches with ``distance``: the signed distance to the outline of ``mask`` in µm, (n, 1, h, w).

    It is the distance to an outline in the crop: near the crop's border a nearer one may lie beyond it.
    """
    stated = StainDiffuserConfig.model_validate(config)

    def at(step: int) -> Mapping[str, Tensor]:
        batch = batches(step)
        maps = [
            torch.from_numpy(signed_distance(mask.numpy() > 0.5, mpp=stated.mpp, limit=stated.distance_um))
            for mask in batch["mask"][:, 0]
        ]
        return {**batch, "distance": torch.stack(maps)[:, None]}

    return at
