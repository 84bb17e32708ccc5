"""Whether the map of support knows where not to be believed: regions of held-out slices whose level flips.

A px is flipped where the means over 3 px of a sample and of the truth, brought onto its source in the plane
(`benchmarks.shared.in_plane`), differ by more than 0.4 of the range, in regions at least 7 px wide, inside the source's
body: tumour to air, brain to background, not an edge that is out of place. Keys:

- ``auroc_flipped``: of 1 − support, flipped px against the others; ``_structure``, ``_levels`` of its two factors
  alone, ``_spread`` of the standard deviation over four samples instead;
- ``correlation``: Spearman's of 1 − support with the error of those means, px of the body, mean over patients, and
  ``correlation_worst`` of the patient where it is least;
- ``flipped_percent`` of the body; ``support_flipped`` and ``support_kept``, means over flipped px and over the others;
- of CT, ``tumours`` (slices of one), how many of them were turned to air, and the mean support on those.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from benchmarks.shared.in_plane import registered
from benchmarks.shared.scans import Direction, Pictures, Slices, slices_of, unit
from benchmarks.shared.translated import AIR, translated
from diffuscope.scans import Volume, open_input
from diffuscope.systems.midiffusion.place import body_mask
from diffuscope.systems.midiffusion.support import level_support, support
from diffuscope.systems.midiffusion.system import MIDiffusion

# Slices in all, of each patient as many; samples for the spread.
_JUDGED, _SAMPLES = 20, 4
# Px that errors are means over; part of the range beyond which it is a flip; radius of the smallest flipped disc, px.
_MEANS, _FLIP, _RADIUS = 3.0, 0.4, 3
_GTV = "gtv.nii.gz"


def trust(system: MIDiffusion, direction: Direction) -> dict[str, float]:
    """Measure the map of support on the patients that were held out."""
    tests = slices_of(direction, direction.held, max(_JUDGED // len(direction.held), 1), direction.side)
    drawn = translated(system, tests.around, tests.places, samples=_SAMPLES)
    mean = translated(system, tests.around, tests.places, settings=system.presets["mean"]).sample
    parts = {
        "": 1.0 - drawn.support,
        "_structure": 1.0 - _each(support, tests.source, drawn.sample),
        "_levels": 1.0 - _each(level_support, tests.source, drawn.sample, mean),
        "_spread": np.stack([ndimage.gaussian_filter(one, _MEANS) for one in drawn.uncertainty]),
    }
    pairs = registered(direction, tests)
    errors = np.stack([_error(*pair) for pair in zip(drawn.sample, pairs.target, strict=True)])
    body = np.stack([_scored(image, inside) for image, inside in zip(pairs.source, pairs.inside, strict=True)])
    flipped = np.stack([flips(one, inside) for one, inside in zip(errors, body, strict=True)])
    distrust = parts[""]
    figures = {"flipped_percent": 100.0 * float(flipped[body].mean())}
    if flipped.any():
        figures |= {
            f"auroc_flipped{name}": float(roc_auc_score(flipped[body], part[body])) for name, part in parts.items()
        }
        figures["support_flipped"] = float(1.0 - distrust[flipped].mean())
    figures["support_kept"] = float(1.0 - distrust[body & ~flipped].mean())
    by_patient = []
    for patient in dict.fromkeys(tests.patients):
        mine = np.array([one == patient for one in tests.patients])
        by_patient.append(float(spearmanr(distrust[mine][body[mine]], errors[mine][body[mine]]).statistic))
    figures |= {"correlation": float(np.mean(by_patient)), "correlation_worst": min(by_patient)}
    return figures | _tumours(direction, tests, drawn.sample, distrust)


def flips(error: Pictures, body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the regions of a body in which errors of means are flips, none narrower than a disc of 7 px."""
    y, x = np.ogrid[-_RADIUS : _RADIUS + 1, -_RADIUS : _RADIUS + 1]
    found: NDArray[np.bool_] = ndimage.binary_opening((error > _FLIP) & body, np.hypot(y, x) <= _RADIUS)
    return found


def _error(result: Pictures, truth: Pictures) -> Pictures:
    return np.abs(ndimage.gaussian_filter(result - truth, _MEANS))


def _scored(source: Pictures, inside: tuple[slice, slice]) -> NDArray[np.bool_]:
    body = np.zeros(source.shape, bool)
    body[inside] = body_mask(source)[inside]
    return body


def _each(measure: object, *pictures: Pictures) -> Pictures:
    """Return a map of support of pictures in 0 … 1."""
    assert callable(measure)
    signed = (torch.from_numpy(2.0 * one - 1.0)[:, None] for one in pictures)
    found: Pictures = measure(*signed)[:, 0].numpy()
    return found


def _tumours(direction: Direction, tests: Slices, results: Pictures, distrust: Pictures) -> dict[str, float]:
    """Return how many slices through tumours are air in the result and not in the truth, by medians."""
    target = direction.modalities[1]
    if target.unit != "HU":
        return {}
    air = float(unit(np.array(AIR), target))
    seen, held = 0, []
    for number, (patient, (z, _, _)) in enumerate(zip(tests.patients, tests.places, strict=True)):
        scan = open_input(direction.path / patient / _GTV)
        assert isinstance(scan, Volume)
        there = np.asarray(scan.voxels[z : z + 1, :, :])[0] > 0
        if not there.any():
            continue
        rows, columns = (slice(0, extent) for extent in there.shape)
        truth, result = (float(np.median(one[number][rows, columns][there])) for one in (tests.target, results))
        seen += 1
        if result < air <= truth:
            held.append(1.0 - float(distrust[number][rows, columns][there].mean()))
    figures = {"tumours": float(seen), "tumours_turned_to_air": float(len(held))}
    return figures | ({"support_turned_tumours": float(np.mean(held))} if held else {})
