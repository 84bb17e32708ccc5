"""Whole slices, kept on the device and warped there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from diffuscope.cases import Case
from diffuscope.errors import InputError
from diffuscope.systems.registry import build_system
from diffuscope.training.data import warp
from diffuscope.training.data.crops import whole_slices_of
from diffuscope.training.data.warp import warped
from diffuscope.training.recipe_data import Cases

SIDE, CANVAS = 48, 32
CONFIG = {
    "target": {"name": "CT", "low": -200.0, "high": 300.0, "unit": "HU"},
    "source": {"name": "MR"},
    "size": "tiny",
    "place": True,
    "tile": SIDE,
    "overlap": 8,
    "patch": CANVAS,
}


def blob(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth rectangle of 20 x 30 px at (6, 9) and its box."""
    image = np.zeros((SIDE, SIDE))
    image[6:26, 9:39] = 1.0
    image = ndimage.gaussian_filter(image, 1.0)
    images = torch.from_numpy(np.stack([image] * n)[:, None]).float()
    return images, torch.tensor([[6.0, 9.0, 20.0, 30.0]]).repeat(n, 1)


def test_a_warp_without_chance_moves_the_box_s_centre_to_the_canvas_s_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    for name in ("_TURN", "_STRETCH", "_UNEVEN", "_SHEAR"):
        monkeypatch.setattr(warp, name, 0.0)
    images, boxes = blob(8)
    # A canvas as large as the box leaves no room to lie elsewhere: down by 5, left by 9 px.
    found = warped(images, boxes, 30, torch.Generator().manual_seed(0), elastic=0.0)
    assert found.shape == (8, 1, 30, 30)
    plain = images[0, 0, 1:31, 9:39]
    straight = sum(torch.allclose(one[0], plain, atol=1e-4) for one in found)
    mirrored = sum(torch.allclose(one[0], plain.flip(-1), atol=1e-4) for one in found)
    # The rectangle is its own mirror image, and lies anywhere up and down.
    assert straight == mirrored < 8
    rows = found[:, 0].sum(dim=2) @ torch.arange(30.0) / found[:, 0].sum(dim=(1, 2))
    assert rows.std() > 1.0


def test_what_the_box_holds_is_in_the_canvas_whatever_is_drawn():
    images, boxes = blob(64)
    found = warped(images, boxes, 40, torch.Generator().manual_seed(1), elastic=2.0)
    area = found.sum(dim=(1, 2, 3)) / images.sum(dim=(1, 2, 3))
    # Stretched by 1.2 at most along either axis; little is cut off by turning and bending.
    assert area.min() > 0.5 and area.max() < 1.6 and area.std() > 0.1
    assert torch.equal(found, warped(images, boxes, 40, torch.Generator().manual_seed(1), elastic=2.0))
    small = warped(images, boxes, 16, torch.Generator().manual_seed(1), elastic=0.0)
    assert (small.sum(dim=(1, 2, 3)) / images.sum(dim=(1, 2, 3))).max() < (16 / 30) ** 2 * 1.3


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    sitk = pytest.importorskip("SimpleITK")
    made = []
    for number, shape in enumerate(((3, 40, 44), (5, 30, 36))):
        voxels = np.full(shape, -1000, np.int16)
        voxels[:, 8:-8, 8:-8] = 50 + 40 * number
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing((1.0, 1.0, 3.0))
        path = tmp_path / f"{number}.nii.gz"
        sitk.WriteImage(image, str(path))
        made.append(Case(f"p{number}", f"p{number}", {"ct": path}))
    return made


def test_batches_hold_slices_and_their_bodies_warped_alike(cases: list[Case]):
    system = build_system("midiffusion", CONFIG)
    settings = Cases(path="", tissue=0.02, whole_slices=True, elastic=1.0)
    data = whole_slices_of({"train": cases, "validation": cases[1:]}, settings, system, seed=3, batch=24, canvas=CANVAS)
    batch = data.batch_at(0)
    assert list(batch) == ["slice"] and torch.equal(batch["slice"], data.batch_at(0)["slice"])
    # Three slices of the first case and five of the other, each case as often as the other.
    many = torch.cat([data.batch_at(number)["slice"] for number in range(20)])
    assert set(many.tolist()) == set(range(8)) and 0.4 < (many < 3).double().mean() < 0.6
    found = data.finished(batch, torch.Generator().manual_seed(0))
    assert found["ct"].shape == found["body"].shape == (24, 1, CANVAS, CANVAS)
    body = found["body"] > 0.9
    level = torch.where(batch["slice"] < 3, 50.0, 90.0)
    inside = torch.where(body, found["ct"], torch.nan).flatten(1).nanmedian(dim=1).values
    torch.testing.assert_close(inside, level, atol=1.0, rtol=0)
    # Beside a slice lies what the window cuts off below.
    outside = torch.where(found["body"] < 0.01, found["ct"], torch.nan).flatten(1).nanmedian(dim=1).values
    torch.testing.assert_close(outside, torch.full_like(outside, -200.0), atol=1.0, rtol=0)
    [held] = data.validation
    assert held["ct"].shape == (5, 1, SIDE, SIDE) and float(held["ct"][0, 0, 15, 15]) == 90.0
    assert float(system.loss(found, torch.Generator().manual_seed(1))["loss"]) > 0


def test_a_slice_that_no_tile_holds_is_refused(cases: list[Case]):
    system = build_system("midiffusion", CONFIG | {"tile": 40, "patch": 32})
    with pytest.raises(InputError, match="larger"):
        whole_slices_of(
            {"train": cases, "validation": []}, Cases(path="", tissue=0.02), system, seed=0, batch=2, canvas=CANVAS
        )


def test_slides_have_no_slices():
    system = build_system("staindiffuser", {"stain": "CD3", "size": "tiny"})
    with pytest.raises(InputError, match="slides"):
        whole_slices_of({"train": [], "validation": []}, Cases(path=""), system, seed=0, batch=2, canvas=CANVAS)
