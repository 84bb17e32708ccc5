"""Training pairs: real H&E, restained by the teacher, cropped and augmented as a function of (seed, step)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.scans import open_scan, read_region, resampling_factor
from diffuscope.simulation.restaining.teacher import Lesson, Stain, paint, prepare
from diffuscope.simulation.tissue import simulate_tissue
from diffuscope.stains import REFERENCE, coarse_mask, combine, separate
from diffuscope.systems.staindiffuser.config import stain_key
from diffuscope.training.recipe import Recipe, Source

#: Side of the blocks that are held out of every source, px; larger than a crop.
BLOCK = 256
_TRIES = 100


@dataclass(frozen=True)
class Pair:
    """One source, to be painted anew for every crop.

    Attributes
    ----------
    name : str
        File, or phantom and its seed.
    lesson : Lesson
        H&E and the rule applied to it.
    weight : float
        Share of crops.
    key : str
        What a batch calls the painted image: ``"ihc"``, or ``"ihc_…"`` of one of several stains.
    """

    name: str
    lesson: Lesson
    weight: float
    key: str = "ihc"


def held_out(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Blocks that no training crop may touch: one in eight, on a lattice, never random tiles.

    Parameters
    ----------
    shape : tuple of int
        Height and width of a source, px.

    Returns
    -------
    ndarray of bool
        One entry a whole block of `BLOCK` px; for a source of 2 × 2 blocks the lower right one.
    """
    rows, columns = np.indices((shape[0] // BLOCK, shape[1] // BLOCK))
    return np.asarray((rows + 3 * columns) % 8 == 4)


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
    """Apply the teacher's rule to every source of a recipe, and to its phantoms.

    Parameters
    ----------
    recipe : Recipe
        Sources, phantoms and stain.
    folder : Path
        Where the sources lie.
    mpp : float
        µm per pixel of the model.

    Returns
    -------
    list of Pair
    """
    if recipe.stain is not None:
        stains: dict[Stain, str] = {recipe.stain: "ihc"}
    else:
        stains = {stain: f"ihc_{stain_key(stain)}" for stain in recipe.stains}

    def of_source(source: Source) -> list[Pair]:
        he = read_source(source, folder, mpp)
        return [Pair(source.file, prepare(he, stain, mpp=mpp), source.weight, key) for stain, key in stains.items()]

    def of_phantom(seed: int) -> list[Pair]:
        tissue, weight = simulate_tissue(seed, mpp=mpp), recipe.phantom_weight / recipe.phantoms
        return [
            Pair(f"phantom {seed}", prepare(tissue.he, stain, mpp=mpp, labels=tissue.labels), weight, key)
            for stain, key in stains.items()
        ]

    # Side by side: a whole slide takes half a minute, and what takes it lets go of the interpreter.
    with ThreadPoolExecutor() as pool:
        found = [*pool.map(of_source, recipe.sources), *pool.map(of_phantom, range(recipe.phantoms))]
    return [pair for key in stains.values() for pairs in found for pair in pairs if pair.key == key]


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
        From `make_pairs`.
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
        lesson = pairs[index].lesson
        y, x = draw_corner(lesson, patch, positive_share, rng)
        window = (slice(y, y + patch), slice(x, x + patch))
        he = (
            augment_stain(lesson.normalised[window], REFERENCE, rng)
            if normalised
            else augment_stain(lesson.he[window], lesson.stains, rng)
        )
        painted = paint(lesson, rng, window)
        mask = coarse_mask(painted.dab, mpp=lesson.mpp, threshold=dab_threshold)[..., None]
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
        From `make_pairs`.
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
        (pair.lesson, pair.key, (slice(y, y + patch), slice(x, x + patch)))
        for pair in pairs
        for y, x in np.argwhere(held_out(pair.lesson.he.shape[:2])) * BLOCK + (BLOCK - patch) // 2
        if (pair.lesson.cell[y : y + patch, x : x + patch] > 0).any()
    ]
    chosen = [places[i * len(places) // number] for i in range(number)] if len(places) > number else places
    crops = []
    for index, (lesson, key, window) in enumerate(chosen):
        painted = paint(lesson, np.random.default_rng([seed, index]), window)
        mask = coarse_mask(painted.dab, mpp=lesson.mpp, threshold=dab_threshold)[..., None]
        he = (lesson.normalised if normalised else lesson.he)[window]
        probability = lesson.probability()[window][..., None]
        crops.append({"he": he, key: painted.ihc, "mask": mask, "probability": probability})
    return crops


def draw_corner(lesson: Lesson, patch: int, positive_share: float, rng: np.random.Generator) -> tuple[int, int]:
    """Draw the first row and column of a crop that touches no held-out block (parameters as in `batch_at`)."""
    limit = np.array(lesson.he.shape[:2]) - patch
    held = held_out(lesson.he.shape[:2])
    likely = np.flatnonzero(lesson.chance > 0.2)
    for _ in range(_TRIES):
        if rng.random() < positive_share and len(likely):
            corner = lesson.centre[rng.choice(likely)] - patch / 2 + rng.uniform(-patch / 4, patch / 4, 2)
        else:
            corner = rng.uniform(0, limit)
        y, x = (int(v) for v in np.clip(corner.astype(int), 0, limit))
        if not held[y // BLOCK : -(-(y + patch) // BLOCK), x // BLOCK : -(-(x + patch) // BLOCK)].any():
            return y, x
    raise ValueError(f"no crop of {patch} px lies outside the held-out blocks of a source of {lesson.he.shape[:2]} px")


def _turned(image: NDArray[np.generic], turn: int, flip: bool) -> NDArray[np.generic]:
    turned = np.rot90(image, turn)
    return np.ascontiguousarray(turned[::-1] if flip else turned)
