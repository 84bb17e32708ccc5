"""Nuclei of a tumour: crowded here, sparse there, dead where no vessel is near."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.draw import ellipse

from diffuscope.simulation.tumour.parameters import Animal
from diffuscope.simulation.tumour.vessels import Profiles

#: Over which cells are averaged to a fraction of the tissue, µm (Gaussian): about one cell.
AROUND = 12.0
# Length over which crowding varies, µm (Gaussian).
_CROWDS = 24.0
# Width of the edge of necrosis, µm.
_EDGE = 10.0
# Part of dead tissue that debris fills; it hinders and takes up nothing.
_DEBRIS = 0.25
# Part of the section's thickness that a nucleus takes: sections of 8 µm cut most nuclei above or below their middle.
_CUT = (0.25, 0.75)
# Most and least that cells can fill.
_FULLEST, _EMPTIEST = 0.85, 0.03


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of a section; pixels of 1 µm.

    Attributes
    ----------
    dapi : ndarray of shape (h, w)
        DNA in the section, about 1 in a nucleus, without optics.
    nuclear : ndarray of shape (h, w)
        Part of the section's thickness that is nucleus, 0–1.
    living : ndarray of shape (h, w)
        Part of the tissue around a place that is living cells, averaged over `AROUND`.
    filled : ndarray of shape (h, w)
        That, with debris: what hinders.
    endosomes : ndarray of shape (h, w) or None
        How what cells take up lies within them: 1 at the border of a living nucleus, less with the distance from the
        nearest one, and less where a nucleus takes part of the section's thickness. None where the model has it evenly.
    number : int
        Nuclei, living and dead.
    """

    dapi: NDArray[np.float64]
    nuclear: NDArray[np.float64]
    living: NDArray[np.float64]
    filled: NDArray[np.float64]
    endosomes: NDArray[np.float64] | None
    number: int


def place_cells(animal: Animal, profiles: Profiles, rng: np.random.Generator) -> Cells:
    """Place nuclei around the vessels of a section.

    Their density is the animal's times a log-normal field that knows nothing of vessels. Beyond the animal's distance
    from vessels that carry blood (in space, not only in the plane) tissue is dead: a few small, bright nuclei and
    haze. Nuclei keep their distance from each other and out of vessels.

    Parameters
    ----------
    animal : Animal
        Density, size, crowding, necrosis.
    profiles : Profiles
        Of the section.
    rng : Generator
        Consumed.

    Returns
    -------
    Cells
    """
    shape = profiles.vessels.shape
    alive = 1 / (1 + np.exp((_distance(profiles.blood, shape) - animal.necrosis) / _EDGE))
    crowd = ndimage.gaussian_filter(rng.standard_normal(shape), _CROWDS, mode="wrap") * 2 * np.sqrt(np.pi) * _CROWDS
    density = animal.cell_density * 1e-6 * np.exp(animal.crowding * (crowd - animal.crowding / 2))
    free = ~ndimage.binary_dilation(profiles.vessels, iterations=3)
    centres = _scatter(density * np.maximum(alive, 0.2) * free, 0.8 * animal.nucleus, rng)
    dead = rng.random(len(centres)) > alive[tuple(centres.astype(int).T)]

    dapi, nuclear, weight = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    takes_up = np.zeros(shape, np.bool_)
    sizes = animal.nucleus * np.exp(rng.normal(0.0, 0.12, len(centres))) * np.where(dead, 0.55, 1.0)
    for (y, x), size, is_dead in zip(centres, sizes, dead, strict=True):
        stretch = np.sqrt(rng.uniform(1.0, 1.6))
        where = ellipse(y, x, size / 2 * stretch, size / 2 / stretch, shape=shape, rotation=rng.uniform(0, np.pi))
        share = rng.uniform(*_CUT)
        dapi[where] = share / np.mean(_CUT) * (1.4 if is_dead else 1.0)
        nuclear[where] = share
        if not is_dead:
            weight[int(y), int(x)] += animal.cell_area
            takes_up[where] = True
    dapi *= 1 + 0.25 * ndimage.gaussian_filter(rng.standard_normal(shape), 1.2) * 2 * np.sqrt(np.pi) * 1.2
    tissue = ndimage.gaussian_filter((~profiles.vessels).astype(np.float64), AROUND)
    living = np.clip(ndimage.gaussian_filter(weight, AROUND) / np.maximum(tissue, 0.05), 0.0, _FULLEST)
    filled = np.clip(living + _DEBRIS * (1 - alive), _EMPTIEST, _FULLEST)
    haze = 0.08 * (1 - alive) * ~profiles.vessels
    endosomes, way = None, animal.model.endosomes
    if way is not None:
        endosomes = np.exp(-_from(takes_up) / way) * (1 - nuclear) * ~profiles.vessels
    return Cells(np.maximum(dapi, 0.0) + haze, nuclear, living, filled, endosomes, len(centres))


def _from(places: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance of each pixel from the nearest of some, µm; infinite where there is none."""
    return np.asarray(ndimage.distance_transform_edt(~places)) if places.any() else np.full(places.shape, np.inf)


def _distance(blood: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the distance of each pixel from blood, µm, in space."""
    if not len(blood):
        return np.full(shape, np.inf)
    coarse = 8
    rows, columns = (np.arange(0, side + coarse, coarse, dtype=np.float64) for side in shape)
    grid = np.stack(np.broadcast_arrays(0.0, rows[:, None], columns[None, :]), axis=-1)
    near = KDTree(blood).query(grid.reshape(-1, 3))[0].reshape(grid.shape[:2])
    places = np.meshgrid(*((np.arange(side) + 0.5) / coarse for side in shape), indexing="ij")
    return np.asarray(ndimage.map_coordinates(near, places, order=1))


def _scatter(density: NDArray[np.float64], apart: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return random places (n, 2) of about a density per pixel, no two nearer than `apart`."""
    # Some are taken away again because they lie too near: the denser, the more.
    wanted = density * (1 + 3 * density * apart**2)
    expected = float(wanted.sum())
    order = np.searchsorted(np.cumsum(wanted), rng.uniform(0.0, expected, rng.poisson(expected)))
    places = np.stack(np.unravel_index(order, density.shape), axis=1) + rng.uniform(0.0, 1.0, (len(order), 2))
    kept = np.ones(len(places), np.bool_)
    pairs = KDTree(places).query_pairs(apart, output_type="ndarray") if len(places) else np.empty((0, 2), np.int64)
    for first, second in pairs[np.lexsort(pairs.T[::-1])]:
        if kept[first]:
            kept[second] = False
    return places[kept]
