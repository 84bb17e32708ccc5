"""How near a model's slices are to the truth of patients that were held out, beside what needs no model.

Whole slices, as a run computes them, of every patient that the shipped recipe holds out. Two figures are the model's
own: the mean, one evaluation at the highest noise, and one sample. Beside them stand, under names of their own:

- what knows the target alone: ``constant``, its mean inside the body in training, where the source has its body, and
  air beside; ``mean_image``, its mean px by px;
- what knows the source: ``source_as_it_is``, its range for the target's; ``source_matched``, by rank; ``sdedit``, the
  same weights without LMI begun at the source, and ``sdedit_matched`` at the matched one, each with the t0 that is
  best on these very slices;
- what the guidance is worth: ``another_patient``, another patient's slice as source; ``no_guidance``;
  ``slice_alone``, the sample that its slice alone guides, as the paper has it;
- what could be had: ``truth_as_source``, a pair that lies on each other perfectly; ``oracle``, the truth's own mean
  for each of 24 levels of the source in a slice, which no map of levels can beat.

Keys end with the method; ``psnr_db``, ``ssim``, ``gradient_correlation`` and Dice of bone and air are means over
patients of means over their slices. ``_spread`` is the standard deviation over patients, ``_worst`` the patient where
it is least. ``registered_`` has the pairs brought onto each other in their plane before (`benchmarks.shared.in_plane`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from benchmarks.reproduce.claims import known_mean
from benchmarks.shared.in_plane import registered
from benchmarks.shared.scans import Direction, Pictures, Slices, learned, matched, slices_of, strangers
from benchmarks.shared.translated import mean_psnr, scores, translated
from diffuscope.systems.midiffusion.config import ModalityConfig
from diffuscope.systems.midiffusion.consistency import Consistency
from diffuscope.systems.midiffusion.place import body_mask
from diffuscope.systems.midiffusion.system import MIDiffusion

# Slices in all, of each patient as many; SDEdit's beginnings.
_JUDGED, _T0 = 20, (0.3, 0.4, 0.5, 0.6)
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
#: The methods that controls are held against.
MEAN, SAMPLE = "_mean", ""
#: What a sample is to be better than.
_CONTROLS = (
    "_constant", "_mean_image", "_source_as_it_is", "_source_matched", "_sdedit", "_sdedit_matched", "_another_patient",
)  # fmt: skip
_KEYS = ("psnr_db", "ssim", "gradient_correlation", "dice_bone", "dice_air")


def quality(system: MIDiffusion, direction: Direction) -> dict[str, float]:
    """Score a model and its controls on the patients that were held out.

    Parameters
    ----------
    system : MIDiffusion
        Trained.
    direction : Direction
        Its source and target.
    """
    each = max(_JUDGED // len(direction.held), 1)
    tests = slices_of(direction, direction.held, each, direction.side)
    found = model_results(system, direction, tests, each) | controls(direction, tests)
    target = direction.modalities[1]
    figures: dict[str, float] = {}
    for prefix, some in (("", tests), ("registered_", registered(direction, tests))):
        figures |= {prefix + key: value for key, value in figures_of(some, found, target).items()}
        oracle = {"_oracle": levels_of_truth(some)}
        figures |= {prefix + key: value for key, value in figures_of(some, oracle, target).items()}
    return figures | margins(figures)


def consistencies(system: MIDiffusion, direction: Direction) -> dict[str, float]:
    """Return PSNR of the mean and of a sample by how consistent levels are made, pairs registered, and Dice of bone."""
    each = max(_JUDGED // (2 * len(direction.held)), 1)
    tests = registered(direction, slices_of(direction, direction.held, each, direction.side))
    figures: dict[str, float] = {}
    for share in _SHARES:
        options = {"consistency": share}
        found = {
            f"_mean_{share:g}": translated(
                system, tests.around, tests.places, settings=system.presets["mean"], options=options
            ).sample,
            f"_{share:g}": translated(system, tests.around, tests.places, options=options).sample,
        }
        every = figures_of(tests, found, direction.modalities[1])
        figures |= {key: value for key, value in every.items() if key.startswith(("psnr", "dice_bone"))}
    return figures


def model_results(system: MIDiffusion, direction: Direction, tests: Slices, each: int) -> dict[str, Pictures]:
    """Return what a model makes of slices, and of what else it is asked, by method."""
    presets, places, source = system.presets, tests.places, tests.source
    known = matched(tests, learned(direction, direction.side))
    found = {
        SAMPLE: translated(system, tests.around, places).sample,
        MEAN: translated(system, tests.around, places, settings=presets["mean"]).sample,
        "_slice_alone": translated(system, source, places).sample,
        "_another_patient": translated(system, strangers(direction, each, direction.side), places).sample,
        "_no_guidance": translated(system, source, places, options={"guidance": 0.0}).sample,
        "_truth_as_source": translated(system, tests.target, places).sample,
        "_truth_as_source_mean": translated(system, tests.target, places, settings=presets["mean"]).sample,
    }
    for method, begun in (("_sdedit", source), ("_sdedit_matched", known)):
        tried = [translated(system, begun, places, options={"guidance": 0.0, "t0": t0}).sample for t0 in _T0]
        found[method] = max(tried, key=lambda one: mean_psnr(tests, one))
    return found


def controls(direction: Direction, tests: Slices) -> dict[str, Pictures]:
    """Return what needs no model, by method."""
    known = learned(direction, direction.side)
    bodies = np.stack([body_mask(image) for image in tests.source])
    level = np.float32(known[np.stack([body_mask(image) for image in known])].mean())
    return {
        "_constant": level * bodies,
        "_mean_image": np.broadcast_to(known.mean(axis=0), tests.target.shape),
        "_source_as_it_is": tests.source,
        "_source_matched": matched(tests, known),
    }


def levels_of_truth(tests: Slices) -> Pictures:
    """Return the truth's mean for each level of the source, slice by slice, of what lies in the scan."""
    found = tests.target.copy()
    for image, source, truth, inside in zip(found, tests.source, tests.target, tests.inside, strict=True):
        levels = Consistency(torch.from_numpy(2 * source[inside] - 1)[None, None])
        image[inside] = levels.means(torch.from_numpy(np.ascontiguousarray(truth[inside]))[None, None])[0, 0].numpy()
    return found


def margins(figures: Mapping[str, float]) -> dict[str, float]:
    """Return by how many dB the mean is above the constant, and a sample above the best control but the oracle."""
    found = {}
    for prefix in ("", "registered_"):
        psnr = {method: figures[f"{prefix}psnr_db{method}"] for method in (SAMPLE, MEAN, *_CONTROLS)}
        found[f"{prefix}margin_db_mean_over_constant"] = psnr[MEAN] - psnr["_constant"]
        found[f"{prefix}margin_db_sample_over_controls"] = psnr[SAMPLE] - max(psnr[method] for method in _CONTROLS)
    return found


def figures_of(tests: Slices, found: Mapping[str, Pictures], target: ModalityConfig) -> dict[str, float]:
    """Return the figures of methods, means over patients; of the model's own also how patients differ."""
    figures: dict[str, float] = {}
    for method, pictures in found.items():
        rows = scores(tests, pictures, target)
        for key in _KEYS:
            by_patient = [
                known_mean([row[key] for row, name in zip(rows, tests.patients, strict=True) if name == patient])
                for patient in dict.fromkeys(tests.patients)
            ]
            values = [value for value in by_patient if value is not None]
            if not values:
                continue
            figures[key + method] = float(np.mean(values))
            if key == "psnr_db" and len(values) > 1:
                figures[f"psnr_db{method}_spread"] = float(np.std(values, ddof=1))
                if method in (SAMPLE, MEAN):
                    figures[f"psnr_db{method}_worst"] = min(values)
    return figures
