"""The physics of the tumour phantom against closed forms: conservation, one vessel, the grid, the step of time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import k0, k1

from diffuscope.errors import InputError
from diffuscope.simulation.tumour.transport import Medium, hindered, solve, wall_exchange

RADIUS, PERMEABILITY, DIFFUSIVITY, UPTAKE = 6.0, 2e-2, 0.3, 3e-4


def one_vessel(spacing: float, *, side: float = 240.0, phi: float = 0.4) -> tuple[Medium, np.ndarray]:
    """A vessel of `RADIUS` in even tissue, and the distance of each cell from its middle."""
    centres = (np.arange(round(side / spacing)) + 0.5) * spacing - side / 2
    r = np.hypot(centres[:, None], centres[None, :])
    vessel = r < RADIUS
    exchange = wall_exchange(vessel, np.full(r.shape, PERMEABILITY), spacing=spacing)
    even = np.ones(r.shape)
    return Medium(spacing, np.where(vessel, 0.0, phi), DIFFUSIVITY * even, UPTAKE * even, exchange), r


def bessel(r: np.ndarray) -> np.ndarray:
    """Steady state around one vessel: D c'' + D c'/r = k c, and −D c' = P (1 − c) at the wall."""
    way = np.sqrt(DIFFUSIVITY / UPTAKE)
    wall = RADIUS / way
    return PERMEABILITY * k0(r / way) / (PERMEABILITY * k0(wall) + DIFFUSIVITY / way * k1(wall))


def deviation(spacing: float) -> float:
    medium, r = one_vessel(spacing)
    # The steady state is there after many times 1/k; the method is L-stable, so long steps do.
    found = solve(medium, hours=500.0, half_life=np.inf, steps=40).interstitial
    ring = (r > RADIUS + 3) & (r < 80)
    return float(np.sqrt(np.mean((found[ring] - bessel(r[ring])) ** 2)) / bessel(np.array([RADIUS]))[0])


def test_one_vessel_is_the_bessel_function():
    assert deviation(2.0) < 0.02


def test_a_finer_grid_is_nearer_to_it():
    coarse, middle, fine = deviation(4.0), deviation(2.0), deviation(1.0)
    assert fine < middle < coarse and fine < 0.006


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6), hours=st.floats(0.1, 48.0), half_life=st.floats(0.1, 100.0), steps=st.integers(1, 20)
)
def test_what_entered_is_there_or_taken_up(seed: int, hours: float, half_life: float, steps: int):
    rng = np.random.default_rng(seed)
    vessels = rng.random((24, 30)) < 0.1
    phi = np.where(vessels, 0.0, rng.uniform(0.05, 0.95, vessels.shape))
    exchange = wall_exchange(vessels, rng.uniform(0, 5e-3, vessels.shape), spacing=2.0)
    medium = Medium(2.0, phi, hindered(0.4, phi), rng.uniform(0, 1e-3, vessels.shape), exchange)
    found = solve(medium, hours=hours, half_life=half_life, steps=steps)
    assert abs(found.imbalance) < 1e-9
    # counted again, from what is returned
    there = (found.interstitial * phi + found.bound).sum() * 4.0
    assert there == pytest.approx(found.entered, rel=1e-9)
    assert found.load.sum() * 4.0 == pytest.approx(there)
    assert found.plasma == pytest.approx(2 ** (-hours / half_life))


def test_nothing_is_negative_or_above_the_plasma_at_the_phantom_s_steps():
    medium, _ = one_vessel(2.0)
    found = solve(medium, hours=4.0, half_life=1.2)
    assert found.interstitial.min() >= 0 and found.bound.min() >= 0 and found.interstitial.max() < 1


def stirred() -> Medium:
    """So fast a diffusion that all tissue has one concentration: an equation of one variable."""
    vessels = np.zeros((6, 6), np.bool_)
    vessels[2, 3] = True
    even = np.ones(vessels.shape)
    exchange = wall_exchange(vessels, 2e-3 * even, spacing=2.0)
    return Medium(2.0, np.where(vessels, 0.0, 0.4), 1e6 * even, 2e-4 * even, exchange)


def stirred_truth(medium: Medium, hours: float, half_life: float) -> np.ndarray:
    """Mean interstitial and bound concentration by scipy's adaptive integrator."""
    exchange = medium.exchange[medium.interstitium > 0].mean()

    def slope(t: float, y: np.ndarray) -> list[float]:
        plasma = 2 ** (-t / 3600 / half_life)
        return [(exchange * (plasma - y[0]) - 2e-4 * y[0]) / 0.4, 2e-4 * y[0]]

    return solve_ivp(slope, (0, hours * 3600), [0.0, 0.0], rtol=1e-10, atol=1e-12).y[:, -1]


def test_time_is_of_second_order_and_ends_at_scipy_s_solution():
    medium, apart = stirred(), []
    truth = stirred_truth(medium, 4.0, 1.2)
    for steps in (10, 20, 40):
        found = solve(medium, hours=4.0, half_life=1.2, steps=steps)
        tissue = medium.interstitium > 0
        apart.append(np.abs([found.interstitial[tissue].mean() - truth[0], found.bound[tissue].mean() - truth[1]]))
    np.testing.assert_allclose(apart[0] / apart[1], 4.0, rtol=0.25)
    np.testing.assert_allclose(apart[1] / apart[2], 4.0, rtol=0.25)
    assert (apart[0] < 0.01 * truth).all()


@pytest.mark.parametrize("radius", [5.0, 9.0, 14.0])
@pytest.mark.parametrize("spacing", [1.0, 2.0])
def test_the_wall_is_as_long_as_a_circle_s(radius: float, spacing: float):
    centres = (np.arange(40) + 0.3) * spacing
    disc = np.hypot(centres[:, None] - 20 * spacing, centres[None, :] - 20 * spacing) < radius
    exchange = wall_exchange(disc, np.full(disc.shape, 3e-3), spacing=spacing)
    assert exchange.sum() * spacing**2 / 3e-3 == pytest.approx(2 * np.pi * radius, rel=0.08)
    assert not exchange[disc].any()


def test_cells_hinder_as_maxwell_says():
    # no cells: free; half: 2·0.5/2.5
    np.testing.assert_allclose(hindered(0.7, np.array([1.0, 0.5, 0.0])), [0.7, 0.28, 0.0])


def test_a_barrier_is_not_crossed():
    """A harmonic mean with nothing is nothing."""
    even = np.ones((10, 21))
    diffusivity = even.copy()
    diffusivity[:, 10] = 0.0
    exchange = np.zeros_like(even)
    exchange[:, 0] = 1e-3
    found = solve(Medium(1.0, 0.5 * even, diffusivity, 0 * even, exchange), hours=4.0, half_life=1.0)
    assert found.load[:, :10].min() > 0 and not found.load[:, 11:].any()


def test_no_tissue_is_said():
    nothing = np.zeros((4, 4))
    with pytest.raises(InputError, match="nothing but vessels"):
        solve(Medium(1.0, nothing, nothing, nothing, nothing), hours=1.0, half_life=1.0)
