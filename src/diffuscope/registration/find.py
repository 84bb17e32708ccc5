"""From two slides to the transform between them: search, affine, B-spline, and how much each brought."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.events import Progress
from diffuscope.registration.density import Density, find_tissue, haematoxylin
from diffuscope.registration.optimise import SAMPLES, SEED, Pair
from diffuscope.registration.search import find_start
from diffuscope.registration.transform import Transform
from diffuscope.scans import Scan

# The search sees the longer slide in this many px, so that its time does not depend on the slide.
_SEARCHED = 192
# The finest level: a nucleus is 5 µm wide and its place is found to a tenth of a px; larger slides are seen coarser.
_FINEST_MPP, _LARGEST = 1.0, 4096
# Between control points, µm; of larger slides so much that this many spans cover the longer side.
SPACING, _SPANS = 150.0, 20
# Measured after the affine stage, blurred by about a nucleus (µm): restains 0.95 (two real pairs), 0.74 with a bend of
# 20 µm that the affine stage must leave; other tissue 0.2-0.5, most on pieces of a quarter of a millimetre.
LEAST_CORRELATION = 0.6
_BLUR = 4.0
# What of a registration is done as its stages begin, %: shares of the CPU time that the sample slide and its turned
# restain took. Other slides differ, but no stage is long that seems short.
_WITH_BEND, _AFFINE_ONLY = (0, 2, 4, 6, 16), (0, 8, 20, 30, 75)
#: What is done before the result is written, %.
WRITTEN = {False: 95, True: 75}


@dataclass(frozen=True, eq=False)
class Found:
    """A transform and how it was found.

    Attributes
    ----------
    transform : Transform
        From the fixed slide to the moving one.
    stages : dict of str to Transform
        ``"before"`` (the slides laid corner on corner), ``"affine"`` and, unless left out, ``"B-spline"``.
    information : dict of str to float
        Mutual information of the haematoxylin at each stage, nats; 0 where the slides hardly overlap.
    correlation : float
        Of the haematoxylin of both tissues after the affine stage.
    settings : dict
        What determines the transform, JSON.
    """

    transform: Transform
    stages: dict[str, Transform]
    information: dict[str, float]
    correlation: float
    settings: dict[str, float | int | bool | list[float]]


def find_transform(fixed: Scan, moving: Scan, *, affine_only: bool = False) -> Generator[Progress, None, Found]:
    """Find where each point of one slide lies on its restain.

    The same slides give the same transform to the last bit, on one version of the libraries.

    Parameters
    ----------
    fixed, moving : Scan
        8-bit RGB, of known µm/px.
    affine_only : bool
        Leave the B-spline out.

    Yields
    ------
    Progress
        The name of each stage as it begins, and about how much of a registration is done by then, %: the transform is
        written after `WRITTEN` %.

    Returns
    -------
    Found

    Raises
    ------
    InputError
        A slide cannot be registered, both are the same file, or they do not show the same tissue.
    """
    if fixed.fingerprint == moving.fingerprint:
        raise InputError(f"{fixed.name} and {moving.name} are the same slide: give the H&E and its restain.")
    at = _AFFINE_ONLY if affine_only else _WITH_BEND
    yield Progress(done=at[0], total=100, what="Finding the tissue")
    tissues = find_tissue(fixed), find_tissue(moving)
    assert fixed.mpp is not None and moving.mpp is not None  # as `find_tissue` saw to
    side = max(*(n * fixed.mpp for n in fixed.shape), *(n * moving.mpp for n in moving.shape))
    yield Progress(done=at[1], total=100, what="Trying rotations")
    coarse = side / _SEARCHED
    start = find_start(haematoxylin(fixed, tissues[0], coarse), haematoxylin(moving, tissues[1], coarse)).transform
    finest = max(_FINEST_MPP, side / _LARGEST, fixed.mpp, moving.mpp)
    yield Progress(done=at[2], total=100, what=f"Reading haematoxylin at {finest:.3g} µm/px")
    still, other = haematoxylin(fixed, tissues[0], finest), haematoxylin(moving, tissues[1], finest)
    pair = Pair(still, other)
    yield Progress(done=at[3], total=100, what="Affine")
    affine = pair.fit_affine(start)
    agreement = 0.0 if affine is None else _correlation(still, other, affine)
    if affine is None or agreement < LEAST_CORRELATION:
        raise InputError(
            f"{moving.name} shows no tissue that matches {fixed.name} (their haematoxylin correlates with "
            f"{agreement:.2f} at best, {LEAST_CORRELATION} is needed): give two stains of the same section."
        )
    stages = {"before": Transform(np.eye(2), np.zeros(2)), "affine": affine}
    settings: dict[str, float | int | bool | list[float]] = {
        "affine_only": affine_only,
        "finest_mpp": finest,
        "samples": SAMPLES,
        "seed": SEED,
    }
    if not affine_only:
        yield Progress(done=at[4], total=100, what="B-spline")
        bent = pair.fit_bend(affine, max(SPACING, side / _SPANS))
        assert bent.bend is not None
        if bent.least_area(fixed.shape[1] * fixed.mpp, fixed.shape[0] * fixed.mpp) <= 0:
            raise InputError(f"{moving.name} would be folded to match {fixed.name}: register with --affine-only.")
        stages["B-spline"] = bent
        settings["control_point_spacing_um"] = list(bent.bend.spacing)
    return Found(
        transform=list(stages.values())[-1],
        stages=stages,
        information={name: pair.information(stage) for name, stage in stages.items()},
        correlation=agreement,
        settings=settings,
    )


def _correlation(fixed: Density, moving: Density, transform: Transform) -> float:
    """Correlation of the blurred densities where both slides have tissue under a transform; 0 where nowhere."""
    rows, columns = np.nonzero(fixed.tissue)
    every = max(1, rows.size // SAMPLES)
    rows, columns = rows[::every], columns[::every]
    place = transform.to_moving(np.stack([columns + 0.5, rows + 0.5], axis=-1) * fixed.mpp) / moving.mpp - 0.5
    there = ndimage.map_coordinates(moving.tissue.astype(np.uint8), place.T[::-1], order=0, mode="constant") > 0
    if there.sum() < 100:
        return 0.0
    own = ndimage.gaussian_filter(fixed.values, _BLUR / fixed.mpp)[rows[there], columns[there]]
    blurred = ndimage.gaussian_filter(moving.values, _BLUR / moving.mpp)
    its = ndimage.map_coordinates(blurred, place[there].T[::-1], order=1, mode="nearest")
    spread = float(own.std() * its.std())
    return float(np.mean((own - own.mean()) * (its - its.mean()))) / spread if spread > 0 else 0.0
