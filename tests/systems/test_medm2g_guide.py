"""What guides: sampled tokens, the adaptation, the mask of what is not there, guidance."""

from __future__ import annotations

from dataclasses import replace

import any_to_any
import pytest
import torch

from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.errors import InputError
from diffuscope.jobs.given import read_given_text
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.medm2g.contexts import Heard, sampled_tokens
from diffuscope.systems.medm2g.guide import Source
from diffuscope.systems.medm2g.loss import choose, draw_sources


def test_tokens_are_sampled_among_those_that_are_there():
    tokens = torch.arange(8.0).repeat(2, 1)[:, :, None]
    mask = torch.tensor([[True] * 8, [True, False, True, False, False, True, False, False]])
    evenly = sampled_tokens(torch.full((2, 1), -1.0), tokens, mask, 4, None)
    assert evenly[..., 0].tolist() == [[-1, 0, 2, 4, 6], [-1, 0, 0, 2, 5]]
    drawn = sampled_tokens(torch.full((2, 1), -1.0), tokens, mask, 3, torch.Generator().manual_seed(1))[..., 0]
    assert len(set(drawn[0].tolist())) == 4 and set(drawn[1, 1:].tolist()) == {0, 2, 5}


def test_each_case_gets_a_key_that_it_has_and_none_twice():
    system = any_to_any.make()
    flow, batch = system.guide.flow("mri"), any_to_any.batch(40)
    keys = ["t1", "t2", "t1_fast"]
    found = choose(flow, batch, torch.Generator().manual_seed(0), keys=keys, number=3)
    kinds = torch.stack([one.kind for one in found])
    assert all(len(set(column.tolist())) == 3 for column in kinds.T)
    for one in found:
        for row in range(40):
            truth = batch[flow.keys[int(one.kind[row])]][row]
            assert bool(one.there[row]) == (not bool(truth.isnan().any()))
            assert torch.equal(one.x[row], truth if one.there[row] else torch.zeros_like(truth))
    (other,) = choose(flow, batch, torch.Generator().manual_seed(0), keys=keys, but=found[0].kind)
    assert not bool((other.kind == found[0].kind)[other.there].any())


def test_the_adaptation_begins_as_tokens_of_the_first_batch_and_once():
    system = any_to_any.make()
    system.begin("cross-ct-xray")
    system.train()
    flow, batch = system.guide.flow("xray"), any_to_any.batch()
    assert not flow.adaptation.table.any()
    system.loss(batch, torch.Generator().manual_seed(0))
    tokens = flow.see(batch["xray"], torch.zeros(6, dtype=torch.long))[1].flatten(0, 1)
    first = flow.adaptation.table.detach().clone()
    assert float(torch.cdist(first, tokens).amin(1).max()) < 1e-4
    system.loss(batch, torch.Generator().manual_seed(1))
    assert torch.equal(flow.adaptation.table, first)


def test_what_is_not_to_be_looked_at_does_not_show():
    system = any_to_any.make().eval()
    guide, batch = system.guide, any_to_any.batch()
    kind, time = torch.zeros(6, dtype=torch.long), torch.full((6,), 0.5)
    noisy = torch.randn(6, 4, 4, 4)
    unknown = torch.tensor([True, False] * 3)
    source = {"modality": "xray", "latents": noisy, "time": time, "kind": kind, "unknown": unknown}
    one, other = (guide.context(Source(**source, x=x)) for x in (batch["xray"], batch["xray"].flip(0)))
    for name in ("tokens", "vectors"):
        alike = (getattr(one, name) == getattr(other, name)).flatten(1).all(1)
        assert alike.tolist() == unknown.tolist()


def test_the_vector_of_what_guides_enters_with_the_time_step_and_of_several_their_mean():
    system = any_to_any.make(text=any_to_any.TEXT).eval()
    guide, batch = system.guide, any_to_any.batch()
    kind, time, first = torch.zeros(6, dtype=torch.long), torch.zeros(6), torch.arange(6) < 3
    one, other = (
        guide.context(Source(modality=name, latents=torch.randn(6, 4, 4, 4), time=time, kind=kind, x=batch["xray"]))
        for name in ("xray", "mri")
    )
    both = Heard.joined([one, other], dim=1)
    torch.testing.assert_close(both.vector(), (one.vectors[:, 0] + other.vectors[:, 0]) / 2)
    half = Heard.joined([one, other.only(first)], dim=1).vector()
    torch.testing.assert_close(half[first], both.vector()[first])
    torch.testing.assert_close(half[~first], one.vectors[~first, 0])
    # Cross-attention hears nothing of this: what differs comes by the vector.
    deaf = replace(both, mask=torch.zeros_like(both.mask))
    for name in ("text", "ct"):
        flow, t = guide.flow(name), torch.full((6,), 50)
        rest = (torch.randn(6, *flow.latent), t, guide.alpha_bar[t], kind)
        for key, one in flow.side.denoiser.named_parameters():
            if key.endswith(("last.weight", "leave.weight")):  # a text's, which begin at 0
                torch.nn.init.normal_(one)
        none = flow.epsilon(*rest, None)
        torch.testing.assert_close(flow.epsilon(*rest, deaf), none)  # it begins at adding nothing
        takes = next(one for key, one in flow.side.denoiser.named_parameters() if "cond_proj" in key)
        torch.nn.init.normal_(takes)
        heard = flow.epsilon(*rest, deaf.only(first))
        assert not torch.allclose(heard[first], none[first], atol=1e-3)
        torch.testing.assert_close(heard[~first], none[~first])


def run(system, given, **settings):
    settings = {"sampler": "ddim", "steps": 4, **settings}
    steps = system.sample(system.prepare(given, None), CaseNoise(3), SampleSettings(**settings))
    with torch.inference_mode():
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value


def test_without_guidance_what_is_given_does_not_matter_and_with_it_does():
    system = any_to_any.make().eval()
    ct = torch.rand(1, 16, 16) * 100
    free = [run(system, {"ct": ct * k}, wanted=("xray",), options={"guidance": 0.0})["xray"] for k in (1, 5)]
    assert torch.equal(*free)
    led = [run(system, {"ct": ct * k}, wanted=("xray",), options={"guidance": 2.0})["xray"] for k in (1, 5)]
    assert not torch.equal(*led)
    assert not torch.equal(led[0], free[0])


def test_what_is_made_at_once_guides_each_other_where_it_is_asked_to_or_nothing_is_given():
    system = any_to_any.make().eval()
    t1 = {"t1": torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(1))}
    alone, nobody = (run(system, given, wanted=("ct",))["ct"] for given in (t1, {}))
    beside = run(system, t1, wanted=("ct", "xray"))["ct"]
    torch.testing.assert_close(beside, alone)
    assert not torch.equal(run(system, t1, wanted=("ct", "xray"), options={"together": 1.0})["ct"], alone)
    assert not torch.equal(run(system, {}, wanted=("ct", "xray"))["ct"], nobody)


def test_what_is_made_is_what_is_asked_for_or_all_that_was_not_given():
    system = any_to_any.make().eval()
    t1 = torch.rand(1, 16, 12)
    found = run(system, {"t1": t1}, samples=2)
    assert set(found) == {"ct", "ct_sd", "t2", "t2_sd", "xray", "xray_sd"}
    assert all(one.shape == (1, 16, 12) and bool(one.isfinite().all()) for one in found.values())
    assert set(run(system, {"t1": t1}, wanted=("t2_sd",))) == {"t2_sd"}
    assert bool(run(system, {"t1": t1}, wanted=("t2_sd",))["t2_sd"].isnan().all())
    assert bool(run(system, {"t1": t1}, wanted=("t2_sd",), samples=2, steps=1)["t2_sd"].isnan().all())
    ct = run(system, {}, wanted=("ct",))["ct"]
    assert ct.shape == (1, 16, 16) and float(ct.min()) >= -1000 and float(ct.max()) <= 1000
    everything = {key: torch.rand(1, 16, 16) for key in any_to_any.KEYS}
    with pytest.raises(InputError, match="say which of it is wanted"):
        run(system, everything)
    cm = system.config.mpp / 10_000
    wide = rf"^CT is {16 * cm:.1f} × {17 * cm:.1f} cm, and this model sees {16 * cm:.1f} × {16 * cm:.1f} cm: crop it"
    with pytest.raises(InputError, match=wide):
        system.prepare({"ct": torch.zeros(1, 17, 16)}, None)


def test_a_round_changes_what_it_names_and_nothing_else():
    system = any_to_any.make()
    system.begin("cross-ct-mri", ("context-mri", "cross-mri", "adaptation-mri"))
    system.train()
    before = {key: value.clone() for key, value in system.state_dict().items()}
    optimiser = torch.optim.AdamW([p for p in system.parameters() if p.requires_grad], lr=1e-2)
    for step in range(3):
        optimiser.zero_grad()
        system.loss(any_to_any.batch(seed=step), torch.Generator().manual_seed(step))["loss"].backward()
        optimiser.step()
    changed = {key for key, value in system.state_dict().items() if not torch.equal(value, before[key])}
    assert changed and all(key.startswith("guide.flows.mri.") for key in changed)
    parts = {key.removeprefix("guide.flows.mri.").split(".")[0] for key in changed}
    assert parts == {"context", "adaptation", "side", "vector"}
    assert all(any(name in key for name in (".attn2.", ".norm2.", ".cond_proj.")) for key in changed if ".side." in key)


def test_a_modality_may_be_taught_alone_by_one_or_two_others_drawn_at_each_step():
    system = any_to_any.make(text=any_to_any.TEXT)
    assert set(system.config.sources("mri")) == {"text", "ct", "mri", "xray"}
    assert set(system.config.sources("ct")) == {"text", "mri", "xray"}
    system.begin("cross-mri")
    system.train()
    batch = any_to_any.batch() | {"report": any_to_any.texts(system)}
    heard, context = [], system.guide.context

    def listened(source, **others):
        heard[-1].add(source.modality)
        return context(source, **others)

    system.guide.context = listened
    for step in range(40):
        heard.append(set())
        terms = system.loss(batch, torch.Generator().manual_seed(step))
        assert set(terms) == {"loss"} and bool(terms["loss"].isfinite())
    assert {len(one) for one in heard} == {1, 2}
    assert set().union(*(one for one in heard if len(one) == 1)) == {"text", "ct", "mri", "xray"}
    terms["loss"].backward()
    taught = {key.split(".")[2] for key, one in system.named_parameters() if one.grad is not None}
    assert taught == {"mri"}


def test_contrasts_do_not_guide_each_other_where_no_case_has_two():
    system = any_to_any.make()
    batch = any_to_any.batch()
    for key in ("t2", "t1_fast"):
        batch[key][:] = any_to_any.NAN
    drawn = {one for step in range(40) for one in draw_sources(system.guide, "mri", batch, _seeded(step))}
    assert drawn == {"ct", "xray"}
    batch["t1_fast"][0] = 0.0  # of the one case that has no CT
    drawn = {one for step in range(40) for one in draw_sources(system.guide, "mri", batch, _seeded(step))}
    assert drawn == {"ct", "mri", "xray"}


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_words_that_no_training_text_had_are_told():
    declared = any_to_any.make(text=any_to_any.TEXT).declared
    told = [
        read_given_text(f"Chest with one {word} on the left.", declared.inputs[0])[1] for word in ("CYST", "zebra µ")
    ]
    assert told == [(), ("The model has never read “zebra”, “µ”: it can only guess what that means.",)]


@pytest.mark.parametrize(("text", "said"), [("  ", "is empty"), ("nodule " * 40, "shorten it to about")])
def test_a_text_that_cannot_be_read_is_told(text: str, said: str):
    with pytest.raises(InputError, match=said):
        any_to_any.make(text=any_to_any.TEXT).prepare({"report": text}, None)
