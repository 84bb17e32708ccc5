"""How near a MedM2G of real scans comes to patients whom it was not trained on, beside what ships for the same task.

Of each direction between two of the model's images for which a MIDiffusion ships: the middle, 128 px a side, of slices
of the patients whom that one holds out (`benchmarks.shared.scans`), and which it sees whole. Beside one sample of the
model (no ending) and the mean of two (``_mean``) stand ``_midiffusion`` and its mean, which have seen the target
alone; ``_supervised``, a U-Net of the mean absolute error on the same pairs; what needs no model
(`benchmarks.quality._translation_quality`); ``_another_patient``, the model's sample from another patient's slice; and
what could be had: ``_through_autoencoder``, the truth as the latents hold it, and ``_oracle``. ``registered_`` has the
pairs brought onto each other in their plane before.

Of a model of T1, T2 and FLAIR also FLAIR from the two others, on DAMM-Diffusion's crops of 128 px of the patient who
was held out, beside the DAMM-Diffusion that ships (``_damm``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.quality._translation_quality import controls, figures_of, levels_of_truth
from benchmarks.reproduce.damm.heads import PATIENTS, TASKS, HeadTask, made, scored
from benchmarks.reproduce.damm.tasks import BUDGETS
from benchmarks.reproduce.medm2g.controls import Translator, regressed
from benchmarks.shared.figures import Goals
from benchmarks.shared.in_plane import registered
from benchmarks.shared.scans import (
    DIRECTIONS,
    Direction,
    Pictures,
    Slices,
    opened,
    physical,
    slices_of,
    strangers,
    system_of,
    unit,
)
from benchmarks.shared.slide import sample_tiles
from benchmarks.shared.translated import translated
from diffuscope import load_model
from diffuscope.errors import InputError
from diffuscope.systems.damm.system import DAMM
from diffuscope.systems.medm2g.images import Images
from diffuscope.systems.medm2g.system import MedM2GSlices
from diffuscope.systems.midiffusion.system import MIDiffusion
from diffuscope.tiling.blending import ramp
from diffuscope.training.data.crops import batch_at

GOALS: Goals = {}
# Slices in all, of each patient as many, and the side of what is judged of them, px; K of a mean; tiles at once.
_JUDGED, _MIDDLE, _SAMPLES, _AT_ONCE = 10, 128, 2, 4
# Noise of latents lies on a grid of so many px.
_GRID = 4
# Of the supervised network.
_STEPS, _BATCH, _SIDE, _KNOWN = 400, 16, 64, 1600
_FLAIR = "flair"
_TRAINED, _HELD = PATIENTS


def measure(model: str) -> dict[str, float]:
    """Score what a model makes of each scan, and what it is held against.

    Parameters
    ----------
    model : str
        A model folder, or a name.
    """
    system = load_model(model).system
    if not isinstance(system, MedM2GSlices):
        raise InputError(f"{model} is no MedM2G of slices: give one that is.")
    keys = {image.key for image in system.config.images}
    wanted = [one for one in DIRECTIONS if {modality.key for modality in one.modalities} <= keys]
    missing = [one.folder for one in wanted if not one.is_there]
    if missing or not wanted:
        lacking = (
            f"no folder ../shared/data/{missing[0]}" if missing else f"no MIDiffusion between two of {sorted(keys)}"
        )
        raise InputError(f"{model} cannot be measured here: there is {lacking}.")
    figures: dict[str, float] = {}
    for direction in wanted:
        figures |= {f"{_name(direction)}_{key}": value for key, value in _translation(system, direction).items()}
    if {_FLAIR, *TASKS[_FLAIR]} <= keys:
        figures |= _from_two(system)
    return figures


def _name(direction: Direction) -> str:
    return direction.name.lower().replace(" ", "_")


def _translation(system: MedM2GSlices, direction: Direction) -> dict[str, float]:
    """Return the figures of one direction between two images."""
    each = max(_JUDGED // len(direction.held), 1)
    tests = slices_of(direction, direction.held, each, direction.side)
    source, target = direction.modalities
    shipped = load_model(direction.shipped).system
    assert isinstance(shipped, MIDiffusion)
    at = _middles(tests)
    middle = _middle(tests, at)
    others = _cut(strangers(direction, each, direction.side), at)
    given = {source.key: physical(middle.source, source)}
    samples = [_made(system, given, target.key, middle.places, seed) for seed in range(_SAMPLES)]
    own = {
        "": samples[0],
        "_mean": np.mean(samples, axis=0),
        "_another_patient": _made(system, {source.key: physical(others, source)}, target.key, middle.places),
        "_through_autoencoder": _encoded(system, target.key, physical(middle.target, target)),
    }
    whole = controls(direction, tests) | {
        "_midiffusion": translated(shipped, tests.around, tests.places).sample,
        "_midiffusion_mean": translated(shipped, tests.around, tests.places, settings=shipped.presets["mean"]).sample,
    }
    found = {name: unit(one, target) for name, one in own.items()}
    found["_supervised"] = _supervised(*_pairs(direction), middle.source[:, None])
    found |= {name: _cut(one, at) for name, one in whole.items()}
    figures: dict[str, float] = {}
    for prefix, some in (("", tests), ("registered_", registered(direction, tests))):
        every = found | {"_oracle": _cut(levels_of_truth(some), at)}
        figures |= {prefix + key: value for key, value in figures_of(_middle(some, at), every, target).items()}
    return figures


def _middles(tests: Slices) -> list[tuple[int, int]]:
    """Return where the middle of each slice's scan begins, as far as the slice goes, on the grid of latents."""
    last = tests.target.shape[-1] - _MIDDLE
    centres = [[(one.start + one.stop - _MIDDLE) // 2 // _GRID * _GRID for one in part] for part in tests.inside]
    return [(min(max(y, 0), last), min(max(x, 0), last)) for y, x in centres]


def _cut(pictures: Pictures, at: Sequence[tuple[int, int]]) -> Pictures:
    """Return the middle of slices (n, …, side, side)."""
    return np.stack([one[..., y : y + _MIDDLE, x : x + _MIDDLE] for one, (y, x) in zip(pictures, at, strict=True)])


def _middle(tests: Slices, at: Sequence[tuple[int, int]]) -> Slices:
    """Return the middle of slices, and which part of it lies in the scan."""

    def within(part: slice, start: int) -> slice:
        return slice(max(part.start - start, 0), min(part.stop - start, _MIDDLE))

    inside = tuple(
        (within(rows, y), within(columns, x)) for (rows, columns), (y, x) in zip(tests.inside, at, strict=True)
    )
    places = tuple((z, top + y, left + x) for (z, top, left), (y, x) in zip(tests.places, at, strict=True))
    return Slices(tests.patients, places, _cut(tests.around, at), _cut(tests.target, at), inside)


def _from_two(system: MedM2GSlices) -> dict[str, float]:
    """Return the figures of FLAIR of a head from T1 and T2, on crops that DAMM-Diffusion is judged on."""
    target = _FLAIR
    task = HeadTask(target, _HELD, "dammp", BUDGETS["standard"])
    tests, sources = task.tests(), TASKS[target]
    truth = tests[target]
    known = replace(task, held=_TRAINED).tests()[target]
    given = {key: tests[key] for key in sources}
    places = [(number, 0, 0) for number in range(len(truth))]
    two = np.stack([tests[key] for key in sources], axis=1)
    samples = [_made(system, given, target, places, seed) for seed in range(_SAMPLES)]
    found = {
        "": samples[0],
        "_mean": np.mean(samples, axis=0),
        "_through_autoencoder": _encoded(system, target, truth),
        "_supervised": _supervised(*_crops(task), two),
        "_one_number": np.full_like(truth, known.mean()),
    } | {f"_{key}_as_it_is": tests[key] for key in sources}
    shipped = load_model("ms-flair-demo").system
    assert isinstance(shipped, DAMM)
    found["_damm"] = made(task, shipped, tests)
    name = f"{'_'.join(sources)}_to_{target}"
    return {
        f"{name}_{key}{method}": float(np.mean(values))
        for method, pictures in found.items()
        for key, values in scored(truth, pictures.clip(0, 1)).items()
    }


def _made(
    system: MedM2GSlices,
    given: Mapping[str, Pictures],
    target: str,
    places: Sequence[tuple[int, int, int]],
    seed: int = 0,
) -> Pictures:
    """Return what a model makes of slices (n, h, w) in the ranges of its ports, from tiles that a run would blend."""
    settings = replace(next(iter(system.presets.values())), wanted=(target,))
    total = next(iter(given.values())).shape
    found, weight = np.zeros(total, np.float64), np.zeros(total[1:], np.float64)
    for rows, columns, share in _tiles(total[1:], system.tile, system.overlap):
        weight[rows, columns] += share
        for first in range(0, total[0], _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            images = {
                key: torch.from_numpy(np.ascontiguousarray(one[some, None, rows, columns]))
                for key, one in given.items()
            }
            corners = [(z, y + rows.start, x + columns.start) for z, y, x in places[some]]
            outputs, _ = sample_tiles(system, images, corners, settings, seed=seed)
            found[some, rows, columns] += outputs[target][:, 0].numpy() * share
    return (found / weight).astype(np.float32)


def _tiles(shape: tuple[int, ...], tile: int, overlap: int) -> Iterator[tuple[slice, slice, NDArray[np.float64]]]:
    """Yield as few tiles as cover a slice, at least `overlap` px over each other, and their weights."""
    profile = np.ones(tile)
    profile[:overlap], profile[-overlap:] = ramp(overlap), ramp(overlap)[::-1]
    ends = [
        np.linspace(0, extent - tile, 1 + max(-(-(extent - tile) // (tile - overlap)), 0)).astype(int)
        for extent in shape
    ]
    for y in ends[0]:
        for x in ends[1]:
            yield slice(int(y), int(y) + tile), slice(int(x), int(x) + tile), np.outer(profile, profile)


@torch.inference_mode()
def _encoded(system: MedM2GSlices, key: str, pictures: Pictures) -> Pictures:
    """Return slices through the autoencoder and back, in the range of their port."""
    side = system.guide.flow(system.config.modality(key)).side
    assert isinstance(side, Images)
    images = system.unit(key, torch.from_numpy(pictures[:, None]))
    latents = torch.cat([side.encode(images[i : i + 1]) for i in range(len(images))])
    back: Pictures = torch.cat([system.pictures({key: one[None]})[key] for one in latents])[:, 0].float().numpy()
    return back


def _supervised(inputs: Pictures, targets: Pictures, tests: Pictures) -> Pictures:
    """Return what a U-Net makes of slices (n, c, h, w) that learned from crops (m, c, s, s) and (m, 1, s, s)."""
    torch.manual_seed(0)
    network = regressed(inputs, targets, Translator(inputs.shape[1]), steps=_STEPS, batch=_BATCH, seed=0)
    with torch.inference_mode():
        found: Pictures = torch.cat([network(torch.from_numpy(one[None])) for one in tests])[:, 0].numpy()
    return found


def _pairs(direction: Direction) -> tuple[Pictures, Pictures]:
    """Return crops of source and target of the patients who trained, 0 … 1."""
    samplers = [opened(direction, patient, (0, 1), _SIDE) for patient in direction.trained]
    parts: tuple[list[Pictures], list[Pictures]] = ([], [])
    for step in range(_KNOWN // _BATCH):
        batch = batch_at(samplers, system_of(direction), step, seed=0, size=_BATCH, side=_SIDE)
        for part, modality in zip(parts, direction.modalities, strict=True):
            images = batch[modality.key]
            part.append(unit(images[:, images.shape[1] // 2, None].numpy(), modality))
    return np.concatenate(parts[0]), np.concatenate(parts[1])


def _crops(task: HeadTask) -> tuple[Pictures, Pictures]:
    """Return crops of the two contrasts and of the third of the patient who trained, 0 … 1."""
    at = task.batches()
    batches = [at(step) for step in range(_KNOWN // task.budget.batch)]
    inputs = [torch.cat([one[key] for key in TASKS[task.target]], dim=1) for one in batches]
    return torch.cat(inputs).numpy(), torch.cat([one[task.target] for one in batches]).numpy()
