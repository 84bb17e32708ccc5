"""The Brownian bridge: its ends, its marginals, and that exact predictions lead home."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffuscope.diffusion.bridge import bridge_at, bridge_step, bridge_variance

MANY = 400_000


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_ends_are_the_two_images():
    target, source, noise = (normal(seed, 3, 8, 8) for seed in range(3))
    torch.testing.assert_close(bridge_at(torch.tensor(0.0), target, source, noise), target)
    torch.testing.assert_close(bridge_at(torch.tensor(1.0), target, source, noise), source)


def test_the_variance_is_that_of_the_paper():
    m = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    # 2 s m (1 − m), which is s / 2 at its greatest
    assert bridge_variance(m, s=3.0).tolist() == pytest.approx([0.0, 1.125, 1.5, 1.125, 0.0])
    drawn = bridge_at(torch.tensor(0.3, dtype=torch.float64), torch.tensor(2.0), torch.tensor(-1.0), normal(0, MANY))
    assert float(drawn.mean()) == pytest.approx(0.7 * 2 - 0.3, abs=5 * 0.65 / MANY**0.5)
    assert float(drawn.var()) == pytest.approx(0.42, rel=0.01)


@pytest.mark.parametrize(("m", "to"), [(0.9, 0.7), (0.5, 0.01), (0.999, 0.998), (0.31, 0.3)])
def test_a_step_is_the_paper_s_accelerated_one(m: float, to: float):
    """Its mean and variance as they are published, with δ written out, in numpy."""
    s = 0.7
    x, clean, source, noise = (normal(seed, 5).numpy() for seed in range(4))
    now, then = 2 * s * (m - m**2), 2 * s * (to - to**2)
    variance = (now - then * ((1 - m) / (1 - to)) ** 2) * then / now
    mean = (1 - to) * clean + to * source
    mean = mean + np.sqrt((then - variance) / now) * (x - (1 - m) * clean - m * source)
    found = bridge_step(*(torch.from_numpy(a) for a in (x, clean, noise)), m=m, to=to, s=s)
    np.testing.assert_allclose(found.numpy(), mean + np.sqrt(variance) * noise, atol=1e-9)


def test_steps_with_the_true_target_keep_the_marginals_and_the_covariance_of_a_bridge():
    """From x_T = y in uneven steps; a bridge's covariance between u < v is 2 s u (1 − v) (Brownian motion, pinned)."""
    target, source = torch.tensor(0.8, dtype=torch.float64), torch.tensor(-0.4, dtype=torch.float64)
    x, m, paths = source.expand(MANY), 1.0, {}
    for i, to in enumerate((0.85, 0.5, 0.2)):
        x = bridge_step(x, target, normal(i, MANY), m=m, to=to)
        paths[to], m = x, to
    for u, path in paths.items():
        expected = (1 - u) * 0.8 + u * -0.4
        spread = 2 * u * (1 - u)
        assert float(path.mean()) == pytest.approx(expected, abs=5 * (spread / MANY) ** 0.5)
        assert float(path.var()) == pytest.approx(spread, rel=0.012)
    for u, v in ((0.5, 0.85), (0.2, 0.85), (0.2, 0.5)):
        found = float(torch.cov(torch.stack([paths[u], paths[v]]))[0, 1])
        assert found == pytest.approx(2 * u * (1 - v), abs=0.006)


def test_the_last_step_is_the_estimate():
    x, clean, noise = (normal(seed, 4) for seed in range(3))
    torch.testing.assert_close(bridge_step(x, clean, noise, m=0.4, to=0.0), clean)
