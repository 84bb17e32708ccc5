"""read_image: findings from one image, by rules that know physics, tissues and sizes, and no subject."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.simulation.thorax_brain.findings import ZONES, Finding, Findings, Region, check_region
from diffuscope.simulation.thorax_brain.readers import organs
from diffuscope.simulation.thorax_brain.readers.fit import Match, fits, matches
from diffuscope.simulation.thorax_brain.readers.templates import bank
from diffuscope.simulation.thorax_brain.subject import KEYS, SIDE

Mask = NDArray[np.bool_]

#: Score from which on something is a finding. Where a contrast shows ventricles and nuclei much as lesions it must fit
#: better. Chosen on subjects of seed 5.
_LEAST: dict[Region, dict[str, float]] = {
    "chest": {"ct": 0.44, "t1": 0.46, "t2": 0.4, "pd": 0.46, "flair": 0.4, "t1ce": 0.44, "xray": 0.5}
    | {"t1_fast": 0.5, "t2_fast": 0.3},
    "head": {"ct": 0.4, "t1": 0.74, "t2": 0.5, "pd": 0.66, "flair": 0.54, "t1ce": 0.5, "xray": 0.5}
    | {"t1_fast": 0.5, "t2_fast": 0.45},
}
#: Px from the edge of the organ within which no finding has its middle.
_EDGE = 3
#: Px about the middle of the brain within which ventricles are.
_VENTRICLES = 6.0


def read_image(key: str, image: NDArray[np.floating], region: Region | None = None) -> Findings:
    """Read the findings of an image, without training.

    Lungs, or what lies in the skull, are found by their brightness; in them, discs and rings as physics makes them of
    each kind and size are fitted, and the best ones that do not overlap are the findings. It errs: what it is worth on
    simulated images stands in docs/simulation-thorax.md. On images that models made it is as blind as on others to what
    a modality does not show.

    Parameters
    ----------
    key : str
        One of `KEYS`.
    image : ndarray of shape (64, 64)
        4000 µm/px, in the unit of that key: HU, or 0–1. The scale of an MRI does not matter.
    region : {"chest", "head"}, optional
        What is shown; else told by whether the body goes on below the picture, as a trunk does and a head does not.

    Returns
    -------
    Findings
        Sides are the patient's.

    Raises
    ------
    InputError
        There is no such key or region, or the image has another shape or values that are not finite.
    """
    if key not in KEYS:
        raise InputError(f"There is no image {key!r}: choose one of {', '.join(KEYS)}.")
    values = np.asarray(image, np.float64)
    if values.shape != (SIDE, SIDE) or not np.isfinite(values).all():
        raise InputError(f"{key} of shape {values.shape}: give {SIDE} × {SIDE} px, all of them numbers.")
    region = _region(key, values) if region is None else check_region(region)
    if not np.ptp(values):
        return Findings(region)
    if region == "chest":
        return Findings(region, tuple(_read_chest(key, values)))
    return Findings(region, tuple(_read_head(key, values)))


def _region(key: str, values: NDArray[np.float64]) -> Region:
    bright = np.maximum(values + 1000, 0) if key == "ct" else values
    return "chest" if (bright[-2:] > 0.2 * np.quantile(bright, 0.95)).mean() > 0.3 else "head"


def _read_chest(key: str, values: NDArray[np.float64]) -> list[Finding]:
    if key == "xray":
        scale, lungs = 1.0, organs.lungs_of_radiograph(values)
    else:
        soft, lungs = organs.lungs(np.maximum(values + 1000, 0) if key == "ct" else values)
        scale = soft if bank(key, "chest").scale else 1.0
    if not lungs:
        return []
    columns = np.flatnonzero(np.any(lungs, axis=0).any(axis=0))
    found = []
    for match in _matches(key, "chest", values, scale, np.any([_inner(lung) for lung in lungs], axis=0)):
        lung = next(lung for lung in lungs if lung[match.row, match.column])
        found.append(_finding(match, lung, float(columns[[0, -1]].mean())))
    return found


def _read_head(key: str, values: NDArray[np.float64]) -> list[Finding]:
    inside = {"ct": organs.in_skull_of_ct, "xray": organs.in_skull_of_radiograph}.get(key, organs.in_skull_of_mri)
    skull = inside(values)
    # Fluid around the brain is dark as the skull where it is not bright.
    dark = key.removesuffix("_fast") in {"t1", "t1ce", "flair"}
    brain = skull if dark else ndimage.binary_erosion(skull)
    if not brain.any():
        return []
    columns = np.flatnonzero(brain.any(axis=0))
    scale = float(np.median(values[brain])) if bank(key, "head").scale else 1.0
    found = _matches(key, "head", values, scale, _inner(brain) & ~_ventricles(brain))
    return [_finding(match, brain, float(columns[[0, -1]].mean())) for match in found]


def _matches(key: str, region: Region, values: NDArray[np.float64], scale: float, where: Mask) -> list[Match]:
    templates = bank(key, region)
    if not where.any() or scale <= 0:
        return []
    scores = fits(values * (templates.scale / scale) if templates.scale else values, templates)
    return matches(scores, templates, where, _LEAST[region][key])


def _inner(organ: Mask) -> Mask:
    return np.asarray(ndimage.binary_erosion(organ, iterations=_EDGE))


def _ventricles(brain: Mask) -> Mask:
    """Return where ventricles are, and a finding is not: about the middle, and a little above it."""
    rows, columns = (np.flatnonzero(brain.any(axis=axis))[[0, -1]].mean() for axis in (1, 0))
    down, aside = np.indices(brain.shape) - np.array([rows - 1.5, columns])[:, None, None]
    return np.asarray((np.hypot(down, aside) < _VENTRICLES) | (np.abs(aside) < 2.5))


def _finding(match: Match, organ: Mask, middle: float) -> Finding:
    """Return what a match tells; zones are thirds of the organ's height."""
    rows = np.flatnonzero(organ.any(axis=1))
    height = (match.row - rows[0] + 0.5) / (rows[-1] - rows[0] + 1)
    zone = ZONES[int(np.clip(len(ZONES) * height, 0, len(ZONES) - 1))]
    return Finding(match.kind, "left" if match.column > middle else "right", zone, match.size)
