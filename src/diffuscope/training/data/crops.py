"""Crops of a user's own cases: batches as a function of (seed, step), and what validates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.cases import Case, find_cases
from diffuscope.cases.slide_stains import SlideStains, slide_stains
from diffuscope.cases.split import PARTS
from diffuscope.errors import InputError
from diffuscope.jobs.scaling import is_cut
from diffuscope.ports.raster import Raster
from diffuscope.scans import Scan
from diffuscope.systems.base import System
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.data.held_out import held_out, split_as_before
from diffuscope.training.data.looks import seen_in_cases
from diffuscope.training.data.reading import Tell, read_parts, untold
from diffuscope.training.data.sampler import CropSampler
from diffuscope.training.data.slides import HE, SlideSampler, open_slides
from diffuscope.training.data.volumes import VolumeSampler, open_volumes
from diffuscope.training.data.whole_slices import stack_slices, whole
from diffuscope.training.recipe import Recipe
from diffuscope.training.recipe_data import Cases

#: Crops that validate, in all.
VALIDATE = 32


def crops_to_validate(steps: int, batch: int) -> int:
    """Return how many crops validate a training: no more than it learns from.

    A trial of a few steps would take most of its time for this.
    """
    return min(steps * batch, VALIDATE)


def read_cases(
    recipe: Recipe, settings: Cases, system: System, folder: Path, known: dict[str, str] | None = None
) -> dict[str, list[Case]]:
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
    known : dict of str to str, optional
        As of `split_as_before`.

    Returns
    -------
    dict of str to list of Case
        ``"train"``, ``"validation"``, ``"test"``.

    Raises
    ------
    InputError
        There are no cases, too few, one of them is not whole, or a group that the recipe names is not there.
    """
    keys, optional = system.training_keys()
    cases = find_cases(folder / settings.path, keys, optional=optional)
    if settings.validate_on or settings.test_on:
        cases = _named(cases, settings)
    known = {} if known is None else known
    return split_as_before(cases, known, validation=settings.validation, seed=recipe.optimisation.seed)


def ports_of(system: System) -> dict[str, Raster]:
    """Return what a case's pictures are to a system, by key; at its inputs' spacing."""
    spacing = system.input_rasters[0].spacing
    return {port.key: replace(port, spacing=spacing) for port in (*system.output_rasters, *system.input_rasters)}


def open_sampler(
    case: Case,
    settings: Cases,
    system: System,
    *,
    side: int,
    augment: bool = False,
    together: SlideStains | None = None,
) -> CropSampler:
    """Open a case: pictures for a system of slides, volumes for one of volumes.

    Parameters
    ----------
    case : Case
        From `read_cases`.
    settings : Cases
        µm/px, tissue.
    system : System
        Says what its pictures are.
    side : int
        Of a crop, px.
    augment : bool
        Whether the stain of an H&E is to be augmented.
    together : SlideStains, optional
        As of `open_slides`.

    Raises
    ------
    InputError
        As `open_slides` and `open_volumes`.
    """
    if system.input_rasters[0].axes == "zyx":
        return open_volumes(case, ports_of(system), system, settings, side=side)
    return open_slides(case, ports_of(system), system, settings, side=side, augment=augment, together=together)


def crops_of(
    parts: Mapping[str, Sequence[Case]],
    settings: Cases,
    system: System,
    *,
    seed: int,
    batch: int,
    side: int,
    validate: int = VALIDATE,
    tell: Tell = untold,
) -> TrainingData:
    """Return training batches of the cases that train, and fixed ones of those that validate.

    Parameters
    ----------
    parts : mapping of str to sequence of Case
        From `read_cases`.
    settings : Cases
        µm/px, tissue, augmentation.
    system : System
        Says which pictures it takes, at which µm/px or spacing, and completes them.
    seed : int
        Key of the random numbers.
    batch, side : int
        Crops a batch, and their side in px.
    validate : int
        Crops that validate, in all, but at least one a case.
    tell : callable, optional
        As of `diffuscope.training.data.reading.told`.

    Returns
    -------
    TrainingData

    Raises
    ------
    InputError
        A picture cannot be opened, pictures of one case do not fit, or a case has no crop with enough tissue.
    """
    # Where H&E is also generated its colours are a truth.
    augment = settings.stain_augmentation and HE in {p.key for p in system.input_rasters} - {
        p.key for p in system.output_rasters
    }
    every = [case for part in PARTS for case in parts.get(part, ())]
    together = slide_stains(every, system.input_rasters, settings.mpp)
    ready = partial(open_sampler, settings=settings, system=system, side=side, together=together)
    train, held = read_parts(parts, lambda case, trains: ready(case, augment=augment and trains), tell)
    share = max(validate // len(held), 1) if held else 0
    crops = [system.complete(sampler.read(corner, side)) for sampler in held for corner in sampler.spread(share)]
    return TrainingData(
        batch_at=partial(batch_at, train, system, seed=seed, size=batch, side=side),
        validation=batches_of(crops, batch),
        seen=partial(seen_in_cases, train, system.input_rasters),
        notices=_alone([*train, *held]),
    )


def whole_slices_of(
    parts: Mapping[str, Sequence[Case]],
    settings: Cases,
    system: System,
    *,
    seed: int,
    batch: int,
    canvas: int,
    validate: int = VALIDATE,
    tell: Tell = untold,
) -> TrainingData:
    """Return training batches of whole slices, warped on the device that trains, and slices as they are that validate.

    Parameters
    ----------
    parts, settings, system, seed, batch, validate, tell
        As of `crops_of`.
    canvas : int
        Side of a training example, px.

    Raises
    ------
    InputError
        As `crops_of`; the system is none of volumes, or a slice is larger than its tile.
    """
    if system.input_rasters[0].axes == "yx":
        raise InputError(f"{type(system).__name__} works on slides, which have no slices: leave out data.whole_slices.")

    def ready(case: Case) -> VolumeSampler:
        return whole(open_volumes(case, ports_of(system), system, settings, side=system.tile))

    train, held = read_parts(parts, lambda case, _trains: ready(case), tell)
    slices = stack_slices(train, system, side=system.tile, canvas=canvas, elastic=settings.elastic, tell=tell)
    share = max(validate // len(held), 1) if held else 0
    crops = [system.complete(sampler.read(corner, system.tile)) for sampler in held for corner in sampler.spread(share)]
    return TrainingData(
        partial(slices.batch_at, seed=seed, size=batch),
        batches_of(crops, batch),
        slices.finish,
        partial(seen_in_cases, train, system.input_rasters),
    )


def batch_at(
    samplers: Sequence[CropSampler], system: System, number: int, *, seed: int, size: int, side: int
) -> dict[str, Tensor]:
    """Batch of a number, a function of (seed, number) alone, so that a resumed run sees the same.

    Every case is as likely as any other, whatever its size; a batch holds cases that have the same pictures. Pictures
    of a case are turned and mirrored together, volumes only mirrored left to right; the H&E's stain is augmented alone.

    Parameters
    ----------
    samplers : sequence of CropSampler
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
    keys = samplers[int(rng.integers(len(samplers)))].keys
    alike = [sampler for sampler in samplers if sampler.keys == keys]
    crops = []
    for index in rng.integers(len(alike), size=size):
        sampler = alike[index]
        corner = sampler.corners[rng.integers(len(sampler.corners))]
        crops.append(system.complete(sampler.augment(sampler.read(corner, side), rng)))
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


def _alone(samplers: Sequence[CropSampler]) -> tuple[str, ...]:
    """Tell of small pictures that are normalised each by itself."""
    alone = [
        one
        for sampler in samplers
        for one in (sampler.scaled.values() if isinstance(sampler, SlideSampler) else ())
        if one.stains is not None and not one.stains.measured_on and isinstance(one.scan, Scan) and is_cut(one.scan)
    ]
    if not alone:
        return ()
    told = (
        f"{len(alone)} pictures, {alone[0].scan.name} first, are under 0.25 mm² and each is normalised by its own "
        "stains, which so small a cut shows badly: say which slide each was cut from, in a table with a column slide."
    )
    return (told,)


def _named(cases: Sequence[Case], settings: Cases) -> list[Case]:
    """Put the groups that a recipe names into their parts; where it names some to validate, all others train."""
    place = held_out(settings, {case.group for case in cases}, "group of the data")
    rest = "train" if settings.validate_on else None
    return [replace(case, part=place.get(case.group) or case.part or rest) for case in cases]
