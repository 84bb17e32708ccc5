"""Crops of a user's own cases: batches as a function of (seed, step), and what validates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.cases import Case, OpenCase, find_cases, open_case, split, tissue_corners
from diffuscope.errors import InputError
from diffuscope.systems.base import System
from diffuscope.training.batches import TrainingData
from diffuscope.training.cells import estimate_stains
from diffuscope.training.pairs import augment_stain
from diffuscope.training.recipe import Cases, Recipe

#: Key of the picture whose stain may be augmented.
HE = "he"
# Validation crops in all, and of one case at most.
_VALIDATION, _OF_ONE = 32, 4
# Crops that the stains of a case are estimated from.
_LOOK = 8


@dataclass(frozen=True, eq=False)
class Ground:
    """A case and where crops of it may lie.

    Attributes
    ----------
    opened : OpenCase
        Its pictures.
    corners : ndarray of shape (n, 2)
        (y, x) of crops with enough tissue, px at the model's µm/px.
    stains : ndarray of shape (3, 3) or None
        Stain vectors of its H&E, where that is to be augmented.
    """

    opened: OpenCase
    corners: NDArray[np.int64]
    stains: NDArray[np.float64] | None


def read_cases(recipe: Recipe, settings: Cases, system: System, folder: Path) -> dict[str, list[Case]]:
    """Find a recipe's cases and split them by group.

    Parameters
    ----------
    recipe : Recipe
        For its seed, on which the split depends.
    settings : Cases
        Its data.
    system : System
        Says which pictures a case must have.
    folder : Path
        Where the recipe lies.

    Returns
    -------
    dict of str to list of Case
        ``"train"``, ``"validation"``, ``"test"``.

    Raises
    ------
    InputError
        There are no cases, too few, or one of them is not whole.
    """
    keys, optional = system.training_keys()
    cases = find_cases(folder / settings.path, keys, optional=optional)
    return split(cases, validation=settings.validation, seed=recipe.optimisation.seed)


def crops_of(
    parts: Mapping[str, Sequence[Case]], settings: Cases, system: System, *, seed: int, batch: int, side: int
) -> TrainingData:
    """Return training batches of the cases that train, and fixed ones of those that validate.

    Parameters
    ----------
    parts : mapping of str to sequence of Case
        From `read_cases`.
    settings : Cases
        µm/px, tissue, augmentation.
    system : System
        Says which pictures it takes, at which µm/px, and completes them.
    seed : int
        Key of the random numbers.
    batch, side : int
        Crops a batch, and their side in px.

    Returns
    -------
    TrainingData

    Raises
    ------
    InputError
        A picture cannot be opened, pictures of one case do not fit, or a case has no crop with enough tissue.
    """
    # Where H&E is also generated its colours are a truth.
    augment = settings.stain_augmentation and HE in {p.key for p in system.inputs} - {p.key for p in system.outputs}
    ready = partial(_ground, settings=settings, system=system, side=side)
    train = [ready(case, augment=augment) for case in parts["train"]]
    held = [ready(case, augment=False) for case in parts["validation"]]
    share = min(max(_VALIDATION // len(held), 1), _OF_ONE)
    crops = [
        system.complete(_read(ground, corner, side))
        for ground in held
        for corner in _spread(ground.corners, share)
    ]  # fmt: skip
    return TrainingData(
        batch_at=partial(batch_at, train, system, seed=seed, size=batch, side=side),
        validation=batches_of(crops, batch),
    )


def batch_at(
    grounds: Sequence[Ground], system: System, number: int, *, seed: int, size: int, side: int
) -> dict[str, Tensor]:
    """Batch of a number, a function of (seed, number) alone, so that a resumed run sees the same.

    Every case is as likely as any other, whatever its size; a batch holds cases that have the same pictures. Pictures
    of a case are turned and mirrored together; the H&E's stain is augmented alone.

    Parameters
    ----------
    grounds : sequence of Ground
        Cases to train on.
    system : System
        Completes the crops.
    number, seed : int
        Key of the random numbers.
    size, side : int
        Crops, and their side in px.

    Returns
    -------
    dict of str to Tensor
        By key float32 (size, c, side, side), physical ranges.
    """
    rng = np.random.default_rng([seed, number])
    keys = grounds[int(rng.integers(len(grounds)))].opened.scans.keys()
    alike = [ground for ground in grounds if ground.opened.scans.keys() == keys]
    crops = []
    for index in rng.integers(len(alike), size=size):
        ground = alike[index]
        crop = _read(ground, ground.corners[rng.integers(len(ground.corners))], side)
        if ground.stains is not None:
            crop[HE] = augment_stain(crop[HE].astype(np.uint8), ground.stains, rng)
        turn, mirror = int(rng.integers(4)), bool(rng.integers(2))
        turned = {key: np.rot90(image, turn) for key, image in crop.items()}
        crops.append(system.complete({key: image[::-1] if mirror else image for key, image in turned.items()}))
    return stacked(crops)


def stacked(crops: Sequence[Mapping[str, NDArray[np.generic]]]) -> dict[str, Tensor]:
    """Stack crops (h, w, c) to float32 batches (n, c, h, w), channels last in memory."""
    # Converted by numpy: torch would use all cores for it, which the network needs.
    arrays = {key: np.stack([crop[key] for crop in crops]).astype(np.float32) for key in crops[0]}
    return {key: torch.from_numpy(array).permute(0, 3, 1, 2) for key, array in arrays.items()}


def batches_of(crops: Sequence[Mapping[str, NDArray[np.generic]]], size: int) -> list[dict[str, Tensor]]:
    """Stack crops in batches of at most `size` that have the same keys."""
    kinds = dict.fromkeys(tuple(sorted(crop)) for crop in crops)
    alike = [[crop for crop in crops if tuple(sorted(crop)) == keys] for keys in kinds]
    return [stacked(some[start : start + size]) for some in alike for start in range(0, len(some), size)]


def _ground(case: Case, *, settings: Cases, system: System, side: int, augment: bool) -> Ground:
    port = system.inputs[0]
    opened = open_case(case, mpp=port.mpp, assumed_mpp=settings.mpp)
    corners = tissue_corners(opened, side, key=port.key, least=settings.tissue)
    if not len(corners):
        height, width = opened.shape
        raise InputError(
            f"case {case.name} ({width} × {height} px at {port.mpp:g} µm/px) has no crop of {side} px of which "
            f"{settings.tissue:.0%} is tissue: leave it out, or lower data.tissue."
        )
    stains = None
    if augment:
        seen = [opened.read(HE, int(y), int(x), side, side) for y, x in _spread(corners, _LOOK)]
        stains = estimate_stains(np.concatenate(seen).astype(np.uint8))
    return Ground(opened, corners, stains)


def _spread(corners: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return some of the corners, evenly spread over them."""
    number = min(number, len(corners))
    return corners[((np.arange(number) + 0.5) * len(corners) / number).astype(int)]


def _read(ground: Ground, corner: NDArray[np.int64], side: int) -> dict[str, NDArray[np.generic]]:
    y, x = (int(v) for v in corner)
    return {key: ground.opened.read(key, y, x, side, side) for key in ground.opened.scans}
