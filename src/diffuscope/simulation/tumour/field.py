"""A simulated field: CD31, DAPI and nanoparticles of one piece of section, with the truth behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.simulation.tumour.imaging import CD31, DAPI, NANOPARTICLES, record
from diffuscope.simulation.tumour.nuclei import AROUND, Cells, place_cells
from diffuscope.simulation.tumour.parameters import Animal, generator
from diffuscope.simulation.tumour.transport import Distribution, Medium, hindered, solve, wall_exchange
from diffuscope.simulation.tumour.vessels import Profiles, cut_vessels

#: µm per pixel of every image.
MPP = 1.0
Kind = Literal["concordant", "shifted", "other field", "faded"]
#: How a nuclei channel can mislead.
DISCORDANT: tuple[Kind, ...] = ("shifted", "other field", "faded")

# Tissue around a field that is simulated with it, px: particles come from vessels outside.
_MARGIN = 64
# px of the images per cell of the grid that the equations are solved on, along a side.
_COARSE = 2
# How far a shifted channel is shifted, µm: beyond the length over which crowding varies, within the margin.
_SHIFT = (48.0, 62.0)
# Least part of what is around that counts as a place for particles: far from all cells none are bound.
_LEAST = 0.02
# Part of the blood that is plasma.
_PLASMA = 0.55


@dataclass(frozen=True, eq=False)
class Field:
    """A simulated field of view.

    Attributes
    ----------
    animal : Animal
        Whose.
    number : int
        Of the field in the animal.
    kind : str
        ``"concordant"``, or how the nuclei channel misleads: it is ``"shifted"`` by 48–62 µm, of an ``"other field"``
        of the animal, or ``"faded"`` to a tenth or less.
    vessels, nuclei, nanoparticles : ndarray of shape (h, w)
        uint8 counts of CD31, DAPI and the particles, `MPP` µm/px.
    lumen, profiles : ndarray of shape (h, w)
        bool, truth: inside of vessels, and vessels with their walls.
    living : ndarray of shape (h, w)
        float32, truth: part of the tissue that is living cells.
    load : ndarray of shape (h, w)
        float32, truth: particles over the plasma's concentration at injection, before optics and noise.
    imbalance : float
        Of the solution, see `Distribution`.
    """

    animal: Animal
    number: int
    kind: Kind
    vessels: NDArray[np.uint8]
    nuclei: NDArray[np.uint8]
    nanoparticles: NDArray[np.uint8]
    lumen: NDArray[np.bool_]
    profiles: NDArray[np.bool_]
    living: NDArray[np.float32]
    load: NDArray[np.float32]
    imbalance: float


def simulate_field(animal: Animal, number: int, *, size: int = 256, kind: Kind = "concordant") -> Field:
    """Simulate a field, a function of (animal, number, size, kind) alone.

    Vessels and particles do not depend on `kind`: it says only which nuclei are seen.

    Parameters
    ----------
    animal : Animal
        From `draw_animal`.
    number : int
        Of the field.
    size : int
        Side, px of `MPP` µm; even.
    kind : str
        See `Field`.

    Returns
    -------
    Field

    Raises
    ------
    InputError
        The size is odd or not positive.
    """
    if size < 1 or size % _COARSE:
        raise InputError(f"A field of {size} px cannot be simulated: its side must be an even number.")
    profiles, cells = _anatomy(animal, number, size)
    found = _transport(animal, profiles, cells)
    load = _load(found, profiles, cells)
    rng = generator(animal.model, animal.seed, animal.number, number, 1)
    inner = np.s_[_MARGIN : _MARGIN + size, _MARGIN : _MARGIN + size]
    vessels = record(_cd31(profiles, rng), CD31, rng, gain=animal.gain[0])[inner]
    nanoparticles = record(load, NANOPARTICLES, rng)[inner]
    return Field(
        animal=animal,
        number=number,
        kind=kind,
        vessels=vessels,
        nuclei=_seen_nuclei(animal, number, size, kind, cells),
        nanoparticles=nanoparticles,
        lumen=profiles.lumen[inner],
        profiles=profiles.vessels[inner],
        living=cells.living[inner].astype(np.float32),
        load=load[inner].astype(np.float32),
        imbalance=found.imbalance,
    )


def _anatomy(animal: Animal, number: int, size: int) -> tuple[Profiles, Cells]:
    rng = generator(animal.model, animal.seed, animal.number, number)
    side = size + 2 * _MARGIN
    profiles = cut_vessels(animal, (side, side), rng)
    return profiles, place_cells(animal, profiles, rng)


def _transport(animal: Animal, profiles: Profiles, cells: Cells) -> Distribution:
    """Solve on cells of 2 µm, a fifth of the shortest way that particles come."""
    vessels = _means(profiles.vessels) >= 0.5
    interstitium = np.where(vessels, 0.0, 1 - _means(cells.filled))
    permeability = profiles.permeability.reshape(len(vessels), _COARSE, -1, _COARSE).max(axis=(1, 3))
    spacing = MPP * _COARSE
    medium = Medium(
        spacing,
        interstitium,
        hindered(animal.diffusivity, interstitium),
        animal.uptake * _means(cells.living),
        wall_exchange(vessels, permeability, spacing=spacing),
    )
    return solve(medium, hours=animal.model.hours, half_life=animal.half_life)


def _load(found: Distribution, profiles: Profiles, cells: Cells) -> NDArray[np.float64]:
    """Bring the solution onto the pixels: particles are around nuclei, never in them, and in the plasma of blood."""
    if cells.endosomes is None:
        evenly = (1 - cells.nuclear) / (1 - _around(cells.nuclear))
        tissue = _on_pixels(found.load, found.load > 0) * evenly * np.where(profiles.vessels, 0.5, 1.0)
    else:
        wall = np.where(profiles.lumen, 0.0, np.where(profiles.vessels, 0.5, 1.0))
        tissue = _spread(found.load - found.bound, profiles, (1 - cells.nuclear) * wall)
        tissue += _spread(found.bound, profiles, cells.endosomes)
    blood = profiles.permeability > 0
    return np.where(profiles.lumen, _PLASMA * found.plasma * blood, tissue)


def _spread(coarse: NDArray[np.float64], profiles: Profiles, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring a part of the load from the grid, which averages over cells, to where it lies within `AROUND`.

    Every place gives all that it has to those around it, in proportion: none is made or lost.
    """
    fine = _on_pixels(coarse, _means(profiles.vessels) < 0.5) * ~profiles.vessels
    return places * _around(fine / np.maximum(_around(places), _LEAST))


def _on_pixels(coarse: NDArray[np.float64], tissue: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Interpolate from the grid; its cells that are no tissue take after their nearest neighbours."""
    if tissue.any():
        nearest = ndimage.distance_transform_edt(~tissue, return_distances=False, return_indices=True)
        coarse = coarse[tuple(nearest)]
    return np.asarray(ndimage.zoom(coarse, _COARSE, order=1, mode="nearest", grid_mode=True))


def _around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(ndimage.gaussian_filter(values, AROUND))


def _cd31(profiles: Profiles, rng: np.random.Generator) -> NDArray[np.float64]:
    """Stain walls, in patches."""
    patches = ndimage.gaussian_filter(rng.standard_normal(profiles.vessels.shape), 2.5) * 2 * np.sqrt(np.pi) * 2.5
    wall = profiles.vessels & ~profiles.lumen
    return wall * profiles.stain * np.clip(1 + 0.3 * patches, 0.1, None)


def _seen_nuclei(animal: Animal, number: int, size: int, kind: Kind, cells: Cells) -> NDArray[np.uint8]:
    """Record the nuclei that a channel of a kind shows."""
    rng = generator(animal.model, animal.seed, animal.number, number, 2)
    gain, top, left = animal.gain[1], _MARGIN, _MARGIN
    if kind == "shifted":
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(*_SHIFT)
        top, left = top + round(length * np.sin(angle)), left + round(length * np.cos(angle))
    elif kind == "other field":
        # a number that no field of a cohort has
        cells = _anatomy(animal, number + 1_000_000, size)[1]
    elif kind == "faded":
        gain *= rng.uniform(0.03, 0.10)
    return record(cells.dapi, DAPI, rng, gain=gain)[top : top + size, left : left + size]


def _means(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return means over the cells of the coarse grid."""
    return values.astype(np.float64).reshape(len(values) // _COARSE, _COARSE, -1, _COARSE).mean(axis=(1, 3))
