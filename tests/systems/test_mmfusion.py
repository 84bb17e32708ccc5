"""MMFusion on tables: what is missing counts for nothing, the graph is what its equations say, and it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.mmfusion.config import MMFusionConfig
from diffuscope.systems.mmfusion.denoiser import Denoiser, SideBySide
from diffuscope.systems.mmfusion.graph import GraphAttention, GraphConvolution
from diffuscope.systems.mmfusion.member import Guided
from diffuscope.systems.mmfusion.system import MMFusion

TABLES = [
    {
        "name": "clinical data",
        "key": "clinical",
        "columns": [{"name": "age", "unit": "years", "range": [0, 120]}, {"name": "sex", "categories": ["f", "m"]}],
    },
    {"name": "blood", "key": "blood", "columns": [{"name": "leukocytes"}, {"name": "platelets"}]},
]
NAN = float("nan")
HEAD, DENOISER = "members.0.head.weight", "members.0.denoiser.out.weight"


def make(**config: object) -> MMFusion:
    torch.manual_seed(0)
    return MMFusion(MMFusionConfig.model_validate({"tables": TABLES, "width": 16, **config}))


def guided(system: MMFusion, batch: dict[str, torch.Tensor]) -> Guided:
    """Return what the first guide makes of cases with all that is known of them."""
    member = system.members[0]
    encoded = system._encode(member, batch, system._tokens(batch))
    return member.guide(encoded, torch.ones_like(encoded.there))


def score(system: MMFusion, samples: int = 16, **rows: list[float]) -> torch.Tensor:
    settings = SampleSettings(sampler="card", steps=system.card.steps, samples=samples)
    inputs = system.prepare({key: torch.tensor(row) for key, row in rows.items()}, None)
    steps = system.eval().sample(inputs, CaseNoise(3, torch.device("cpu")), settings)
    with torch.no_grad():
        try:
            while True:
                next(steps)
        except StopIteration as end:
            return end.value["metastasis"].flatten()


def test_a_table_that_is_missing_is_one_of_which_nothing_is_known():
    system = make()
    one = score(system, clinical=[60.0, 1.0])
    assert torch.equal(one, score(system, clinical=[60.0, 1.0], blood=[NAN, NAN]))
    assert one.shape == (16,) and ((one >= 0) & (one <= 1)).all()
    assert not torch.equal(one, score(system, clinical=[60.0, 1.0], blood=[7.0, 250.0]))
    with pytest.raises(InputError, match="at least one value of clinical data, blood"):
        score(system, clinical=[NAN, NAN])


def test_more_draws_begin_with_the_same_ones():
    system = make()
    assert torch.allclose(
        score(system, 40, clinical=[60.0, 1.0])[:10], score(system, 10, clinical=[60.0, 1.0]), atol=1e-4
    )


def test_attention_is_that_of_its_equations():
    """Each pair by itself, in float64, as the GAT paper writes it."""
    torch.manual_seed(1)
    layer, nodes = GraphAttention(8, 2).double(), torch.randn(1, 3, 8, dtype=torch.float64)
    present = torch.tensor([[True, True, False]])
    seen, attention = layer(nodes, present)
    want = torch.zeros(3, 8, dtype=torch.float64)
    shares = torch.zeros(3, 3, dtype=torch.float64)
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        h = (layer.into.weight @ nodes[0].T).T[:, part]
        for i in range(2):
            e = [
                torch.nn.functional.leaky_relu(layer.target[head] @ h[i] + layer.source[head] @ h[j], 0.2)
                for j in range(2)
            ]
            share = torch.stack(e).softmax(0)
            want[i, part] = share @ h[:2]
            shares[i, :2] += share / 2
    assert torch.allclose(seen[0], torch.nn.functional.elu(want)) and torch.allclose(attention[0], shares)


def test_what_stands_in_a_missing_node_counts_for_nothing():
    torch.manual_seed(2)
    nodes, present = torch.randn(4, 3, 8), torch.tensor([[True, False, True]] * 4)
    other = nodes.clone()
    other[:, 1] = 1e3
    for layer in (GraphAttention(8, 2), GraphConvolution(8)):
        assert torch.equal(layer(nodes, present)[0], layer(other, present)[0])
        shares = layer(nodes, present)[1]
        assert torch.allclose(shares.sum(2), present.float()) and (shares[:, :, 1] == 0).all()


def test_scales_are_those_of_the_rows_that_train():
    system = make()
    rows = torch.tensor([[50.0, 0.0], [70.0, 1.0], [NAN, NAN]])
    system.fit({"clinical": rows, "blood": torch.tensor([[NAN, 5.0]] * 3), "label": torch.tensor([0.0, 1.0, 1.0])})
    clinical, blood = system.scales
    assert clinical.mean.tolist() == [60.0, 0.0] and clinical.deviation.tolist() == pytest.approx(
        [np.std([50, 70], ddof=1), 1]
    )
    assert blood.mean.tolist() == [0.0, 5.0] and blood.deviation.tolist() == [1.0, 1.0]
    assert float(system.prevalence) == pytest.approx(2 / 3)
    assert {name for name, _ in system.named_buffers() if not name.startswith("usual.")} == {
        "prevalence",
        *(f"scales.{n}.{k}" for n in (0, 1) for k in ("mean", "deviation")),
    }


@pytest.mark.parametrize("guide", ["joint", "frozen"])
def test_the_diffusion_reaches_the_guide_only_where_it_shall(guide: str):
    system = make(guide=guide, drop=0.0).eval()
    batch = {"clinical": torch.tensor([[60.0, 1.0]] * 4), "blood": torch.full((4, 2), NAN), "label": torch.ones(4)}
    terms = system.loss(batch, torch.Generator().manual_seed(0))
    assert terms["loss"].item() == pytest.approx(sum(terms[name].item() for name in ("guide", "diffusion")))
    alone = torch.nn.functional.cross_entropy(guided(system, batch).logits, torch.ones(4).long())
    head = system.members[0].head.weight
    gradients = [torch.autograd.grad(loss, head, retain_graph=True)[0] for loss in (terms["loss"], alone)]
    assert torch.allclose(*gradients) == (guide == "frozen")


def test_rounds_train_their_part_alone():
    system = make()
    batch = {"clinical": torch.tensor([[60.0, 1.0]] * 4), "blood": torch.full((4, 2), NAN), "label": torch.ones(4)}
    for objective, moves in (("guide", HEAD), ("diffusion", DENOISER)):
        system.begin(objective)
        system.zero_grad()
        system.loss(batch, torch.Generator().manual_seed(0))["loss"].backward()
        named = dict(system.named_parameters())
        assert named[moves].grad is not None
        others = {HEAD, DENOISER} - {moves}
        assert all(named[name].grad is None for name in others)


@pytest.mark.slow
def test_a_known_conditional_distribution_is_learned():
    """p(1 | x) = logistic(2 x): guide and mean of the draws come near it; ten steps are too sure (test_card)."""
    torch.manual_seed(0)
    system = make(tables=[{"name": "x", "key": "x", "columns": [{"name": "x"}]}], drop=0.0)
    optimiser = torch.optim.Adam(system.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(600):
        x = torch.randn(128, 1, generator=generator)
        label = (torch.rand(128, generator=generator) < torch.sigmoid(2 * x[:, 0])).float()
        optimiser.zero_grad()
        system.loss({"x": x, "label": label}, generator)["loss"].backward()
        optimiser.step()
    for x in (-1.0, 0.0, 1.0):
        truth = float(torch.sigmoid(torch.tensor(2 * x)))
        with torch.no_grad():
            guide = float(guided(system.eval(), {"x": torch.tensor([[x]])}).logits.softmax(1)[0, 1])
        assert guide == pytest.approx(truth, abs=0.06)
        assert float(score(system, 2000, x=[x]).mean()) == pytest.approx(truth, abs=0.12)


def test_a_model_that_scores_before_surgery_takes_no_column_of_after_it():
    late = {"name": "pathology", "key": "pathology", "columns": [{"name": "depth", "known": "after"}]}
    with pytest.raises(ValueError, match="depth is known only after surgery and the model scores before it"):
        make(tables=[*TABLES, late])
    after = make(tables=[*TABLES, late], preoperative=False)
    assert [column.known for table in after.tables for column in table.columns] == ["before"] * 4 + ["after"]


def test_members_side_by_side_draw_what_each_draws_by_itself():
    torch.manual_seed(4)
    denoisers = [Denoiser(2, 8, 10).double() for _ in range(3)]
    cases = [torch.randn(4, 8, dtype=torch.float64) for _ in denoisers]
    noisy, guide = torch.randn(2, 3, 4, 5, 2, dtype=torch.float64)
    together = SideBySide(denoisers, cases)
    for number, (one, case) in enumerate(zip(denoisers, cases, strict=True)):
        at = torch.full((20,), 7)
        flat = (tensor[number].reshape(20, 2) for tensor in (noisy, guide))
        alone = one(*flat, case.repeat_interleave(5, 0), at).view(4, 5, 2)
        assert torch.allclose(together(noisy, guide, 7)[number], alone)
        assert torch.allclose(together(noisy[:, 1:3], guide[:, 1:3], 7, slice(1, 3))[number], alone[1:3])
