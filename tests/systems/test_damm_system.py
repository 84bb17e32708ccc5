"""DAMM-Diffusion as a system: what its branches see, which decoder is paid for, its loss, its warm-up, its latents."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from diffuscope.engine.compute import LocalCompute
from diffuscope.engine.tiles import run_tiles
from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from diffuscope.systems.damm.config import DAMMConfig
from diffuscope.systems.registry import build_system
from diffuscope.tiling.plan import make_plan
from tests.systems.drawn_damm import CONFIG, between, check_loss, drain, images, make, told


def test_ports_come_from_the_configuration():
    system = make()
    assert [port.key for port in system.inputs] == ["vessels", "nuclei"]
    assert [port.key for port in system.outputs] == ["nanoparticles", "attention_uncertainty", "uncertainty"]
    assert "8 px = 8 µm" in system.outputs[1].name
    assert [value.key for value in system.values] == ["divergence", "multimodal"]
    flair = make(main="t1", auxiliaries=["t2", "pd"], output={"key": "flair", "range": (0, 3)}, spacing=(None, 1, 1))
    assert [port.key for port in flair.inputs] == ["t1", "t2", "pd"] and flair.outputs[0].key == "flair"
    assert {port.spacing for port in flair.inputs} == {(None, 1, 1)} and flair.outputs[0].mpp == 1000
    assert flair.outputs[0].range == (0, 3) and flair.outputs[0].dtype == "float32"
    _, found = drain(flair, images(flair))
    assert found["flair"].min() >= 0 and found["flair"].max() <= 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"auxiliaries": []}, {"output": "nuclei"}, {"patch": 40}, {"gamma": 2},
        {"spacing": (1, 1, 1), "mpp": 2},
        {"main": {"key": "T 1"}}, {"main": {"key": "t1", "range": (1, 0)}},
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        DAMMConfig(**CONFIG | wrong)


def test_the_unimodal_branch_sees_its_own_input_alone():
    system = make()
    given = images(system)
    changed = given | {"nuclei": 255 - given["nuclei"]}
    for gamma, alike in ((0.0, True), (1.0, False)):
        first, second = (drain(system, one, gamma=gamma)[1]["nanoparticles"] for one in (given, changed))
        assert torch.equal(first, second) == alike
    changed = given | {"vessels": 255 - given["vessels"]}
    first, second = (drain(system, one, gamma=0.0)[1]["nanoparticles"] for one in (given, changed))
    assert not torch.equal(first, second)


def test_each_evaluation_tells_d_and_the_branch_it_took():
    system = make()
    given = images(system)
    gamma = between(system, given)
    estimates, found = drain(system, given, samples=2, gamma=gamma)
    d, branch = told(estimates, "divergence"), told(estimates, "multimodal")
    assert d.shape == (4, 6) and d.min() > 0 and d.max() < 1
    np.testing.assert_array_equal(branch, (d <= np.float32(gamma)).astype(np.float32))
    assert 0 < branch[:, 0].mean() < 1
    # The map says of each tile what its values say.
    mean = found["attention_uncertainty"].mean(dim=(1, 2, 3))
    np.testing.assert_allclose(mean, d.mean(axis=1), rtol=1e-5)
    blocks = found["attention_uncertainty"].reshape(4, 4, 8, 4, 8)
    assert torch.equal(blocks.amin(dim=(2, 4)), blocks.amax(dim=(2, 4)))


@pytest.mark.parametrize(("gamma", "calls"), [(0.0, (3, 0)), (1.0, (0, 3)), (None, (1, 1))])
def test_a_decoder_that_nobody_needs_is_not_evaluated(gamma, calls):
    system = make()
    given = images(system)
    counted: Counter[str] = Counter()
    network = system.network
    watched = {"uni": network.unimodal.decoder, "multi": network.multimodal.decoder, "attention": network.attention}
    watched |= {"encoder": network.unimodal.blocks[0], "fusion": network.fusion[0]}
    steps = 3 if gamma is not None else 1
    gamma = between(system, given) if gamma is None else gamma
    for name, module in watched.items():

        def count(_module, arguments, _out, name=name):
            counted.update({name: len(arguments[0])})

        module.register_forward_hook(count)
    drain(system, given, steps=steps, gamma=gamma)
    # examples, not calls: of a mixed batch each is decoded once
    expected = {"uni": calls[0] * 4, "multi": calls[1] * 4} if steps == 3 else {"uni": 2, "multi": 2}
    assert counted["encoder"] == counted["fusion"] == 4 * steps
    assert {name: counted[name] for name in ("uni", "multi")} == expected
    assert counted["attention"] == expected["multi"]


def test_a_tile_does_not_depend_on_what_its_batch_mates_chose():
    """Bit for bit, whatever the batch's other decisions: mixed, or all as one."""
    system = make()
    given = {key: value.repeat(2, 1, 1, 1) for key, value in images(system).items()}
    x = torch.randn(8, 1, 32, 32)
    time = torch.tensor([0.5])
    with torch.inference_mode():
        encoded = system.network.encode(x, time, given["vessels"] / 255, given["nuclei"] / 255)
        every = torch.ones(8, dtype=torch.bool)
        one, other = system.network.decode(encoded, ~every), system.network.decode(encoded, every)
        assert not torch.allclose(one, other)
        for chosen in ([0, 1, 1, 0, 1, 1, 1, 0], [1, 0, 0, 0, 0, 0, 0, 0]):
            mask = torch.tensor(chosen, dtype=torch.bool)
            mixed = system.network.decode(encoded, mask)
            assert torch.equal(mixed, torch.where(mask[:, None, None, None], other, one))
        torch.testing.assert_close(one, system.network.decode_unimodal(encoded), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(other, system.network.decode_multimodal(encoded), atol=1e-4, rtol=1e-4)


def test_samples_are_averaged_and_their_spread_told():
    system = make()
    given = images(system)
    _, once = drain(system, given)
    assert once["uncertainty"].isnan().all()
    assert drain(system, given, samples=2, steps=1)[1]["uncertainty"].isnan().all()
    estimates, twice = drain(system, given, samples=2)
    assert [bool(estimate.clean) for estimate in estimates] == [True] * 3 + [False] * 3
    second = 2 * twice["nanoparticles"] - once["nanoparticles"]
    expected = (once["nanoparticles"] - second).abs() / 2**0.5
    torch.testing.assert_close(twice["uncertainty"], expected, atol=1e-2, rtol=1e-3)


def test_the_loss_is_equations_11_to_14():
    check_loss(make(lambda_dfl=0.25, alpha=0.4, draws=1), lambda wrong, a: (wrong**2).mean() / a)


def test_draws_are_examples_that_share_their_label():
    """As a batch in which each example lies as often: but for the label, which is that of all of an example's draws."""
    system = make(lambda_dfl=0.25, draws=3).eval()
    alone = make(lambda_dfl=0.25, draws=1).eval()
    batch = images(system)
    repeated = {key: value.repeat_interleave(3, dim=0) for key, value in batch.items()}
    terms, other = (
        one.loss(given, torch.Generator().manual_seed(2)) for one, given in ((system, batch), (alone, repeated))
    )
    for key in ("loss", "unimodal", "multimodal", "divergence"):
        assert float(terms[key]) == pytest.approx(float(other[key]), rel=1e-5)
    assert float(terms["feedback"]) != pytest.approx(float(other["feedback"]), rel=1e-3)


def test_group_norms_see_the_whole_tile_and_channel_norms_a_pixel():
    """A bright px at one end of a tile changes what lies at the other end, out of reach of the convolutions."""
    reached = {}
    for norm in ("channel", "group"):
        system = make(norm=norm, patch=256)
        x, time = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0)), torch.tensor([0.5])
        spotted = x.clone()
        spotted[..., 0, 0] += 50.0
        with torch.inference_mode():
            one, other = (system.network.unimodal.encode(system.network.unimodal.stem(torch.cat([given, x], 1)), 0,
                          system.network.embed(time)) for given in (x, spotted))  # fmt: skip
        reached[norm] = not torch.equal(one[..., -1, -1], other[..., -1, -1])
    assert reached == {"channel": False, "group": True}


def test_only_the_branches_that_count_are_trained():
    batch = images(make())
    for gamma, silent in ((0.0, True), (1.0, False)):
        system = make(gamma=gamma, lambda_dfl=0.0).train()
        system.loss(batch, torch.Generator().manual_seed(1))["loss"].backward()
        gradient = system.network.multimodal.decoder.head.weight.grad
        assert (gradient is None or not gradient.any()) == silent
        assert system.network.unimodal.decoder.head.weight.grad.any()


def test_the_feedback_alone_moves_u():
    system = make(gamma=0.0, lambda_dfl=1.0).train()
    system.loss(images(system), torch.Generator().manual_seed(1))["loss"].backward()
    assert system.network.attention.uncertainty.weight.grad.any()


def test_the_warm_up_is_plain_and_ends_where_it_should_also_when_resumed():
    batch = images(make())

    def step(system, seed=3):
        terms = system.loss(batch, torch.Generator().manual_seed(seed))
        return {key: value.item() for key, value in terms.items()}

    system = make(warmup=2, gamma=0.0, lambda_dfl=1.0).train()
    plain = make(variant={"attention": "plain", "dammp": False}, lambda_dfl=0.0).train()
    weights = {key: value for key, value in system.state_dict().items() if "uncertainty" not in key}
    plain.load_state_dict(weights)
    first = step(system)
    assert first == step(plain)
    assert first["loss"] == pytest.approx(first["unimodal"] + first["multimodal"])
    system.eval()
    step(system)  # validation does not count
    system.train()
    resumed = make(warmup=2, gamma=0.0, lambda_dfl=1.0).train()
    resumed.load_state_dict(system.state_dict())
    for one in (system, resumed):
        assert "feedback" not in step(one)
        after = step(one)
        assert after["loss"] == pytest.approx(after["unimodal"] + after["feedback"], rel=1e-5)


def test_latents_are_denoised_at_their_own_resolution():
    system = make(space="latent")
    assert set(system.autoencoders) == {"vessels", "nuclei", "nanoparticles"}
    sides = []
    system.network.unimodal.stem.register_forward_hook(lambda _m, given, _o: sides.append(given[0].shape))
    estimates, found = drain(system, images(system), samples=2)
    assert set(sides) == {(4, 4, 16, 16)}  # x_t and y_v, two channels each, at half the resolution
    assert found["nanoparticles"].shape == found["attention_uncertainty"].shape == (4, 1, 32, 32)
    # A preview costs the output's decoder: only of the finished sample.
    assert [bool(estimate.clean) for estimate in estimates] == [False, False, True, False, False, False]


def test_the_autoencoders_are_trained_first_and_the_diffusion_on_them():
    first = make(space="latent").train()
    first.begin("autoencoder")
    batch = images(first)
    terms = first.loss(batch, torch.Generator())
    assert set(terms) == {"loss", "vessels", "nuclei", "nanoparticles"}
    terms["loss"].backward()
    assert all(p.grad is not None for p in first.autoencoders.parameters())
    assert all(p.grad is None for p in first.network.parameters())
    second = make(space="latent").train()
    second.load_state_dict(first.state_dict())
    second.loss(batch, torch.Generator())["loss"].backward()
    assert all(p.grad is None for p in second.autoencoders.parameters())
    assert second.network.unimodal.stem.weight.grad is not None
    trains = [{id(p) for p in system.parameters() if p.requires_grad} for system in (first, second)]
    assert trains[0] == {id(p) for p in first.autoencoders.parameters()}
    assert trains[1] == {id(p) for p in second.network.parameters()}


def test_a_sampler_is_refused_an_option_that_there_is_not():
    from diffuscope.jobs.settings import choose_settings

    system = make()
    assert choose_settings(system, quality="fast", options={"gamma": 0.3}).options == {"gamma": 0.3}
    with pytest.raises(InputError, match='no option "delta": choose one of gamma'):
        choose_settings(system, quality="fast", options={"delta": 0.3})
    with pytest.raises(InputError, match=r"gamma must lie between 0 and 1, got 1\.5"):
        choose_settings(system, quality="fast", options={"gamma": 1.5})


@pytest.mark.parametrize("space", ["pixel", "latent"])
def test_the_engine_keeps_d_and_branch_of_every_tile(tmp_path, space):
    system = make(space=space)
    plan = make_plan(shape=(60, 80), factors=(1.0, 1.0), tile=system.tile, overlap=system.overlap)
    rng = np.random.default_rng(0)
    slide = {port.key: rng.integers(0, 256, (128, 128, 1), np.uint8) for port in system.inputs}

    def read(tile):
        window = np.s_[tile.y : tile.y + system.tile, tile.x : tile.x + system.tile]
        return {key: image[window] for key, image in slide.items()}

    def go(path, batch):
        canvas = Canvas(
            path, plan=replace(plan, spacing=(1.0, 1.0)), ports=system.outputs, record={}, values=system.values
        )
        settings = SampleSettings(sampler="sde-dpmsolver++", steps=3, options={"gamma": 0.5})
        compute = LocalCompute(
            system=system, read=read, plan=plan, settings=settings, seed=1, batch=batch,
            device=torch.device("cpu"), precision="fp32",
        )  # fmt: skip
        list(run_tiles(compute, canvas))
        return open_result(path)

    result = go(tmp_path / "a", 1)
    assert result.complete
    rows = list(result.values.rows())
    assert len(rows) == 3 * plan.count
    assert all(row["multimodal"] == (row["divergence"] <= 0.5) for row in rows)
    together = go(tmp_path / "b", 4)
    for key, array in result.values.arrays.items():
        np.testing.assert_allclose(together.values.arrays[key], array, atol=1e-4)


def test_a_model_folder_gives_the_same_system_again(tmp_path):
    from diffuscope.model.folder import load_model, save_model

    config = CONFIG | {"main": "t1", "auxiliaries": ["t2"], "output": "flair", "warmup": 3}
    system = build_system("damm", config).train()
    batch = images(system)
    system.loss(batch, torch.Generator().manual_seed(0))
    card = dict.fromkeys(("title", "what_it_is", "what_it_is_not", "data", "licence", "trained_on"), "a test")
    save_model(tmp_path / "model", system, "damm", config, card | {"simulated": True})
    again = load_model(tmp_path / "model").system
    assert again.config == system.config
    assert int(again.trained) == 1
    rounded = {
        key: value.half().float() if value.is_floating_point() else value for key, value in system.state_dict().items()
    }
    system.load_state_dict(rounded)
    for key, expected in drain(system.eval(), batch)[1].items():
        torch.testing.assert_close(drain(again, batch)[1][key], expected, equal_nan=True, rtol=0, atol=0)
