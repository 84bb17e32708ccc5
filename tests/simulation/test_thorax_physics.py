"""What scanners make of phantoms, against closed forms, other libraries, and equations solved step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from skimage.transform import radon

from diffuscope.simulation.thorax_brain.mri import SEQUENCES, Sequence, lines, null, receive, signal, undersample
from diffuscope.simulation.thorax_brain.phantom import draw_phantom
from diffuscope.simulation.thorax_brain.radiograph import WATER, WHITE, expose, project
from diffuscope.simulation.thorax_brain.tissues import TISSUES


def bloch(tissue: str, sequence: Sequence) -> float:
    """Return the echo of a tissue in the steady state, with Bloch's equations integrated over repetitions."""
    one = TISSUES[tissue]
    density, t1, t2 = one.density, one.t1, one.t2

    def relax(start: tuple[float, float], time: float) -> tuple[float, float]:
        solved = solve_ivp(lambda _, m: (-m[0] / t2, (density - m[1]) / t1), (0, time), start, rtol=1e-9, atol=1e-12)
        return float(solved.y[0, -1]), float(solved.y[1, -1])

    along = density
    for _ in range(30):
        if sequence.ti:
            along = relax((0.0, -along), sequence.ti)[1]
        flipped = along
        # Spoiled after the echo; the refocusing pulse's half echo time is left out, as in the equations.
        along = relax((0.0, 0.0), sequence.tr - sequence.ti)[1]
    return abs(relax((flipped, 0.0), sequence.te)[0])


@pytest.mark.parametrize("key", ["t1", "t2", "pd", "flair"])
@pytest.mark.parametrize("tissue", ["fat", "white", "fluid", "solid"])
def test_signals_are_the_steady_state_of_blochs_equations(key: str, tissue: str):
    assert signal(TISSUES[tissue], SEQUENCES[key]) == pytest.approx(bloch(tissue, SEQUENCES[key]), rel=1e-4, abs=1e-5)


def test_flair_blackens_fluid_and_nothing_else_in_a_head():
    levels = {name: signal(TISSUES[name], SEQUENCES["flair"]) for name in ("fluid", "grey", "white", "solid", "fat")}
    assert levels.pop("fluid") < 1e-6
    assert min(levels.values()) > 0.1
    # Fully recovered, the null is at T1 ln 2.
    assert null(1000.0, 1e9) == pytest.approx(1000 * np.log(2))


def test_contrast_agent_shortens_t1():
    tissue = replace(TISSUES["solid"], uptake=0.5)
    # 1/T1 + r1 C = 1/1.1 s + 4.5 · 0.5 /s.
    t1, t2 = 1000 / (1 / 1.1 + 2.25), 1000 / (1 / 0.15 + 2.75)
    expected = 0.9 * (1 - np.exp(-500 / t1)) * np.exp(-10 / t2)
    assert signal(tissue, SEQUENCES["t1ce"]) == pytest.approx(expected)
    assert signal(tissue, SEQUENCES["t1"]) == signal(TISSUES["solid"], SEQUENCES["t1"])


def test_a_magnitude_without_signal_is_rayleighs():
    values = np.abs(receive(np.zeros((300, 300)), 0.02, np.random.default_rng(0)))
    assert values.mean() == pytest.approx(0.02 * np.sqrt(np.pi / 2), rel=0.01)


def test_lines_left_out_are_zeros_of_the_two_dimensional_spectrum():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(64, 64)) + 1j * rng.normal(size=(64, 64))
    taken = lines(64, rng)
    assert taken.sum() == 16 and taken[28:36].all()
    centred = np.fft.fftshift(np.fft.fft2(image))
    centred[~taken] = 0
    np.testing.assert_allclose(undersample(image, taken), np.fft.ifft2(np.fft.ifftshift(centred)), atol=1e-12)
    np.testing.assert_allclose(undersample(image, np.ones(64, bool)), image, atol=1e-12)
    assert len({lines(64, rng).tobytes() for _ in range(5)}) == 5


def test_a_slab_of_water_takes_what_beers_law_says():
    hu = np.full((24, 8, 8), -1000.0)
    hu[:10] = 0.0
    np.testing.assert_allclose(project(hu), WATER * 80)
    hu[:10] = 1000.0
    np.testing.assert_allclose(project(hu), 2 * WATER * 80)
    seen = expose(project(hu), 1e7, np.random.default_rng(0))
    np.testing.assert_allclose(seen, 2 * WATER * 80 / WHITE, atol=2e-3)
    assert expose(np.zeros((4, 4)), 1e12, np.random.default_rng(0)).max() < 1e-5


def test_the_projection_is_that_of_a_scanner_at_one_angle():
    hu = draw_phantom(0, seed=0, region="chest").hu
    row = 30
    # From 8 × 4 mm to square pixels, on the square that radon takes.
    section = np.zeros((64, 64))
    section[8:56] = np.repeat(WATER * (1 + hu[:, row] / 1000.0), 2, axis=0)
    other = radon(section, theta=[0.0], circle=False)[:, 0] * 4.0
    start = len(other) // 2 - 32  # padded about its middle pixel
    np.testing.assert_allclose(other[start : start + 64], project(hu)[row], rtol=1e-3, atol=1e-3)
