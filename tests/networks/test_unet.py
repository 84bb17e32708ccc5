"""The U-Net's shapes, its modulation, and how far one pixel reaches."""

from __future__ import annotations

import pytest
import torch

from diffuscope.networks.blocks import ChannelNorm, GroupNorm, ResidualBlock, TimeEmbedding, Upsample
from diffuscope.networks.unet import Encoder, ModulatedUNet

WIDTHS = (8, 8, 16, 16)


def wake(module: torch.nn.Module) -> torch.nn.Module:
    """Give weights that begin at zero a value, so that something flows through them."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        if not parameter.any():
            parameter.data.normal_(0.0, 0.1, generator=generator)
    return module.eval()


@pytest.fixture
def parts() -> tuple[Encoder, ModulatedUNet]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return wake(Encoder(3, WIDTHS)), wake(ModulatedUNet(3, WIDTHS))


def test_channel_norm_is_layer_norm_of_each_pixel():
    x = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 + 1
    mean, variance = x.mean(1, keepdim=True), x.var(1, keepdim=True, correction=0)
    torch.testing.assert_close(ChannelNorm()(x), (x - mean) / (variance + 1e-5).sqrt())


def test_a_residual_block_begins_as_the_identity():
    x = torch.randn(1, 8, 6, 6)
    torch.testing.assert_close(ResidualBlock(8, 8)(x), x)


def test_times_are_told_apart_and_lie_close_when_close():
    embed = TimeEmbedding(16).eval()
    near, far = embed(torch.tensor([0.5, 0.5005, 0.9])).diff(dim=0).norm(dim=1).tolist()
    assert 0 < near < far


def test_features_halve_level_by_level(parts):
    encoder, unet = parts
    features = encoder(torch.zeros(2, 3, 64, 48))
    assert [tuple(f.shape) for f in features] == [(2, w, 64 >> i, 48 >> i) for i, w in enumerate(WIDTHS)]
    attention = [(torch.ones_like(f), torch.zeros_like(f)) for f in features]
    assert unet(torch.zeros(2, 3, 64, 48), torch.ones(2), attention).shape == (2, 3, 64, 48)


def test_gain_and_offset_of_every_level_reach_the_output(parts):
    encoder, unet = parts
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    attention = [(torch.ones_like(f).requires_grad_(), torch.zeros_like(f).requires_grad_()) for f in encoder(x)]
    unet(x, torch.full((1,), 0.5), attention).square().sum().backward()
    assert all(part.grad.abs().max() > 0 for pair in attention for part in pair)


def test_a_pixel_reaches_only_as_far_as_the_convolutions(parts):
    """No statistic of the whole tile: what lies beyond the receptive field leaves every bit as it was."""
    encoder, _ = parts
    x = torch.zeros(1, 3, 192, 192)
    other = x.clone()
    other[..., :8] = 1.0
    for before, after in zip(encoder(x), encoder(other), strict=True):
        changed = (before != after).any(dim=1)[0].any(dim=0).nonzero()
        assert len(changed) > 0 and changed.max() * 192 / before.shape[-1] < 96


def test_upsampling_is_nearest_neighbour_and_a_convolution():
    block = Upsample(5, 3).double()
    x = torch.randn(2, 5, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    doubled = torch.nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
    torch.testing.assert_close(block(x), block.conv(doubled))


def test_one_time_for_all_is_that_time_for_each(parts):
    encoder, unet = parts
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    modulation = [(1.0 + feature, feature) for feature in encoder(x)]
    one, each = torch.tensor([0.3]), torch.tensor([0.3, 0.3])
    expected = unet(x, each, modulation)
    torch.testing.assert_close(unet(x, one, modulation), expected, rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        # What is written over changes nothing, and nothing that was given.
        given = x.clone(), [(gain.clone(), offset.clone()) for gain, offset in modulation]
        torch.testing.assert_close(unet(x, each, modulation), expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close((x, modulation), given, rtol=0, atol=0)


def test_a_group_norm_is_called_as_a_channel_norm_is():
    x, scale, shift = (torch.randn(2, 16, 5, 7, generator=torch.Generator().manual_seed(k)) for k in range(3))
    norm = GroupNorm(8, 16)
    torch.nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(3))
    groups = x.double().reshape(2, 8, -1)
    mean, variance = groups.mean(-1, keepdim=True), groups.var(-1, keepdim=True, correction=0)
    expected = ((groups - mean) / (variance + 1e-5).sqrt()).reshape(x.shape) * norm.weight.double()[:, None, None]
    torch.testing.assert_close(norm(x).double(), expected, rtol=1e-4, atol=1e-5)
    modulated = expected * scale.double() + shift.double()
    found = norm(x, (scale, shift), activate=True).double()
    torch.testing.assert_close(found, modulated * torch.sigmoid(modulated), rtol=1e-4, atol=1e-5)
