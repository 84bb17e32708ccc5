"""The residual encoder: shapes, and no pixel that far ones can change where it runs."""

from __future__ import annotations

import torch

from diffuscope.networks.encoder import ResidualEncoder


def trained() -> ResidualEncoder:
    torch.manual_seed(0)
    encoder = ResidualEncoder(3, (8, 12, 16), blocks=2)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for norm in encoder.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
    return encoder.eval()


def test_each_level_has_half_the_size():
    features = trained()(torch.randn(2, 3, 32, 48))
    assert [tuple(f.shape) for f in features] == [(2, 8, 32, 48), (2, 12, 16, 24), (2, 16, 8, 12)]


def test_no_far_pixel_changes_a_near_one():
    encoder, image = trained(), torch.randn(1, 3, 96, 96)
    changed = image.clone()
    changed[..., 80:] += 10.0
    with torch.inference_mode():
        for before, after in zip(encoder(image), encoder(changed), strict=True):
            reach = before.shape[-1] // 3
            torch.testing.assert_close(before[..., :reach], after[..., :reach], rtol=0, atol=0)
            assert not torch.equal(before, after)


def test_darkness_survives():
    """A norm over channels maps a flat image and one twice as strong to nearly the same; fixed batch norms do not."""
    encoder = trained()
    with torch.inference_mode():
        pale, dark = (encoder(torch.full((1, 3, 16, 16), value))[0][..., 8, 8] for value in (0.2, 0.8))
    assert (pale - dark).abs().max() > 0.1


def test_a_level_begins_as_its_input():
    """Before training each block is the identity."""
    torch.manual_seed(0)
    encoder = ResidualEncoder(3, (8, 8)).eval()
    image = torch.randn(1, 3, 16, 16)
    stem = encoder.stem(image)
    expected = torch.nn.functional.silu(stem / (1 + encoder.norms[0].eps) ** 0.5)
    torch.testing.assert_close(encoder(image)[0], expected)
