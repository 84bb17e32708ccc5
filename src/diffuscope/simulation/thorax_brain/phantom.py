"""A subject before any scanner: a volume in HU, and what tissues the shown plane holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffuscope.simulation.thorax_brain.chest import paint_chest
from diffuscope.simulation.thorax_brain.findings import Findings, Region, check_region, draw_findings, generator
from diffuscope.simulation.thorax_brain.head import paint_head
from diffuscope.simulation.thorax_brain.lesions import Lesion, paint_lesion, place
from diffuscope.simulation.thorax_brain.shapes import Painting, Volume
from diffuscope.simulation.thorax_brain.tissues import Tissue, draw_tissues

_PAINT = {"chest": paint_chest, "head": paint_head}
#: Planes that may be shown, first and last: they cut the lungs, or the ventricles.
_PLANES = {"chest": (10, 14), "head": (9, 14)}
_TRIES = 200


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """A subject before any scanner.

    Attributes
    ----------
    findings : Findings
        The truth.
    lesions : tuple of Lesion
        The same with places, the largest first.
    hu : ndarray of shape (24, 64, 64)
        HU, float32: frontal planes from front to back of 8 mm, px of 4 mm; columns from the patient's right.
    plane : int
        The one that is shown: through the middle of the largest finding.
    parts : ndarray of shape (tissues, 64, 64)
        Of the shown plane: share of each tissue, by the order of `tissues`.
    tissues : dict of Tissue
        Of this subject, by name.
    organ : ndarray of shape (64, 64)
        Lungs, or brain, before findings were painted.
    """

    findings: Findings
    lesions: tuple[Lesion, ...]
    hu: Volume
    plane: int
    parts: Volume
    tissues: dict[str, Tissue]
    organ: NDArray[np.bool_]


def draw_phantom(number: int, *, seed: int, region: Region) -> Phantom:
    """Draw a phantom, a function of (number, seed, region) alone.

    Findings are drawn first, then bodies until one has room for them.

    Raises
    ------
    InputError
        There is no such region, or a number is negative.
    """
    findings = draw_findings(check_region(region), generator(seed, number, region, "findings"))
    rng = generator(seed, number, region, "anatomy")
    for _ in range(_TRIES):
        painting = Painting(draw_tissues(rng), int(rng.integers(_PLANES[region][0], _PLANES[region][1] + 1)))
        organ = _PAINT[region](painting, rng)
        lesions = place(findings, organ, rng)
        if lesions is not None:
            break
    else:
        raise RuntimeError(f"No body has room for the findings of {region} {number}, seed {seed}.")
    for order, lesion in enumerate(lesions):
        paint_lesion(painting, lesion, region, rng, shown=order == 0)
    return Phantom(
        findings=findings,
        lesions=tuple(lesions),
        hu=painting.hu,
        plane=painting.plane,
        parts=painting.parts,
        tissues=painting.tissues,
        organ=organ,
    )
