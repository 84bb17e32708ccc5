"""MMFusion's images: crops lie where the structures lie, relations are those of their equations, missing is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from seeing import NAN, SMALL, a_case, batch, make

from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.mmfusion.case import draw_back
from diffuscope.systems.mmfusion.config import ImagesConfig, MMFusionConfig
from diffuscope.systems.mmfusion.crops import crop_structures
from diffuscope.systems.mmfusion.loss import drawn_again
from diffuscope.systems.mmfusion.relations import Relations

SETTINGS = SampleSettings(sampler="card", steps=10, samples=6)


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


@pytest.mark.parametrize(
    "changes", [{}, {"graph": "none"}, {"readout": "mean"}, {"images": SMALL | {"relations": False}}, {"members": 2}]
)
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
    want = (own + one.merge(torch.cat([shares @ one.value(other), within], 2))).mean(1)
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
