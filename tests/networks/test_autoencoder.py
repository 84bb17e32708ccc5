"""The autoencoder: bounded latents on few levels, a gradient through the rounding, and nothing that sees far."""

from __future__ import annotations

import pytest
import torch

from diffuscope.networks.autoencoder import Autoencoder


@pytest.fixture
def autoencoder() -> Autoencoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Autoencoder(1, 3, (8, 8, 8), levels=5)


def test_latents_are_bounded_and_rounded_to_their_levels(autoencoder):
    latents = autoencoder.encode(torch.randn(2, 1, 16, 24) * 100)
    assert latents.shape == (2, 3, 4, 6) and latents.abs().max() <= 1
    rounded = autoencoder.quantise(latents)
    torch.testing.assert_close(rounded * 2, torch.round(rounded * 2))
    assert (rounded - latents).abs().max() <= 0.25 + 1e-6
    torch.testing.assert_close(autoencoder.quantise(rounded), rounded)
    assert autoencoder.decode(latents).shape == (2, 1, 16, 24)
    torch.testing.assert_close(autoencoder.decode(latents), autoencoder.decode(rounded))


def test_the_gradient_goes_through_the_rounding(autoencoder):
    latents = torch.rand(2, 3, 4, 4, requires_grad=True)
    weights = torch.randn(2, 3, 4, 4)
    (gradient,) = torch.autograd.grad((autoencoder.quantise(latents) * weights).sum(), latents)
    torch.testing.assert_close(gradient, weights)


def test_a_pixel_far_away_changes_nothing(autoencoder):
    image = torch.randn(1, 1, 96, 96)
    changed = image.clone()
    changed[..., :8, :8] += 3
    with torch.inference_mode():
        first, second = (autoencoder.decode(autoencoder.encode(one)) for one in (image, changed))
    assert not torch.equal(first, second)
    assert torch.equal(first[..., 72:, 72:], second[..., 72:, 72:])


@pytest.mark.slow
def test_it_learns_to_reproduce(autoencoder):
    image = torch.sin(torch.arange(32) / 4)[None, None, :, None] * torch.cos(torch.arange(32) / 5)[None, None, None]
    optimiser = torch.optim.Adam(autoencoder.parameters(), lr=3e-3)
    losses = []
    for _ in range(120):
        loss = (autoencoder.decode(autoencoder.encode(image)) - image).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_an_even_number_of_levels_has_no_zero():
    with pytest.raises(ValueError, match="odd"):
        Autoencoder(1, 3, (8, 8), levels=4)
