"""A mediastinum as CT shows it, without tumour or nodes: fat, windpipe, aorta, spine, heart and lungs, in HU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Voxels (z, y, x) of a simulated CT, and their size, mm.
SHAPE = (48, 48, 48)
SPACING = (2.0, 2.0, 2.0)
Field = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scene:
    """Where a tumour and nodes can be put.

    Attributes
    ----------
    hu : ndarray (d, h, w)
        float32 HU, without noise; lesions are painted into it.
    spacing : tuple of float
        (z, y, x), mm.
    centre : ndarray (d, 2)
        (y, x) of the oesophagus in each plane, mm from the middle of the first voxel; NaN in planes without.
    clearance : ndarray (d, h, w)
        Distance to the nearest organ that no node grows into, mm; negative inside one.
    """

    hu: Field
    spacing: tuple[float, float, float]
    centre: NDArray[np.float64]
    clearance: Field


def mediastinum(rng: np.random.Generator) -> Scene:
    """Return a scene on the lattice of `SHAPE` and `SPACING`, drawn anew.

    y grows to the back and x to the patient's left, z to the head. Organs are tubes along z with walls that wander;
    they are no atlas, only what lies around an oesophagus in the HU that it has.
    """
    z, y, x = millimetres(SHAPE, SPACING)
    middle = [(side - 1) * step / 2 for side, step in zip(SHAPE, SPACING, strict=True)]
    y0, x0 = middle[1] + 6.0 + rng.normal(0.0, 1.5), middle[2] + rng.normal(0.0, 1.5)
    path = np.stack([y0 + wander(SHAPE[0], 2.0, rng), x0 + wander(SHAPE[0], 3.0, rng)], axis=1)
    centre_y, centre_x = (path[:, axis, None, None].astype(np.float32) for axis in (0, 1))

    def tube(back: float, left: float, radius: float) -> Field:
        """Return the signed distance to a tube beside the oesophagus, mm."""
        return np.hypot(y - centre_y - back, x - centre_x - left) - radius

    carina = middle[0] + rng.normal(0.0, 10.0)
    windpipe = np.maximum(tube(-17.0, rng.normal(1.0, 1.0), rng.uniform(7.0, 9.0)), carina - z)
    heart = np.maximum(tube(-34.0, rng.normal(4.0, 2.0), 22.0), z - carina + 6.0)
    aorta = tube(11.0 + rng.normal(0.0, 1.0), 19.0 + rng.normal(0.0, 1.5), rng.uniform(9.5, 12.0))
    spine = tube(31.0, rng.normal(0.0, 1.0), 17.0)
    chest = rng.uniform(36.0, 40.0)
    # To the left and the right of the mediastinum, and less wide in front.
    lungs = chest - np.abs(x - np.float32(x0)) - 0.08 * np.abs(y - np.float32(y0))
    texture = smooth(SHAPE, SPACING, 5.0, rng)
    hu = np.full(SHAPE, -95.0, np.float32) + 12.0 * texture
    organs = (
        (lungs, -830.0 + 35.0 * texture),
        (heart, np.float32(rng.normal(120.0, 12.0))),
        (aorta, np.float32(rng.normal(165.0, 15.0))),
        (spine, 230.0 + 50.0 * texture),
        (windpipe - 2.0, np.float32(45.0)),
        (windpipe, np.float32(-960.0)),
        (np.hypot(y - centre_y, x - centre_x) - 6.0, np.float32(48.0)),
    )
    for distance, value in organs:
        blend(hu, distance, value, SPACING)
    clearance = reduce(np.minimum, (lungs, heart, aorta, spine, windpipe - 2.0)).astype(np.float32)
    return Scene(hu, SPACING, path, clearance)


def millimetres(shape: tuple[int, ...], spacing: tuple[float, ...]) -> list[Field]:
    """Return the places of voxels along z, y and x, mm from the middle of the first, each to broadcast."""
    axes = [np.arange(side, dtype=np.float32) * step for side, step in zip(shape, spacing, strict=True)]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))


def blend(hu: Field, distance: Field, value: Field | np.float32, spacing: tuple[float, float, float]) -> None:
    """Paint what lies within a signed distance (mm), a voxel on its border in part, as a scanner averages."""
    share = np.clip(0.5 - distance / np.float32(np.mean(spacing)), 0.0, 1.0)
    hu += share * (value - hu)


def smooth(shape: tuple[int, ...], spacing: tuple[float, ...], scale: float, rng: np.random.Generator) -> Field:
    """Return noise of standard deviation 1 that is alike within `scale` mm."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, [scale / 2 / step for step in spacing], mode="wrap", truncate=3.0)
    return np.asarray(noise / max(float(noise.std()), 1e-6), np.float32)


def wander(planes: int, spread: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a smooth way of `planes` steps around 0 that strays by about `spread`."""
    way = ndimage.gaussian_filter1d(rng.standard_normal(planes + 32), 6.0)[16:-16]
    return np.asarray(spread * way / 0.22)
