"""Training pairs: real H&E, restained by the teacher, cropped and augmented as a function of (seed, step)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.simulation.restaining.sources import BLOCK, Pair, held_out
from diffuscope.simulation.restaining.teacher import SourceSample, paint
from diffuscope.stains import REFERENCE, augment_stain, coarse_mask

_TRIES = 100


def batch_at(
    pairs: Sequence[Pair],
    step: int,
    *,
    seed: int,
    size: int,
    patch: int,
    positive_share: float,
    dab_threshold: float,
    normalised: bool = False,
) -> dict[str, Tensor]:
    """Batch of one training step, a function of (seed, step) alone, so that a resumed run sees the same.

    Which cells are positive is drawn anew for every crop: the same H&E has many IHCs. Pairs of several stains take
    turns, one stain a batch: a network that learns them never sees two stains of one H&E.

    Parameters
    ----------
    pairs : sequence of Pair
        From `diffuscope.simulation.restaining.sources.make_pairs`.
    step, seed : int
        Key of the random numbers.
    size, patch : int
        Crops, and their side in px.
    positive_share : float
        Share of crops centred (± a quarter patch) on a cell that may be positive.
    dab_threshold : float
        OD from which the mask counts a pixel as positive.
    normalised : bool
        Whether the H&E is the normalised one.

    Returns
    -------
    dict of str to Tensor
        ``he`` and ``ihc`` (or ``ihc_…``, see `Pair`): float32 (size, 3, patch, patch) in [0, 255]; ``mask``:
        (size, 1, patch, patch) in {0, 1}.
    """
    rng = np.random.default_rng([seed, step])
    keys = list(dict.fromkeys(pair.key for pair in pairs))
    key = keys[step % len(keys)]
    pairs = [pair for pair in pairs if pair.key == key]
    weights = np.array([pair.weight for pair in pairs])
    crops = []
    for index in rng.choice(len(pairs), size, p=weights / weights.sum()):
        sample = pairs[index].sample
        y, x = draw_corner(sample, patch, positive_share, rng)
        window = (slice(y, y + patch), slice(x, x + patch))
        he = (
            augment_stain(sample.normalised[window], REFERENCE, rng)
            if normalised
            else augment_stain(sample.he[window], sample.stains, rng)
        )
        painted = paint(sample, rng, window)
        mask = coarse_mask(painted.dab, mpp=sample.mpp, threshold=dab_threshold)[..., None]
        turn, flip = int(rng.integers(4)), bool(rng.integers(2))
        crops.append([_turned(part, turn, flip) for part in (he, painted.ihc, mask)])
    stacks = zip(("he", key, "mask"), zip(*crops, strict=True), strict=True)
    # Converted by numpy: torch would use all cores for it, which the network needs.
    arrays = {name: np.stack(parts).astype(np.float32) for name, parts in stacks}
    return {name: torch.from_numpy(array).permute(0, 3, 1, 2) for name, array in arrays.items()}


def held_crops(
    pairs: Sequence[Pair], *, seed: int, patch: int, dab_threshold: float, number: int, normalised: bool = False
) -> list[dict[str, NDArray[np.generic]]]:
    """Crops in the middle of held-out blocks that have cells, evenly spread over all sources, as they are.

    Parameters
    ----------
    pairs : sequence of Pair
        From `diffuscope.simulation.restaining.sources.make_pairs`.
    seed : int
        Key of the teacher's draws.
    patch : int
        Side of a crop, px.
    dab_threshold : float
        As in `batch_at`.
    number : int
        How many crops at most.
    normalised : bool
        As in `batch_at`.

    Returns
    -------
    list of dict
        ``he`` and ``ihc`` (or ``ihc_…``) (patch, patch, 3) uint8, ``mask`` (patch, patch, 1) bool, ``probability`` that
        a pixel is painted (patch, patch, 1) float32.
    """
    places = [
        (pair.sample, pair.key, (slice(y, y + patch), slice(x, x + patch)))
        for pair in pairs
        for y, x in np.argwhere(held_out(pair.sample.he.shape[:2])) * BLOCK + (BLOCK - patch) // 2
        if (pair.sample.cell[y : y + patch, x : x + patch] > 0).any()
    ]
    chosen = [places[i * len(places) // number] for i in range(number)] if len(places) > number else places
    crops = []
    for index, (sample, key, window) in enumerate(chosen):
        painted = paint(sample, np.random.default_rng([seed, index]), window)
        mask = coarse_mask(painted.dab, mpp=sample.mpp, threshold=dab_threshold)[..., None]
        he = (sample.normalised if normalised else sample.he)[window]
        probability = sample.probability()[window][..., None]
        crops.append({"he": he, key: painted.ihc, "mask": mask, "probability": probability})
    return crops


def draw_corner(sample: SourceSample, patch: int, positive_share: float, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the first row and column of a crop that touches no held-out block (parameters as in `batch_at`)."""
    limit = np.array(sample.he.shape[:2]) - patch
    held = held_out(sample.he.shape[:2])
    likely = np.flatnonzero(sample.chance > 0.2)
    for _ in range(_TRIES):
        if rng.random() < positive_share and len(likely):
            corner = sample.centre[rng.choice(likely)] - patch / 2 + rng.uniform(-patch / 4, patch / 4, 2)
        else:
            corner = rng.uniform(0, limit)
        y, x = (int(v) for v in np.clip(corner.astype(int), 0, limit))
        if not held[y // BLOCK : -(-(y + patch) // BLOCK), x // BLOCK : -(-(x + patch) // BLOCK)].any():
            return y, x
    raise ValueError(f"no crop of {patch} px lies outside the held-out blocks of a source of {sample.he.shape[:2]} px")


def _turned(image: NDArray[np.generic], turn: int, flip: bool) -> NDArray[np.generic]:
    turned = np.rot90(image, turn)
    return np.ascontiguousarray(turned[::-1] if flip else turned)
