"""PatchGAN: its patches, and the paper's size."""

from __future__ import annotations

import torch
from torch import nn

from diffuscope.networks.patchgan import PatchGAN


def test_a_verdict_sees_70_px_and_no_more():
    judge = PatchGAN(6, 4).double()
    # Normalisation apart, whose mean and variance are the image's.
    judge.layers = nn.Sequential(*(layer for layer in judge.layers if not isinstance(layer, nn.InstanceNorm2d)))
    image = torch.rand(1, 6, 256, 256, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    image.requires_grad_()
    verdict = judge(image)
    assert verdict.shape == (1, 1, 30, 30)
    verdict[0, 0, 15, 15].backward()
    seen = image.grad.abs().sum(dim=(0, 1)) > 0
    assert seen.any(dim=1).sum() == seen.any(dim=0).sum() == 70


def test_the_paper_s_size():
    """Isola's 70 × 70 discriminator: 6-64-128-256-512-1 by 4 × 4, offsets where no normalisation takes them away."""
    layers = ((6, 64), (64, 128), (128, 256), (256, 512), (512, 1))
    assert sum(p.numel() for p in PatchGAN(6, 64).parameters()) == sum(16 * a * b for a, b in layers) + 64 + 1


def test_the_smallest_image():
    assert PatchGAN(6, 2)(torch.zeros(2, 6, 32, 32)).shape == (2, 1, 2, 2)
