"""Nanoparticles in tissue: out of leaky vessels, through the interstitium, into cells; by finite volumes, implicit.

With c the concentration in the interstitial fluid and b what cells have taken up (both over the plasma's concentration
at injection), φ the part of the tissue that is interstitium, and v the part that is living cells::

    ∂(φ c)/∂t = ∇·(D_eff ∇c) − k v c + (P A)(c_p − c),     ∂b/∂t = k v c,     c_p = 2^(−t / half-life)

D_eff is `hindered`; P A is the permeability of the vessel wall times its length per area of section
(`wall_exchange`). No particle crosses the edge of the field, and none is carried by flow: the pressure in a tumour's
interstitium is high and nearly even, which leaves diffusion (Chauhan et al., Annu Rev Chem Biomol Eng 2, 281, 2011).
Vessels are taken to run on above and below the section as they are in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from diffuscope.errors import InputError

# Alexander (1977), two stages, order 2, L-stable: the jump of the plasma at t = 0 leaves no oscillation behind.
_GAMMA = 1 - 1 / np.sqrt(2)


@dataclass(frozen=True, eq=False)
class Medium:
    """A section of tissue as the equations see it; all arrays (h, w), float64.

    Attributes
    ----------
    spacing : float
        Side of a grid cell, µm.
    interstitium : ndarray
        φ, 0–1; 0 in vessels, which are no part of the tissue.
    diffusivity : ndarray
        D_eff, µm²/s, of the flux per gradient of c.
    uptake : ndarray
        k v, 1/s.
    exchange : ndarray
        P A, 1/s, of the cells beside a vessel; elsewhere 0.
    """

    spacing: float
    interstitium: NDArray[np.float64]
    diffusivity: NDArray[np.float64]
    uptake: NDArray[np.float64]
    exchange: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Distribution:
    """Where the particles are at the end; concentrations over the plasma's at injection.

    Attributes
    ----------
    interstitial : ndarray of shape (h, w)
        c, in the fluid; 0 in vessels.
    bound : ndarray of shape (h, w)
        b, per tissue.
    load : ndarray of shape (h, w)
        φ c + b, per tissue.
    plasma : float
        c_p at the end.
    entered : float
        What came through the vessel walls, less what went back: concentration times µm².
    imbalance : float
        (entered − taken up − in the interstitium) / entered; the arithmetic's rounding, and 0 if nothing entered.
    """

    interstitial: NDArray[np.float64]
    bound: NDArray[np.float64]
    load: NDArray[np.float64]
    plasma: float
    entered: float
    imbalance: float


def hindered(diffusivity: float, interstitium: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return D_eff = D · 2φ / (3 − φ): particles go around cells.

    Maxwell's formula for impermeable spheres. El-Kareh, Braunstein & Secomb (Biophys J 64, 1638, 1993) found it near
    the computed diffusivity for arrangements of tumour cells, up to the densest.

    Parameters
    ----------
    diffusivity : float
        D in the interstitium itself, its matrix included, µm²/s.
    interstitium : ndarray
        φ, 0–1.
    """
    phi = np.asarray(interstitium, dtype=np.float64)
    return diffusivity * 2 * phi / (3 - phi)


def wall_exchange(
    vessels: NDArray[np.bool_], permeability: NDArray[np.floating], *, spacing: float
) -> NDArray[np.float64]:
    """Return P A of each cell beside a vessel, 1/s.

    The faces of a staircase are longer than the wall that they stand for, by up to √2. Each counts with the part of
    the wall's unit normal that is along it: a wall of length l has l·|n_y|/spacing faces across y, so that the sum
    is l·(n_y² + n_x²) = l.

    Parameters
    ----------
    vessels : ndarray of shape (h, w)
        bool; True in vessels, their walls included.
    permeability : ndarray of shape (h, w)
        µm/s, of the vessel that a cell lies in.
    spacing : float
        µm.
    """
    soft = ndimage.gaussian_filter(vessels.astype(np.float64), 1.0, mode="nearest")
    slopes = np.stack(np.gradient(soft))
    normal = np.abs(slopes) / np.maximum(np.linalg.norm(slopes, axis=0), 1e-12)
    exchange = np.zeros(vessels.shape)
    for axis in (0, 1):
        for tissue, vessel in (_sides(axis), _sides(axis)[::-1]):
            face = vessels[vessel] & ~vessels[tissue]
            part = (normal[axis][vessel] + normal[axis][tissue]) / 2
            exchange[tissue] += face * part * permeability[vessel] / spacing
    return exchange


def solve(medium: Medium, *, hours: float, half_life: float, steps: int = 12) -> Distribution:
    """Solve the equations from injection, when nothing is in the tissue, to the end.

    Finite volumes on the grid, with harmonic means of D_eff at the faces, so that what leaves one cell enters
    the next; in time a two-stage implicit Runge–Kutta method of order 2 (Alexander 1977), whose matrix is
    factorised once.

    Parameters
    ----------
    medium : Medium
        See there.
    hours : float
        From injection to the end, h.
    half_life : float
        Of the particles in plasma, h; ``inf`` for a plasma that keeps its concentration.
    steps : int
        Of time.

    Returns
    -------
    Distribution

    Raises
    ------
    InputError
        There is no tissue.
    """
    tissue = medium.interstitium > 0
    if not tissue.any():
        raise InputError("A section that is nothing but vessels has no tissue to solve for: simulate fewer vessels.")
    phi, uptake, exchange = (field[tissue] for field in (medium.interstitium, medium.uptake, medium.exchange))
    change = _diffusion(medium, tissue) - sparse.diags_array(uptake + exchange)
    step, rate = hours * 3600 / steps, np.log(2) / (half_life * 3600)
    factors = splu(
        (sparse.diags_array(phi) - _GAMMA * step * change).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        options={"SymmetricMode": True},
    )
    c, taken, entered = np.zeros(phi.size), np.zeros(phi.size), 0.0
    for number in range(steps):
        slope = np.zeros(phi.size)
        ahead = c
        for stage, weight in ((_GAMMA, 1 - _GAMMA), (1.0, _GAMMA)):
            # c at the stage solves φ (c − c_n − earlier slopes) = γ·step·(change c + P A c_p)
            plasma = np.exp(-rate * step * (number + stage))
            start = c + (1 - _GAMMA) * step * slope if stage == 1.0 else c
            ahead = factors.solve(phi * start + _GAMMA * step * exchange * plasma)
            slope = (ahead - start) / (_GAMMA * step)
            taken += weight * step * uptake * ahead
            entered += weight * step * float((exchange * (plasma - ahead)).sum())
        # stiffly accurate: the last stage is the new state
        c = ahead
    area = medium.spacing**2
    present = float((phi * c + taken).sum())
    interstitial, bound, load = (np.zeros(tissue.shape) for _ in range(3))
    interstitial[tissue], bound[tissue], load[tissue] = c, taken, phi * c + taken
    return Distribution(
        interstitial=interstitial,
        bound=bound,
        load=load,
        plasma=float(np.exp(-rate * step * steps)),
        entered=entered * area,
        imbalance=(entered - present) / entered if entered else 0.0,
    )


def _diffusion(medium: Medium, tissue: NDArray[np.bool_]) -> sparse.csr_array:
    """Return the matrix of ∇·(D_eff ∇c) on the cells that are tissue; its columns sum to 0."""
    number = np.full(tissue.shape, -1)
    number[tissue] = np.arange(np.count_nonzero(tissue))
    rows, columns, values = [], [], []
    for axis in (0, 1):
        here, there = _sides(axis)
        face = tissue[here] & tissue[there]
        one, other = medium.diffusivity[here][face], medium.diffusivity[there][face]
        between = 2 * one * other / np.maximum(one + other, 1e-300) / medium.spacing**2
        a, b = number[here][face], number[there][face]
        rows += [a, b, a, b]
        columns += [b, a, a, b]
        values += [between, between, -between, -between]
    size = int(np.count_nonzero(tissue))
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.coo_array(entries, shape=(size, size)).tocsr()


def _sides(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the cells before and behind each inner face across an axis."""
    before, behind = [slice(None)] * 2, [slice(None)] * 2
    before[axis], behind[axis] = slice(None, -1), slice(1, None)
    return tuple(before), tuple(behind)
