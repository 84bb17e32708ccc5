"""MMFusion's image encoder: what it measures, what training changes of its crops, and which network it is."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
import skimage
import torch
from seeing import NAN, SMALL, batch, make

from diffuscope.errors import InputError
from diffuscope.systems.mmfusion.augment import augmented
from diffuscope.systems.mmfusion.backbone import Backbone
from diffuscope.systems.mmfusion.config import ImagesConfig
from diffuscope.systems.mmfusion.measures import MEASURES, measure


def test_measures_are_those_of_other_libraries():
    """Volume, axes, means and grain of a blob against numpy and scikit-image, in float64; a box has its faces."""
    rng = np.random.default_rng(0)
    z, y, x = np.mgrid[:20, :20, :20]
    inside = ((z - 9) / 8) ** 2 + ((y - 10) / 5) ** 2 + ((x - 9) / 4) ** 2 < 1
    values = np.where(inside, rng.uniform(-0.5, 0.9, inside.shape), -1.0)
    found = dict(zip(MEASURES, measure(torch.from_numpy(values)[None, None].float())[0].tolist(), strict=True))
    own, places = values[inside], np.argwhere(inside)
    assert found["log volume"] == pytest.approx(np.log(inside.sum()))
    lengths = np.sqrt(np.linalg.eigvalsh(np.cov(places.T, bias=True) + np.eye(3) / 12))[::-1]
    assert [found[f"{which} axis"] for which in ("long", "middle", "short")] == pytest.approx(np.log(lengths), abs=1e-3)
    assert found["mean"] == pytest.approx(own.mean(), abs=1e-5)
    assert found["deviation"] == pytest.approx(own.std(), abs=1e-4)
    assert found["skewness"] == pytest.approx(scipy.stats.skew(own), abs=1e-3)
    tenth = int(np.ceil(len(own) / 10))
    assert found["dark tenth"] == pytest.approx(np.sort(own)[:tenth].mean(), abs=1e-5)
    assert found["bright tenth"] == pytest.approx(np.sort(own)[-tenth:].mean(), abs=1e-5)
    deep = skimage.morphology.erosion(inside, np.ones((5, 5, 5)))
    assert found["core less rim"] == pytest.approx(values[deep].mean() - values[inside & ~deep].mean(), abs=1e-5)
    summed = [
        scipy.ndimage.uniform_filter(one, 3, mode="constant") for one in (np.where(inside, values, 0.0), inside * 1.0)
    ]
    apart = np.abs(values - summed[0] / np.maximum(summed[1], 1e-9))[inside]
    assert found["grain"] == pytest.approx(apart.mean(), abs=1e-4)
    box = torch.full((1, 1, 9, 9, 9), -1.0)
    box[..., 2:6, 1:4, 0:5] = 0.3
    with torch.autocast("cpu", torch.bfloat16):  # places squared do not fit into it
        half = measure(torch.from_numpy(values)[None, None].float())[0].tolist()
    assert half == pytest.approx([*found.values()])
    assert float(measure(box)[0, MEASURES.index("surface")]) == pytest.approx(
        np.log(2 * (12 + 20 + 15) / 60 ** (2 / 3))
    )


@pytest.mark.slow
def test_an_encoder_learns_to_measure_and_nothing_else_trains():
    system = make(drop=0.0).train()
    cases = batch(system, 12)
    for number, (tumour, node) in enumerate(zip(cases["tumour"], cases["nodes"][:, 0], strict=True)):
        for crop in (tumour, node):  # boxes of their own size and grey
            grey, side = crop.new_tensor(0.15 * (number % 4)), 2 + number // 3
            crop[:] = -1
            crop[0, 1 : 1 + side, 2:4, 1 : 1 + side] = grey
    system.fit(cases)
    before = {key: value.clone() for key, value in system.state_dict().items()}
    system.begin("measures")
    optimiser = torch.optim.Adam([one for one in system.parameters() if one.requires_grad], 3e-3)
    losses = []
    for step in range(60):
        loss = system.loss(cases, torch.Generator().manual_seed(step))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:5])
    moved = {key.split(".")[0] for key, value in system.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {"images"}


def test_what_is_changed_at_random_is_the_structure_and_nothing_beside_it():
    """Each crop in its own way, by the generator alone; the structure's size and what is missing stay."""
    crops = torch.full((40, 3, 1, 6, 7, 8), -1.0)
    crops[:, 0, :, 1:3, 2:4, 2:7], crops[:, 2] = 0.2, NAN
    first, again = (augmented(crops, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first.nan_to_num(), again.nan_to_num()) and first[:, 2].isnan().all()
    assert (first[:, 1] == -1).all() and not first[:, :2].isnan().any()
    shown = first[:, 0, 0] > -1
    assert (shown.flatten(1).sum(1) == 20).all() and float(first[:, 0][first[:, 0] > -1].mean()) == pytest.approx(
        0.2, abs=0.02
    )
    moved = (shown != (crops[:, 0, 0] > -1)).flatten(1).any(1)
    assert 0.25 < float(moved.float().mean()) < 0.75  # mirrored along some axis: 0.6 · 7/8 of them
    spread = torch.stack([one[there].std() for one, there in zip(first[:, 0, 0], shown, strict=True)])
    assert 0.2 < float((spread > 1e-4).float().mean()) < 0.9


@pytest.mark.parametrize("backbone", ["resnet10", "resnet50", "densenet22"])
@pytest.mark.parametrize(("norm", "kind"), [("batch", torch.nn.BatchNorm3d), ("group", torch.nn.GroupNorm)])
def test_every_norm_of_the_encoder_is_the_one_that_is_asked_for(backbone, norm, kind):
    system = make(images=SMALL | {"backbone": backbone, "norm": norm, "tumour": (16,) * 3, "node": (16,) * 3})
    found = {type(one) for one in system.modules() if isinstance(one, torch.nn.BatchNorm3d | torch.nn.GroupNorm)}
    assert found == {kind}


@pytest.mark.slow
def test_weights_of_medicalnet_s_names_load_and_others_are_refused(tmp_path):
    """As published: "module." in front, a segmentation head behind; ResNet-18's shortcuts have no weights."""
    monai = pytest.importorskip("monai.networks.nets")
    images = SMALL | {"backbone": "resnet18", "planes": 64, "stem": "large", "norm": "batch", "tumour": (32, 32, 32)}
    system = make(images=images)
    published = monai.resnet18(
        spatial_dims=3,
        n_input_channels=1,
        conv1_t_stride=2,
        shortcut_type="A",
        bias_downsample=False,
        feed_forward=False,
    )
    stored = {f"module.{key}": value for key, value in published.state_dict().items()}
    torch.save({"state_dict": stored | {"module.conv_seg.0.weight": torch.zeros(2)}}, tmp_path / "r18.pth")
    system.load_backbone(tmp_path / "r18.pth")
    tumour = system.images.backbones["tumour"].features.eval()
    crop = torch.randn(1, 1, 32, 32, 32)
    assert torch.allclose(tumour(crop).mean((2, 3, 4)), published.eval()(crop), atol=1e-5)
    with pytest.raises(InputError, match="another network"):
        make(images=images | {"backbone": "resnet34"}).load_backbone(tmp_path / "r18.pth")
    (tmp_path / "no.pth").write_bytes(b"nothing")
    with pytest.raises(InputError, match="no file of weights"):
        system.load_backbone(tmp_path / "no.pth")
    with pytest.raises(InputError, match="sees no images"):
        make(images=None).load_backbone(tmp_path / "r18.pth")


def test_gradients_under_bf16_on_a_cpu_are_those_of_float32():
    """Convolutions of a few voxels get wrong ones where oneDNN computes them in bf16, whatever memory held before."""
    torch.manual_seed(0)
    backbone = Backbone(ImagesConfig.model_validate(SMALL), 8)
    crops = torch.randn(6, 1, 16, 16, 16)
    found = []
    for on in (True, False):
        backbone.zero_grad()
        spoilt = torch.full((500_000,), 1e30)
        del spoilt
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            backbone(crops).float().square().mean().backward()
        found.append({name: one.grad for name, one in backbone.features.named_parameters() if one.grad is not None})
    for name, one in found[0].items():
        assert (one - found[1][name]).norm() <= 0.1 * found[1][name].norm() + 1e-6, name
