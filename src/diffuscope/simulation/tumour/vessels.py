"""A tumour's vessels: irregular trees in space, and their profiles where a section cuts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffuscope.simulation.tumour.parameters import Animal

#: Half the thickness of tissue in which vessels are grown, µm; oxygen comes from there as well.
DEPTH = 100.0
#: Thickness of the endothelium with what CD31 stains of it, µm.
WALL = 1.6
_STEP = 2.0  # µm between points of a centre line
_THINNEST = 3.2  # radius below which a branch ends, µm
# A branch wanders by this angle a step, in radians; tumour vessels are tortuous.
_WANDER = 0.12


@dataclass(frozen=True, eq=False)
class Profiles:
    """What a section shows of the vessels; pixels of 1 µm.

    Attributes
    ----------
    vessels : ndarray of shape (h, w)
        bool, lumen and wall.
    lumen : ndarray of shape (h, w)
        bool.
    permeability : ndarray of shape (h, w)
        Of the vessel that a pixel lies in, µm/s; 0 where there is none, or none that carries blood.
    stain : ndarray of shape (h, w)
        CD31 of that vessel, about 1; 0 outside.
    blood : ndarray of shape (n, 3)
        (z, y, x) of points on the centre lines of vessels that carry blood, µm.
    """

    vessels: NDArray[np.bool_]
    lumen: NDArray[np.bool_]
    permeability: NDArray[np.float64]
    stain: NDArray[np.float64]
    blood: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Branch:
    path: NDArray[np.float64]
    radius: NDArray[np.float64]
    permeability: float
    stain: float


def cut_vessels(animal: Animal, shape: tuple[int, int], rng: np.random.Generator) -> Profiles:
    """Grow vessels around a plane and cut them there.

    Trees branch by Murray's law (r³ = r₁³ + r₂³) until they are capillaries, wander, and vary in calibre. They begin
    more often at hot spots. Permeability is log-normal, and alike in branches of a tree; the leakier a vessel, the
    fainter its CD31 (loose junctions). A vessel across the plane shows a ring, one along it a band, a capillary is
    filled.

    Parameters
    ----------
    animal : Animal
        Density, radii, permeability.
    shape : tuple of int
        (h, w) of the section, µm.
    rng : Generator
        Consumed.

    Returns
    -------
    Profiles
    """
    branches = _grow(animal, shape, rng)
    outer, lumen = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    permeability, stain = np.zeros(shape), np.zeros(shape)
    for branch in branches:
        cut = branch.radius > np.abs(branch.path[:, 0])
        for (z, y, x), radius in zip(branch.path[cut], branch.radius[cut], strict=True):
            window, inside = _disc(y, x, np.sqrt(radius**2 - z**2), shape)
            outer[window] |= inside
            permeability[window][inside] = branch.permeability
            stain[window][inside] = branch.stain
            if radius - WALL > abs(z):
                window, inside = _disc(y, x, np.sqrt((radius - WALL) ** 2 - z**2), shape)
                lumen[window] |= inside
    blood = [branch.path for branch in branches if branch.permeability > 0]
    return Profiles(outer, lumen, permeability, stain, np.concatenate(blood) if blood else np.empty((0, 3)))


def _grow(animal: Animal, shape: tuple[int, int], rng: np.random.Generator) -> list[_Branch]:
    """Grow trees until the box around the section holds as much vessel as it should."""
    low, high = np.array([-DEPTH, 0.0, 0.0]), np.array([DEPTH, *shape])
    # mm/mm³ are 1e-6 µm/µm³
    wanted = animal.vessel_length * 1e-6 * float(np.prod(high - low))
    spots = rng.uniform(low, high, (max(round(np.prod(shape) / 150**2), 1), 3))
    branches: list[_Branch] = []
    grown = 0.0
    while grown < wanted:
        start = rng.uniform(low, high)
        if rng.random() < 0.5:
            start = np.clip(spots[rng.integers(len(spots))] + rng.normal(0.0, 35.0, 3), low, high)
        leak = rng.normal(0.0, 0.7)  # of the tree
        waiting = [(start, _unit(rng.normal(size=3)), float(rng.uniform(*animal.model.vessel_radius)))]
        while waiting and grown < wanted:
            begin, heading, radius = waiting.pop()
            path, heading = _wander(begin, heading, rng)
            inside = ((path >= low) & (path <= high)).all(axis=1)
            whole = int(inside.argmin()) if not inside.all() else len(path)
            if whole == 0:
                continue
            branches.append(_branch(animal, path[:whole], radius, leak, rng))
            grown += whole * _STEP
            if whole == len(path) and radius > _THINNEST:
                part = rng.uniform(0.3, 0.7)
                aside = 0.6 * _unit(np.cross(heading, rng.normal(size=3)))
                waiting += [
                    (path[-1], _unit(heading + sign * aside), radius * share ** (1 / 3))
                    for sign, share in ((1, part), (-1, 1 - part))
                    if radius * share ** (1 / 3) > _THINNEST
                ]
    return branches


def _branch(animal: Animal, path: NDArray[np.float64], radius: float, leak: float, rng: np.random.Generator) -> _Branch:
    """Give a centre line its calibre, which varies, its permeability and its stain."""
    along = np.arange(len(path)) * _STEP
    calibre = 1 + 0.2 * np.sin(2 * np.pi * along / rng.uniform(40, 90) + rng.uniform(0, 2 * np.pi))
    # 0.7² + 0.71² = 1: half of the variance is the tree's
    leaky = leak + rng.normal(0.0, 0.71)
    perfused = rng.random() < animal.perfused
    permeability = animal.permeability * np.exp(animal.model.permeability_spread * leaky) if perfused else 0.0
    return _Branch(path, radius * calibre, float(permeability), float(np.exp(-0.25 * leaky + rng.normal(0, 0.1))))


def _wander(
    start: NDArray[np.float64], heading: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points of a tortuous branch, and where it heads at its end."""
    steps = max(int((30.0 + rng.exponential(70.0)) / _STEP), 1)
    headings = heading + np.cumsum(rng.normal(0.0, _WANDER, (steps, 3)), axis=0)
    headings /= np.linalg.norm(headings, axis=1, keepdims=True)
    return start + _STEP * np.cumsum(headings, axis=0), headings[-1]


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def _disc(y: float, x: float, radius: float, shape: tuple[int, int]) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Return the window around a disc and which of its pixels have their centre in it."""
    window = tuple(
        slice(max(int(at - radius - 1), 0), min(int(at + radius + 2), side))
        for at, side in zip((y, x), shape, strict=True)
    )
    ys, xs = (np.arange(part.start, part.stop) + 0.5 for part in window)
    return (window[0], window[1]), (ys[:, None] - y) ** 2 + (xs[None, :] - x) ** 2 < radius**2
