"""Ellipsoids on the phantom's lattice, painted one over the other with borders that share a voxel."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diffuscope.simulation.thorax_brain.tissues import NAMES, Tissue

Volume = NDArray[np.float32]

#: Frontal planes, the first in front; rows, from above; columns, from the patient's right.
SHAPE = (24, 64, 64)
#: Side of a pixel of the frontal plane, and from plane to plane, mm.
PIXEL, DEPTH = 4.0, 8.0
_STEPS = (DEPTH, PIXEL, PIXEL)
#: Where voxels lie along (z, y, x), mm; the middle of the lattice is 0.
AXES = tuple(
    ((np.arange(count) - (count - 1) / 2) * step).astype(np.float32) for count, step in zip(SHAPE, _STEPS, strict=True)
)


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid, or a box with round edges.

    Attributes
    ----------
    tissue : str
        What it is of; see `diffuscope.simulation.thorax_brain.tissues.TISSUES`.
    centre, radii : tuple of float
        (x, y, z), mm: to the patient's left, downward, backward.
    power : {2, 4}
        |x/a|^p + |y/b|^p + |z/c|^p = 1.
    turn : float
        In the frontal plane, radians, clockwise as seen.
    waves : tuple of (int, float, float)
        Number, height (share of the radius) and phase of waves of the border in the frontal plane.
    """

    tissue: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    power: int = 2
    turn: float = 0.0
    waves: tuple[tuple[int, float, float], ...] = ()


def triple(values: NDArray[np.floating]) -> tuple[float, float, float]:
    """Return three numbers as a shape takes them."""
    x, y, z = map(float, values)
    return x, y, z


@dataclass
class Painting:
    """A phantom while it is painted.

    Attributes
    ----------
    tissues : dict of Tissue
        What the subject's tissues are.
    plane : int
        The frontal plane that is shown.
    hu : ndarray of shape (24, 64, 64)
        HU, float32.
    parts : ndarray of shape (tissues, 64, 64)
        Of the shown plane: share of each tissue in each voxel, by the order of `NAMES`; they sum to 1.
    """

    tissues: dict[str, Tissue]
    plane: int
    hu: Volume = field(init=False)
    parts: Volume = field(init=False)

    def __post_init__(self) -> None:
        self.hu = np.full(SHAPE, self.tissues["air"].hu, np.float32)
        self.parts = np.zeros((len(NAMES), *SHAPE[1:]), np.float32)
        self.parts[NAMES.index("air")] = 1.0

    def paint(self, shape: Ellipsoid) -> None:
        """Paint a shape over what is there."""
        window, distance = measure(shape)
        self.blend(shape.tissue, window, np.clip(0.5 - distance / PIXEL, 0.0, 1.0))

    def blend(self, tissue: str, window: tuple[slice, slice, slice], share: Volume) -> None:
        """Put a share (0–1) of a tissue in the place of what is there."""
        part = self.hu[window]
        part += share * (np.float32(self.tissues[tissue].hu) - part)
        shown = range(*window[0].indices(SHAPE[0]))
        if self.plane in shown:
            here = share[shown.index(self.plane)]
            self.parts[:, window[1], window[2]] *= 1 - here
            self.parts[NAMES.index(tissue), window[1], window[2]] += here


def measure(shape: Ellipsoid, *, beyond: float = PIXEL) -> tuple[tuple[slice, slice, slice], Volume]:
    """Return the window in which a shape lies, and the signed distance to its border there, mm; negative inside.

    The distance is of first order: right near the border, where shares of voxels hang on it.

    Parameters
    ----------
    shape : Ellipsoid
        To be measured.
    beyond : float
        How far the window reaches beyond the shape, mm.

    Returns
    -------
    window : tuple of slice
        (z, y, x).
    distance : ndarray
        float32, of the window's shape.
    """
    radii = shape.radii[::-1]
    if shape.turn or shape.waves:
        reach = max(radii[1:]) * (1 + sum(height for _, height, _ in shape.waves))
        reaches = (radii[0], reach, reach)
    else:
        reaches = radii
    window, offsets = [], []
    for axis, middle, reach in zip(AXES, shape.centre[::-1], reaches, strict=True):
        low, high = np.searchsorted(axis, (middle - reach - beyond, middle + reach + beyond))
        window.append(slice(int(low), int(high)))
        offsets.append(axis[low:high] - np.float32(middle))
    z, y, x = np.ix_(*offsets)
    if shape.turn:
        cos, sin = np.float32(np.cos(shape.turn)), np.float32(np.sin(shape.turn))
        x, y = cos * x + sin * y, cos * y - sin * x
    scaled = [values / np.float32(radius) for values, radius in zip((z, y, x), radii, strict=True)]
    if shape.waves:
        angle = np.arctan2(scaled[1], scaled[2])
        # A trough is nearer to the middle: everything in its direction counts as farther out.
        stretch = 1 - sum(np.float32(height) * np.cos(count * angle + phase) for count, height, phase in shape.waves)
        scaled = [values * stretch for values in scaled]
    raised = [values**shape.power for values in scaled]
    slopes = [(values ** (shape.power - 1) / radius) ** 2 for values, radius in zip(scaled, radii, strict=True)]
    total = raised[0] + raised[1] + raised[2]
    slope = np.sqrt(slopes[0] + slopes[1] + slopes[2])
    root = np.sqrt(total) if shape.power == 2 else np.sqrt(np.sqrt(total))
    distance = (root - 1) * root ** (shape.power - 1) / np.maximum(slope, np.float32(1e-6))
    return (window[0], window[1], window[2]), distance.astype(np.float32, copy=False)
