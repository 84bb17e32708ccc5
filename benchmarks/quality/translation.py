"""One property of a trained MIDiffusion: quality, what few steps cost, seconds, its map of support, flicker, pictures.

The slices are those of patients that the shipped recipe of the same source and target holds out
(`benchmarks.shared.scans`); the data must lie beside the repository. Figures that ``--json`` wrote go on the card of a
model folder by ``diffuscope make card MODEL FILE …``.

- ``quality``: of all patients that were held out, whole slices: the mean and one sample, beside controls (see
  `benchmarks.quality._translation_quality`).
- ``consistency``: PSNR by how consistent levels are made; with ``--tune`` what a recipe's `consistency` is chosen by.
- ``steps``: what the fast and the best preset lose in PSNR against the reference (1000 evaluations of Algorithm 1), one
  sample each, of slices alone, and the energy of their results above a quarter of a cycle a px over the reference's.
- ``seconds``: of one slice at default quality, the least of several.
- ``support``: whether the map of support finds structures that were painted into results, or left out of them: AUROC of
  1 - support over px, those of the structure against those of the scan farther away than LMI sees. Beside the model's
  results the truth is taken for one, which holds nothing made up but what was planted.
- ``trust``: whether that map is low where the level of a region flips (see `benchmarks.quality._translation_trust`).
- ``pictures``: of each patient the worst slice, in the PNG that ``--png`` names.
- ``flicker``: the mean step from slice to slice of a result over that of the target itself: with noise of its own in
  every slice, with noise that all share, and with both that and the guidance of neighbouring slices, the default.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.quality._translation_pictures import worst_slices
from benchmarks.quality._translation_quality import consistencies, quality
from benchmarks.quality._translation_trust import trust
from benchmarks.shared.figures import Goal
from benchmarks.shared.scans import DIRECTIONS, Direction, Pictures, Slices, consecutive, slices_of
from benchmarks.shared.translated import mean_psnr, translated
from diffuscope import load_model
from diffuscope.errors import InputError
from diffuscope.systems.midiffusion.support import BLUR, SUPPORT, support
from diffuscope.systems.midiffusion.system import MIDiffusion

# Slices in all for presets and for planted structures, slices one after the other, and takings of time.
_SLICES, _PLANTED, _RUN, _ROUNDS = 4, 10, 12, 5
# Cycles a px: finer than this is high frequency.
_FINE = 0.25
# A structure is a Gaussian blob of this standard deviation, px, and contrast, of the range, in 0 … 1; its px are those
# above a quarter of it.
_WIDTHS, _CONTRAST = (2.0, 4.0), 0.4
# Places that are tried for a structure that is left out: the one with the most to lose is taken.
_TRIED = 64
_AUROC = Goal(low=0.85)
GOALS = {
    "registered_margin_db_mean_over_constant": Goal(low=0.5),
    "registered_margin_db_sample_over_controls": Goal(low=0.0),
    **{f"psnr_lost_db_{name}": Goal(high=0.2) for name in ("fast", "best")},
    **{f"fine_energy_ratio_{name}": Goal(low=0.95, high=1.05) for name in ("fast", "best")},
    "seconds_a_slice": Goal(high=6.0),
    **{f"auroc_{how}_{name}": _AUROC for name in ("truth", "results") for how in ("painted_in", "left_out")},
    "auroc_flipped": _AUROC,
    "correlation_worst": Goal(low=0.3),
    "support_turned_tumours": Goal(high=0.5),
    "flicker_default": Goal(high=1.1),
}


def measure(
    what: Literal["quality", "consistency", "steps", "seconds", "support", "trust", "flicker", "pictures"],
    model: str,
    *,
    tune: bool = False,
    png: Path | None = None,
) -> dict[str, float]:
    """Measure one property of a model.

    Parameters
    ----------
    what : str
        The property, see above.
    model : str
        A model folder, or a name.
    tune : bool
        On patients that do not test: to choose constants.
    png : Path
        Of pictures: the file to write.
    """
    system = load_model(model).system
    direction = replace(direction_of(system, model), tune=tune)
    assert isinstance(system, MIDiffusion)
    if what != "pictures":
        return MEASURES[what](system, direction)
    if png is None:
        raise InputError("give the picture to write: --png FILE.")
    return worst_slices(system, direction, png)


def direction_of(system: object, name: str) -> Direction:
    """Return the direction whose source and target a model has.

    Raises
    ------
    InputError
        It is no MIDiffusion, no shipped recipe has these, or the data are not there.
    """
    if not isinstance(system, MIDiffusion):
        raise InputError(f"{name} is a {type(system).__name__}, no MIDiffusion: give one that translates scans.")
    keys = system.config.source.key, system.config.target.key
    for direction in DIRECTIONS:
        if tuple(one.key for one in direction.modalities) == keys:
            if not direction.is_there:
                raise InputError(f"there is no folder ../shared/data/{direction.folder} beside the repository.")
            return direction
    raise InputError(f"{name} translates {keys[0]} to {keys[1]}: there are no scans of these to test on.")


def steps(system: MIDiffusion, direction: Direction) -> dict[str, float]:
    """Compare the presets with the reference."""
    tests = _spread(direction, _SLICES)
    found = {
        name: translated(system, tests.source, tests.places, settings=preset).sample
        for name, preset in system.presets.items()
    }
    fine = {name: fine_energy(tests, one) for name, one in found.items()}
    level = {name: mean_psnr(tests, one) for name, one in found.items()}
    figures = {"psnr_db_reference": level["reference"]}
    for name in ("fast", "best"):
        figures |= {
            f"evaluations_{name}": system.presets[name].steps,
            f"psnr_lost_db_{name}": level["reference"] - level[name],
            f"fine_energy_ratio_{name}": fine[name] / fine["reference"],
        }
    return figures | {"fine_energy_ratio_of_the_truth": fine_energy(tests, tests.target) / fine["reference"]}


def seconds(system: MIDiffusion, direction: Direction) -> dict[str, float]:
    """Time a slice at default quality."""
    tests = _spread(direction, 1)
    taken = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        translated(system, tests.around[:1], tests.places[:1])
        taken.append(time.perf_counter() - start)
    preset = next(iter(system.presets.values()))
    return {"seconds_a_slice": min(taken), "evaluations": preset.steps, "threads": torch.get_num_threads()}


def planted(system: MIDiffusion, direction: Direction) -> dict[str, float]:
    """Look for structures that were painted in, or left out, by support."""
    tests = _spread(direction, _PLANTED)
    results = {"truth": tests.target, "results": translated(system, tests.around, tests.places).sample}
    return {
        f"auroc_{how}_{name}": found_auroc(tests, result, removed=how == "left_out")
        for name, result in results.items()
        for how in ("painted_in", "left_out")
    }


def flicker(system: MIDiffusion, direction: Direction) -> dict[str, float]:
    """Compare steps from slice to slice with the target's."""
    tests = consecutive(direction, direction.held[0], _RUN, direction.side)
    true = _step(tests, tests.target)
    ways = {"own_noise": (tests.source, 0.0), "shared_noise": (tests.source, 1.0), "default": (tests.around, 1.0)}
    figures = {}
    for way, (source, share) in ways.items():
        found = translated(system, source, tests.places, options={"along_z": share}).sample
        figures[f"flicker_{way}"] = _step(tests, found) / true
    return figures


def fine_energy(tests: Slices, pictures: Pictures) -> float:
    """Return the energy a px above a quarter of a cycle a px, mean over slices, of what lies in the scan."""
    energies = []
    for picture, inside in zip(pictures, tests.inside, strict=True):
        image = picture[inside].astype(np.float64)
        # Without a window the borders' steps would be most of it.
        window = np.outer(*(np.hanning(length) for length in image.shape))
        power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
        rows, columns = (np.fft.fftfreq(length) for length in image.shape)
        energies.append(power[np.hypot(rows[:, None], columns) > _FINE].sum() / image.size / np.sum(window**2))
    return float(np.mean(energies))


def found_auroc(tests: Slices, results: Pictures, *, removed: bool) -> float:
    """Return AUROC of 1 − support over the px of all slices, a structure painted into each or left out of it."""
    low, planted_ = [], []
    for number, (source, result, inside) in enumerate(zip(tests.source, results, tests.inside, strict=True)):
        changed, where = plant(source[inside], result[inside], np.random.default_rng(number), removed=removed)
        pair = (torch.from_numpy(2 * one - 1)[None, None] for one in (source[inside], changed))
        held = 1.0 - support(*pair)[0, 0].numpy()
        counted = where | ~_near(where)
        low.append(held[counted])
        planted_.append(where[counted])
    return float(roc_auc_score(np.concatenate(planted_), np.concatenate(low)))


def plant(
    source: Pictures, result: Pictures, rng: np.random.Generator, *, removed: bool
) -> tuple[Pictures, NDArray[np.bool_]]:
    """Paint a structure into a result, or leave one out; return the result, and where.

    Parameters
    ----------
    source, result : ndarray of shape (h, w)
        In 0 … 1. Structures lie where the source is no background.
    rng : Generator
        Of place and width.
    removed : bool
        Level what is there, down to its mean, instead of painting.
    """
    height, width = result.shape
    rows, columns = np.ogrid[:height, :width]
    sigma = rng.uniform(*_WIDTHS)
    reach = int(np.ceil(2 * sigma))
    centres = np.argwhere(source > 0.1)
    fits = (centres >= reach).all(axis=1) & (centres < np.array(result.shape) - reach).all(axis=1)
    centres = rng.permutation(centres[fits])[:_TRIED]
    blobs = (np.exp(-0.5 * ((rows - y) ** 2 + (columns - x) ** 2) / sigma**2).astype(np.float32) for y, x in centres)
    if not removed:
        blob = next(blobs)
        where = blob > 0.25
        sign = 1.0 if result[where].mean() < 0.5 else -1.0
        return (result + np.float32(sign * _CONTRAST) * blob).clip(0, 1), where
    blob = max(blobs, key=lambda one: float(result[one > 0.25].std()))
    where = blob > 0.25
    # Levelled wholly in the middle, and less and less outwards.
    part = np.minimum(2.0 * blob, 1.0)
    return result + part * (result[where].mean() - result), where


def _near(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the px whose support, of patches and of means over them, touches a structure."""
    reach = SUPPORT.patch // 2 + ceil(3 * BLUR)
    ys, xs = np.nonzero(where)
    near = np.zeros_like(where)
    near[max(ys.min() - reach, 0) : ys.max() + reach + 1, max(xs.min() - reach, 0) : xs.max() + reach + 1] = True
    return near


def _spread(direction: Direction, number: int) -> Slices:
    """Return so many whole slices of the patients that test, or a few less; of one patient at least one."""
    patients = direction.held[:number]
    return slices_of(direction, patients, max(number // len(patients), 1), direction.side)


def _step(tests: Slices, pictures: Pictures) -> float:
    inside = tests.inside[0]
    return float(np.abs(np.diff(pictures[:, inside[0], inside[1]], axis=0)).mean())


MEASURES: dict[str, Callable[[MIDiffusion, Direction], dict[str, float]]] = {
    "quality": quality,
    "consistency": consistencies,
    "steps": steps,
    "seconds": seconds,
    "support": planted,
    "trust": trust,
    "flicker": flicker,
}
