"""A head: scalp, skull, fluid, grey and white matter, ventricles, fissures, deep nuclei."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffuscope.simulation.thorax_brain.shapes import Ellipsoid, Painting, measure, triple
from diffuscope.simulation.thorax_brain.tissues import NAMES


def paint_head(painting: Painting, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Paint a head, and return where a finding may lie.

    Parameters
    ----------
    painting : Painting
        Of air; is changed.
    rng : Generator
        Consumed: sizes, thickness of scalp, skull and cortex, ventricles, folds.

    Returns
    -------
    ndarray of shape (64, 64)
        Brain in the shown plane, without ventricles; fissures give way to a finding.
    """
    aside, down = rng.uniform(-6, 6, 2)
    radii = np.array((91.0, 97.0, 92.0)) * rng.uniform((0.93, 0.93, 0.96), (1.05, 1.05, 1.02))
    scalp, skull, around, cortex = rng.uniform((4.5, 6.0, 2.5, 7.0), (8.0, 9.0, 6.0, 11.0))
    # The skull is painted to its outer border, then what it holds.
    for tissue, thickness in (("fat", 0.0), ("bone", scalp), ("fluid", skull)):
        radii = radii - thickness
        painting.paint(Ellipsoid(tissue, (aside, down, 0), triple(radii)))
    folds = tuple((int(count), float(rng.uniform(0.01, 0.025)), float(rng.uniform(0, 6.3))) for count in (9, 14))
    for tissue, thickness, deeper in (("grey", around, 1.0), ("white", cortex, 2.0)):
        radii = radii - thickness
        waves = tuple((count, height * deeper, phase) for count, height, phase in folds)
        painting.paint(Ellipsoid(tissue, (aside, down, 0), triple(radii), waves=waves))
    inner = radii / np.array((68.0, 74.0, 74.0))
    full = float(np.exp(rng.uniform(np.log(0.7), np.log(1.5))))
    spread = rng.uniform(0.25, 0.5)
    free = painting.parts[[NAMES.index("grey"), NAMES.index("white")]].sum(axis=0) > 0.5
    for sign in (-1, 1):
        at = (aside + sign * rng.uniform(26, 30) * inner[0], down + 12, 0.0)
        painting.paint(Ellipsoid("grey", at, (8.0, 12.0, 26.0)))
        at = (aside + sign * rng.uniform(62, 68) * inner[0], down + rng.uniform(4, 14), 0.0)
        painting.paint(Ellipsoid("fluid", at, (13.0, 2.5, 45.0), turn=sign * 0.2))
        at = (aside + sign * (8 + 4 * full), down + rng.uniform(-10, -4), 0.0)
        ventricle = Ellipsoid("fluid", at, (4.0 * full + 1.5, 14.0, 45.0), turn=sign * spread)
        window, distance = measure(ventricle)
        free[window[1:]] &= distance[painting.plane - window[0].start] > 0
        painting.paint(ventricle)
    painting.paint(Ellipsoid("fluid", (aside, down + 16, 0), (2.0 + full, 10.0, 25.0)))
    painting.paint(Ellipsoid("fluid", (aside, down - 60 * inner[1], 0), (2.2, 28.0, 80.0), 4))
    return free
