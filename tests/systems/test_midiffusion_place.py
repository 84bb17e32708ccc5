"""Where a pixel lies, and guides in a contrast that there is not."""

from __future__ import annotations

import numpy as np
import torch

from diffuscope.systems.midiffusion.place import bodies, body_mask, place_maps
from diffuscope.systems.midiffusion.random_guide import random_guide
from diffuscope.systems.registry import build_system

SIDE = 48


def phantom(levels: tuple[float, float, float]) -> np.ndarray:
    """A disc with a bright ring and a hole full of air in it, and a speck beside it: air, tissue and bone."""
    y, x = np.mgrid[:SIDE, :SIDE]
    radius = np.hypot(y - 20, x - 26)
    air, tissue, bone = levels
    image = np.where(radius < 15, tissue, air)
    image[(radius > 6) & (radius < 9)] = bone
    image[radius < 4] = air
    image[40:42, 2:4] = tissue
    return image


def test_the_body_is_the_same_in_every_contrast():
    """One rule for all modalities: the disc whole, its hole filled, and no speck."""
    disc = np.hypot(*np.mgrid[-20:28, -26:22]) < 15
    for levels in ((0.0, 0.5, 1.0), (0.02, 0.9, 0.3), (0.0, 0.15, 0.08)):
        found = body_mask(phantom(levels))
        assert not found[40:42, 2:4].any()
        # Smoothing moves the edge by up to two pixels, of a circumference of 94.
        assert not (disc & ~found).sum() > 47 and (found & ~disc).sum() < 2 * 94 + 5 and found[20, 26]
    assert not body_mask(np.zeros((SIDE, SIDE))).any()


def test_what_is_at_the_border_is_body_up_to_the_border():
    assert body_mask(np.full((SIDE, SIDE), 0.5)).all()


def test_place_is_told_within_the_body_s_box():
    body = torch.zeros(2, 1, 20, 30)
    body[0, 0, 5:11, 10:21] = 1.0
    mask, y, x = place_maps(body).unbind(1)
    assert torch.equal(mask, body[:, 0])
    np.testing.assert_allclose(y[0, 5:11, 3], np.linspace(-1, 1, 6), atol=1e-6)
    np.testing.assert_allclose(x[0, 7, 10:21], np.linspace(-1, 1, 11), atol=1e-6)
    assert y[0, :5].eq(-1).all() and y[0, 11:].eq(1).all()
    # Of no body the box is the image.
    np.testing.assert_allclose(y[1, :, 0], np.linspace(-1, 1, 20), atol=1e-6)


def slices(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    clean = torch.from_numpy(np.stack([phantom((0.0, 0.4, 0.9))] * n)[:, None]).float() * 2 - 1
    return clean, bodies(clean)


def test_a_random_guide_keeps_regions_and_forgets_their_levels():
    clean, body = slices(64)
    guide = random_guide(clean, body, torch.Generator().manual_seed(0))
    assert guide.shape == clean.shape and guide.min() >= -1 and guide.max() <= 1
    assert torch.equal(guide, random_guide(clean, body, torch.Generator().manual_seed(0)))
    y, x = np.mgrid[:SIDE, :SIDE]
    radius = np.hypot(y - 20, x - 26)
    tissue, bone = ((radius > 10) & (radius < 13)), ((radius > 6.5) & (radius < 8.5))
    levels = np.array([[float(one[0][torch.from_numpy(part)].mean()) for part in (tissue, bone)] for one in guide])
    # Either is the brighter one, often: no order of levels is left to learn from.
    assert 0.2 < (levels[:, 0] > levels[:, 1]).mean() < 0.8
    assert levels.std(axis=0).min() > 0.3
    # Beside the body it is dark.
    assert guide[..., 42:, 42:].mean() < -0.9


def test_a_network_told_the_place_sees_five_maps_more_than_the_noisy_slice_and_forgets_them_together():
    config = {
        "target": {"name": "CT", "low": -200, "high": 300, "unit": "HU"},
        "source": {"name": "MR"},
        "tile": SIDE,
        "overlap": 8,
    }
    system = build_system("midiffusion", config | {"size": "tiny", "place": True, "guide": "random", "noise": "normal"})
    seen = []
    system.network.forward = lambda x, time, condition: seen.append(condition) or torch.zeros_like(x)
    target = 250 * slices(40)[0] + 50
    body = {"body": bodies(slices(40)[0])}
    with torch.no_grad():
        told = system.loss({"ct": target} | body, torch.Generator().manual_seed(2))["loss"]
        found = system.loss({"ct": target}, torch.Generator().manual_seed(2))["loss"]
    assert float(told) == float(found)
    assert seen[0].shape == (40, 5, SIDE, SIDE)
    dropped = seen[0].eq(-1).flatten(1).all(dim=1)
    assert 0 < dropped.sum() < 20
    torch.testing.assert_close(seen[0][~dropped, 2:], place_maps(body["body"])[~dropped])
    crop = {"ct": target[0].permute(1, 2, 0).numpy()}
    np.testing.assert_array_equal(system.complete(crop)["body"][..., 0], body["body"][0, 0].numpy())
