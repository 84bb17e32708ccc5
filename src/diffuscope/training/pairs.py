"""Training pairs: real H&E, restained by the teacher, cropped and augmented as a function of (seed, step)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.scans import open_scan, read_region, resampling_factor
from diffuscope.stains import coarse_mask, combine, mean_plus_two_sigma, separate
from diffuscope.training.recipe import Recipe, Source
from diffuscope.training.teacher import estimate_stains, restain


@dataclass(frozen=True)
class Pair:
    """One source at one scale.

    Attributes
    ----------
    he, ihc : ndarray of shape (h, w, 3)
        uint8.
    mask : ndarray of shape (h, w)
        bool coarse mask of positive cells.
    stains : ndarray of shape (3, 3)
        Stain vectors of the H&E.
    centres : ndarray of shape (n, 2)
        (y, x) of positive cells.
    weight : float
        Share of crops.
    """

    he: NDArray[np.uint8]
    ihc: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    stains: NDArray[np.float64]
    centres: NDArray[np.float64]
    weight: float


def read_source(source: Source, folder: Path, mpp: float) -> NDArray[np.uint8]:
    """Read a whole source at `mpp` µm per pixel as (h, w, 3) uint8.

    Raises
    ------
    InputError
        For a file that cannot be opened, or whose µm/px is neither stated nor assumed with evidence.
    """
    path = folder / source.file
    if source.mpp is not None and not source.evidence:
        raise InputError(f"The recipe assumes {source.mpp} µm/px for {source.file} and must say on what evidence.")
    scan = open_scan(path, mpp=source.mpp)
    factor = resampling_factor(scan, mpp)
    height, width = (int(side / factor) for side in scan.shape)
    return read_region(scan, y=0, x=0, height=height, width=width, factor=factor)


def make_pairs(recipe: Recipe, folder: Path, *, mpp: float) -> list[Pair]:
    """Restain every source of a recipe at every scale.

    Parameters
    ----------
    recipe : Recipe
        Sources, stain and scales.
    folder : Path
        Where the sources lie.
    mpp : float
        µm per pixel of the model. At scale s the source is read at mpp / s and taken for mpp, so that its
        cells are s times as large; the teacher's rule is applied to the cells as they then look.

    Returns
    -------
    list of Pair
    """
    pairs = []
    for source in recipe.sources:
        for scale in recipe.scales:
            he = read_source(source, folder, mpp / scale)
            stains = estimate_stains(he)
            truth = restain(he, recipe.stain, mpp=mpp, stains=stains)
            # The paper thresholds sparse CD3 at μ + 2σ of the slide and leaves dense stains to Otsu.
            threshold = mean_plus_two_sigma(truth.dab) if recipe.stain == "CD3" else None
            mask = coarse_mask(truth.dab, mpp=mpp, threshold=threshold)
            centres = np.array(ndimage.center_of_mass(truth.nuclei > 0, truth.nuclei, truth.positive)).reshape(-1, 2)
            pairs.append(Pair(he, truth.ihc, mask, stains, centres, source.weight / len(recipe.scales)))
    return pairs


def augment_stain(rgb: NDArray[np.uint8], stains: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change an H&E crop's stain as laboratories and scanners do (Tellez et al. 2018, in the slide's own stains).

    Each stain's density is scaled by 0.7–1.4, its vector turned a little, the background dimmed by up to
    8 %, and one crop in three blurred by up to 0.6 px.
    """
    densities = separate(rgb, stains) * rng.uniform(0.7, 1.4, 3) + rng.normal(0.0, 0.01, 3)
    turned = np.abs(stains) * rng.uniform(0.85, 1.18, (3, 3))
    turned[2] = stains[2]
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    image = combine(densities, turned).astype(np.float32) * rng.uniform(0.92, 1.0)
    if rng.random() < 1 / 3:
        image = ndimage.gaussian_filter(image, (*([rng.uniform(0.2, 0.6)] * 2), 0))
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def batch_at(
    pairs: Sequence[Pair], step: int, *, seed: int, size: int, patch: int, positive_share: float
) -> dict[str, Tensor]:
    """Batch of one training step, a function of (seed, step) alone, so that a resumed run sees the same.

    Parameters
    ----------
    pairs : sequence of Pair
        From `make_pairs`.
    step, seed : int
        Key of the random numbers.
    size, patch : int
        Crops, and their side in px.
    positive_share : float
        Share of crops centred (± a quarter patch) on a positive cell.

    Returns
    -------
    dict of str to Tensor
        ``he``, ``ihc``: float32 (size, 3, patch, patch) in [0, 255]; ``mask``: (size, 1, patch, patch) in {0, 1}.
    """
    rng = np.random.default_rng([seed, step])
    weights = np.array([pair.weight for pair in pairs])
    crops = []
    for index in rng.choice(len(pairs), size, p=weights / weights.sum()):
        pair = pairs[index]
        limit = np.array(pair.he.shape[:2]) - patch
        if rng.random() < positive_share and len(pair.centres):
            corner = pair.centres[rng.integers(len(pair.centres))] - patch / 2 + rng.uniform(-patch / 4, patch / 4, 2)
        else:
            corner = rng.uniform(0, limit)
        y, x = np.clip(corner.astype(int), 0, limit)
        window = (slice(y, y + patch), slice(x, x + patch))
        he = augment_stain(pair.he[window], pair.stains, rng)
        turn, flip = int(rng.integers(4)), bool(rng.integers(2))
        crops.append([_turned(part, turn, flip) for part in (he, pair.ihc[window], pair.mask[window][..., None])])
    stacks = zip(("he", "ihc", "mask"), zip(*crops, strict=True), strict=True)
    return {key: torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2).float() for key, parts in stacks}


def _turned(image: NDArray[np.generic], turn: int, flip: bool) -> NDArray[np.generic]:
    turned = np.rot90(image, turn)
    return np.ascontiguousarray(turned[::-1] if flip else turned)
