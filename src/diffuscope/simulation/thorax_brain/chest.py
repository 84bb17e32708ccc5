"""A chest: wall, ribs, spine, lungs with vessels, heart, great vessels, diaphragm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffuscope.simulation.thorax_brain.shapes import AXES, PIXEL, SHAPE, Ellipsoid, Painting, measure, triple
from diffuscope.simulation.thorax_brain.tissues import NAMES

_RIB, _GAP = 26.0, 0.45  # mm from rib to rib; how much of that is none
_VESSELS = 14


def paint_chest(painting: Painting, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Paint a chest, and return where a finding may lie.

    Parameters
    ----------
    painting : Painting
        Of air; is changed.
    rng : Generator
        Consumed: sizes, fat, heart, the height of the diaphragm, vessels.

    Returns
    -------
    ndarray of shape (64, 64)
        The lungs in the shown plane, vessels in them included.
    """
    wide, high, deep = rng.uniform((0.93, 0.93, 0.94), (1.08, 1.05, 1.06))
    aside, down = rng.uniform(-5, 5, 2)
    fat = rng.uniform(5, 14)
    trunk = (104.0 * wide, 190.0, 78.0 * deep)
    for tissue, more in (("fat", fat), ("muscle", 0.0)):
        painting.paint(
            Ellipsoid(tissue, (aside, 78 + down, 0), (trunk[0] + more, trunk[1] + more, trunk[2] + more / 2), 4)
        )
        painting.paint(Ellipsoid(tissue, (aside, -112 + down, 5), (34 * wide + more, 60, 38 * deep + more)))
    lungs = [
        Ellipsoid("lung", (aside + sign * 53 * wide, -10 + down, 0), (46 * wide, 88 * high, 66 * deep))
        for sign in (-1, 1)
    ]
    for lung in lungs:
        _paint_ribs(painting, lung, rng.uniform(0, _RIB))
        painting.paint(lung)
    _paint_vessels(painting, lungs, rng)
    painting.paint(Ellipsoid("bone", (aside, 0, 62 * deep), (15, 260, 15)))
    painting.paint(Ellipsoid("muscle", (aside, -20 + down, 8), (rng.uniform(14, 19), 105, 30), 4))
    painting.paint(Ellipsoid("blood", (aside + 14, -38 + down, 12), (12, rng.uniform(22, 30), 24)))
    painting.paint(Ellipsoid("air", (aside, -84 + down, 8), (6.5, 42, 7)))
    heart = float(rng.uniform(0.8, 1.15))
    middle = (aside + 11, 18 + down, -14.0)
    painting.paint(Ellipsoid("heart", middle, (42 * heart, 40 * heart, 38 * heart), turn=0.5))
    painting.paint(Ellipsoid("blood", (middle[0] + 4, middle[1] + 3, middle[2]), (22 * heart, 24 * heart, 24 * heart)))
    top = 46 + down + rng.uniform(-8, 6)
    left = top + rng.uniform(2, 10)
    painting.paint(Ellipsoid("liver", (aside - 48 * wide, top + 90, 0), (54 * wide, 90, 74 * deep), 4))
    painting.paint(Ellipsoid("muscle", (aside + 50 * wide, left + 90, 0), (52 * wide, 90, 74 * deep), 4))
    painting.paint(Ellipsoid("air", (aside + 44 * wide, left + 34, -18), (20, 14, 18)))
    parts = painting.parts
    inside = np.zeros(SHAPE[1:], np.bool_)
    for lung in lungs:
        window, distance = measure(lung)
        inside[window[1:]] |= distance[painting.plane - window[0].start] < 0
    return inside & (parts[NAMES.index("lung")] + parts[NAMES.index("vessel")] > 0.5)


def _paint_ribs(painting: Painting, lung: Ellipsoid, phase: float) -> None:
    """Paint ribs around a lung: bands of a shell, which fall from the back to the front."""
    window, distance = measure(lung, beyond=12.0)
    shell = np.clip(0.5 + (3.5 - np.abs(distance - 4.0)) / PIXEL, 0.0, 1.0)
    z, y, _ = np.ix_(*(axis[part] for axis, part in zip(AXES, window, strict=True)))
    bands = np.clip((np.cos(2 * np.pi * (y + 0.35 * z + phase) / _RIB) - _GAP) * 3, 0.0, 1.0)
    painting.blend("rib", window, (shell * bands).astype(np.float32))


def _paint_vessels(painting: Painting, lungs: list[Ellipsoid], rng: np.random.Generator) -> None:
    """Paint vessels as they are cut: thinner than any finding."""
    for lung in lungs:
        for place in rng.uniform(-0.75, 0.75, (_VESSELS, 3)):
            if np.linalg.norm(place) < 0.8:
                centre = triple(np.array(lung.centre) + place * lung.radii)
                thin, long = rng.uniform(2.0, 3.2), rng.uniform(4, 14)
                painting.paint(
                    Ellipsoid("vessel", centre, (thin, long, rng.uniform(4, 14)), turn=rng.uniform(0, np.pi))
                )
