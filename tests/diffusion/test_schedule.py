"""The schedule against its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from diffuscope.diffusion.schedule import linear_schedule


@pytest.mark.parametrize("steps", [250, 1000, 2000, 4000])
def test_every_length_ends_in_the_same_noise(steps: int):
    schedule = linear_schedule(steps)
    assert steps == schedule.T
    # log ᾱ_T ≈ −Σβ − Σβ²/2, with Σβ = 1000 · (1e-4 + 0.02) / 2 whatever T is
    beta = np.linspace(1e-4, 0.02, steps) * 1000 / steps
    expected = math.exp(-10.05 - (beta**2).sum() / 2 - (beta**3).sum() / 3)
    assert schedule.alphas_cumprod[-1] == pytest.approx(expected, rel=1e-2)
    assert 2.5e-5 < schedule.alphas_cumprod[-1] < 4.5e-5


def test_a_short_schedule_stays_a_schedule():
    schedule = linear_schedule(5)
    assert (schedule.betas < 1).all()
    assert (np.diff(schedule.alphas_cumprod) < 0).all()
    assert schedule.alphas_cumprod[-1] > 0
