"""MMFusion's images: crops lie where the structures lie, relations are those of their equations, missing is missing."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
import skimage
import torch

from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.mmfusion.augment import augmented
from diffuscope.systems.mmfusion.case import draw_back
from diffuscope.systems.mmfusion.config import ImagesConfig, MMFusionConfig
from diffuscope.systems.mmfusion.crops import crop_structures
from diffuscope.systems.mmfusion.loss import drawn_again
from diffuscope.systems.mmfusion.measures import MEASURES, measure
from diffuscope.systems.mmfusion.relations import Relations
from diffuscope.systems.mmfusion.system import MMFusion

NAN = float("nan")
SMALL = {
    "backbone": "resnet10",
    "planes": 4,
    "stem": "small",
    "norm": "group",
    "spacing": (2.0, 2.0, 2.0),
    "tumour": (16, 16, 16),
    "node": (8, 8, 8),
}
SETTINGS = SampleSettings(sampler="card", steps=10, samples=6)


def make(**config: object) -> MMFusion:
    pytest.importorskip("monai")
    torch.manual_seed(0)
    table = {"name": "blood", "key": "blood", "columns": [{"name": "x"}]}
    return MMFusion(MMFusionConfig.model_validate({"tables": [table], "width": 16, "images": SMALL, **config}))


def a_case(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a CT and its outlines: a tumour and the second of three nodes, voxels of (2, 1, 1) mm."""
    ct = torch.randn(1, 20, 40, 40, generator=torch.Generator().manual_seed(seed)) * 40 + 50
    labels = torch.zeros(20, 40, 40, dtype=torch.uint8)
    labels[5:12, 8:24, 10:22], labels[14:16, 30:34, 4:8] = 1, 3
    return ct, labels


def batch(system: MMFusion, count: int = 4) -> dict[str, torch.Tensor]:
    cases = []
    for number in range(count):
        ct, labels = a_case(number)
        cases.append(system.prepare({"ct": ct, "mask": labels, "blood": torch.tensor([number / 2])}, (2.0, 1.0, 1.0)))
    stacked = {key: torch.stack([case[key] for case in cases]) for key in cases[0]}
    return stacked | {"label": torch.arange(count).float() % 2, "case": torch.arange(count).float()}


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (4.0, 1.0, 0.5), (1.0, 0.5, 0.5)])
def test_a_crop_shows_the_structure_in_its_place_and_size(spacing):
    """A ball whose HU rise along x by 2 a mm: centre, volume and slope are those in mm, whatever the voxels."""
    config = ImagesConfig.model_validate(SMALL | {"tumour": (20, 20, 20)})
    shape = [round(60 / step) for step in spacing]
    z, y, x = np.meshgrid(*[(np.arange(n) + 0.5) * s for n, s in zip(shape, spacing, strict=True)], indexing="ij")
    inside = (z - 28) ** 2 + (y - 30) ** 2 + (x - 34) ** 2 < 12**2
    ct = torch.from_numpy(40 + 2.0 * (x - 34))[None]
    found = crop_structures(ct, torch.from_numpy(inside.astype(np.uint8)), spacing, config)
    crop = found["tumour"][0].double().numpy()
    shown = crop > -1
    assert shown.sum() * 8 == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.07)
    at = (np.argwhere(shown).mean(0) + 0.5) * 2 - 20
    assert np.abs(at).max() < 0.6  # the middle of the crop is that of the ball, to a third of a voxel
    across = (np.arange(20) + 0.5) * 2 - 20
    hu = (crop + 1) / 2 * 400 - 160
    core = np.abs(across) < 6
    line = hu[10, 10, core]
    assert np.polyfit(across[core], line, 1) == pytest.approx([2.0, 40.0], abs=1.2)
    assert found["nodes"].isnan().all() and found["nodes"].shape == (3, 1, 8, 8, 8)


def test_what_does_not_fit_together_is_refused():
    system = make()
    ct, labels = a_case()
    with pytest.raises(InputError, match="CT without outlines"):
        system.prepare({"ct": ct}, (1.0, 1.0, 1.0))
    with pytest.raises(InputError, match="outlines without a CT"):
        system.prepare({"mask": labels}, None)
    holed = ct.clone()
    holed[0, 6, 9, 11] = holed[0, 0, 0, 0] = NAN
    with pytest.raises(InputError, match=r"no value \(NaN\) at 1 voxels"):
        system.prepare({"ct": holed, "mask": labels}, (1.0, 1.0, 1.0))
    with pytest.raises(InputError, match="nothing is outlined"):
        system.prepare({"ct": ct, "mask": labels * 0}, (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="tumour"):
        MMFusionConfig.model_validate({"tables": [{"name": "t", "key": "tumour", "columns": [{"name": "x"}]}]})


@pytest.mark.parametrize("changes", [{}, {"graph": "none"}, {"images": SMALL | {"relations": False}}, {"members": 2}])
def test_cases_do_not_see_each_other_and_missing_nodes_count_for_nothing(changes):
    system = make(**changes).eval()
    cases = batch(system)
    assert system.nodes == ("tumour", "nodes", "blood")
    every = torch.ones(1, 3, dtype=torch.bool)
    for number in range(2):
        one = {key: cases[key][number] for key in ("tumour", "nodes", "blood")}
        assert system.there(one).tolist() == [True, True, True]
        score = system.scores(one, every, CaseNoise(1), SETTINGS)
        kept = torch.tensor([[True, False, True], [False, False, True]])
        without = {"tumour": one["tumour"], "nodes": torch.full_like(one["nodes"], NAN), "blood": one["blood"]}
        pair = torch.stack(
            [
                system.scores(without, every, CaseNoise(1), SETTINGS)[0],
                system.scores({"blood": one["blood"]}, every, CaseNoise(1), SETTINGS)[0],
            ]
        )
        assert torch.allclose(system.scores(one, kept, CaseNoise(1), SETTINGS), pair, atol=1e-5)
        assert system.there(without).tolist() == [True, False, True]
        assert not torch.allclose(pair[0], score[0], atol=1e-5)


def test_all_parameters_train_also_where_a_tissue_is_missing():
    system = make(members=2, drop=0.0).train()
    cases = batch(system)
    cases["tumour"][0], cases["nodes"][1], cases["blood"][2] = NAN, NAN, NAN
    losses = system.loss(cases, torch.Generator().manual_seed(0))
    assert losses.keys() == {"loss", "guide", "alignment", "diffusion"}
    losses["loss"].backward()
    trained = [one for name, one in system.named_parameters() if "measurers" not in name]
    assert all(one.grad is not None and one.grad.isfinite().all() for one in trained)


def test_relations_are_those_of_their_equations_and_hide_what_they_say():
    """x^cu of one head in float64, from the paper's words; what training hides changes it."""
    torch.manual_seed(3)
    one = Relations(4, 1, 3, 0.15).double()
    own, other = (torch.randn(2, n, 4, dtype=torch.float64) for n in (3, 5))
    there, other_there = torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 5, dtype=torch.bool)
    other_there[1, 3:] = False
    found = one(own, there, other, other_there, None)
    placed = own + one.places
    relation = (one.query(placed) @ one.key(other).transpose(1, 2)) / 2
    relation[1, :, 3:] = -torch.inf
    shares = relation.softmax(-1)
    within = one.norm(placed + one.inner(placed, placed, placed)[0])
    want = one.merge(torch.cat([shares @ one.value(other), within], 2)).mean(1)
    assert torch.allclose(found.node, want) and float(found.alignment) == 0
    assert torch.allclose(found.looked_at, shares.mean(1)) and (found.looked_at[1, 3:] == 0).all()
    hidden = one(own, there, other, other_there, torch.Generator().manual_seed(0))
    assert float(hidden.alignment) > 0 and not torch.allclose(hidden.node, want)
    # A tissue without its partner keeps what it knows of itself, and one that is missing is 0.
    alone = one(own, there, other, other_there & False, torch.Generator().manual_seed(0))
    assert float(alone.alignment) == 0 and (alone.looked_at == 0).all() and (alone.node != 0).any()
    assert (one(own, there & False, other, other_there, None).node == 0).all()


def test_the_share_that_is_hidden_is_the_one_that_is_asked_for():
    """All relations alike and every token another number: the numbers of x^cm that are 0 are those that are hidden."""
    one = Relations(64, 1, 1, 0.3)
    with torch.no_grad():
        for layer in (one.query, one.value, one.merge):
            layer.bias.zero_()
        one.query.weight.zero_()
        one.value.weight.copy_(torch.eye(64))
        one.merge.weight.copy_(torch.eye(64, 128))
        own, there = torch.zeros(400, 1, 64), torch.ones(400, 1, dtype=torch.bool)
        other, others = torch.eye(64)[None, :50].repeat(400, 1, 1), torch.ones(400, 50, dtype=torch.bool)
        hidden = one(own, there, other, others, torch.Generator().manual_seed(0)).node[:, :50] == 0
        assert float(hidden.float().mean()) == pytest.approx(0.3, abs=0.01)
        assert (one(own, there, other, others, None).node[:, :50] > 0).all()


def test_what_is_measured_of_ct_and_outlines_is_a_row_where_none_is_given():
    pytest.importorskip("mirp")
    measured = {"name": "radiomics", "key": "radiomics", "measured": {"features": ["stat_mean", "morph_volume"]}}
    system = make(tables=[measured])
    names = [column.name for column in system.tables[0].columns]
    ct, labels = a_case()
    row = system.prepare({"ct": ct, "mask": labels}, (2.0, 1.0, 1.0))["radiomics"]
    found = dict(zip(names, row.tolist(), strict=True))
    assert found["tumour_stat_mean"] == pytest.approx(float(ct[0][labels == 1].mean()), abs=6)
    assert found["tumour_morph_volume"] == pytest.approx(7 * 16 * 12 * 2, rel=0.1)
    given = torch.full((len(names),), 3.0)
    kept = system.prepare({"ct": ct, "mask": labels, "radiomics": given}, (2.0, 1.0, 1.0))["radiomics"]
    assert torch.equal(kept, given)
    with pytest.raises(ValueError, match="there are no images"):
        MMFusionConfig.model_validate({"tables": [measured]})


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


def test_a_ct_without_values_beside_the_outlines_is_one_that_ends_there():
    system = make()
    ct, labels = a_case()
    beside = ct.clone()
    beside[0][labels == 0] = NAN
    empty = torch.where(labels == 0, -160.0, ct[0])[None]
    found, want = (system.prepare({"ct": one, "mask": labels}, (2.0, 1.0, 1.0)) for one in (beside, empty))
    assert torch.equal(found["tumour"], want["tumour"]) and not found["tumour"].isnan().any()


def test_relevance_lies_where_the_tokens_lie():
    """Token k of the tumour's crop has k % of the attention: each outlined voxel shows that of its own octant."""
    config = ImagesConfig.model_validate(SMALL)
    labels = torch.zeros(20, 40, 40, dtype=torch.uint8)
    labels[2:18, 10:30, 10:30] = 1
    ct = torch.zeros(1, 20, 40, 40)
    system = make()
    seen = system.prepare({"ct": ct, "mask": labels}, (1.0, 1.0, 1.0))
    assert seen["places"][0].tolist() == [[-6, 4, 4], [26, 36, 36]] and not seen["places"][1:].any()
    looked_at = torch.zeros(8 * 4)
    looked_at[:8] = torch.arange(1, 9) / 8
    shown = draw_back(looked_at, seen, config)[0]
    z, y, x = torch.meshgrid(*(torch.arange(n) for n in labels.shape), indexing="ij")
    want = (1 + 4 * (z >= 10) + 2 * (y >= 20) + (x >= 20)) * 12.5
    assert torch.equal(shown, torch.where(labels == 1, want, 0.0))


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


def test_members_see_patients_as_draws_with_repetition_do():
    """Poisson numbers of mean 1: their shares, a new draw for each member, the same whatever batch a patient is in."""
    many = drawn_again(torch.arange(40000), 2)
    shares = [(many[0] == k).double().mean().item() for k in range(4)]
    assert shares == pytest.approx([0.3679, 0.3679, 0.1839, 0.0613], abs=0.008)
    assert abs(float(torch.corrcoef(many)[0, 1])) < 0.02
    assert torch.equal(drawn_again(torch.tensor([7, 3]), 2), many[:, [7, 3]])


def test_members_differ_and_each_draws_for_itself():
    system = make(members=3).eval()
    one = {key: value[0] for key, value in batch(system, 1).items() if key in system.nodes}
    steps = system.sample(one, CaseNoise(4), SETTINGS)
    with torch.no_grad():
        try:
            while True:
                next(steps)
        except StopIteration as end:
            draws = end.value["metastasis"]
    assert draws.shape == (3, 6) and len({tuple(row.tolist()) for row in draws}) == 3
    all_kept = torch.ones(1, 3, dtype=torch.bool)
    assert float(system.scores(one, all_kept, CaseNoise(4), SETTINGS)) == pytest.approx(float(draws.mean()), abs=1e-6)


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
