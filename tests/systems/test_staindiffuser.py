"""StainDiffuser: its loss in closed form, what it computes once, its samples and its uncertainty."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from diffuscope.diffusion.noise import TileNoise
from diffuscope.errors import InputError
from diffuscope.ports.settings import SampleSettings
from diffuscope.stains import dab_density
from diffuscope.systems.registry import build_system
from diffuscope.systems.staindiffuser.config import StainDiffuserConfig
from diffuscope.systems.staindiffuser.system import StainDiffuser

CONFIG = {"stain": "CD3", "size": "tiny", "T": 50}
SIDE = 32


def make(**changes) -> StainDiffuser:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("staindiffuser", CONFIG | changes)
        for parameter in system.parameters():
            if not parameter.any():
                parameter.data.normal_(0.0, 0.1)
    return system.eval()


def he(n: int = 2) -> torch.Tensor:
    return torch.rand(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5)) * 255


def drain(system: StainDiffuser, image: torch.Tensor, *, sampler="ddim", steps=4, samples=1, seed=0):
    places = [(0, 0), (0, 500)][: len(image)]
    noise = TileNoise(seed, places, SIDE, SIDE, torch.device("cpu"))
    estimates = []
    events = system.sample({"he": image}, noise, SampleSettings(sampler=sampler, steps=steps, samples=samples))
    with torch.inference_mode():
        while True:
            try:
                estimates.append(next(events))
            except StopIteration as end:
                return estimates, end.value


def test_the_small_size_is_small():
    system = build_system("staindiffuser", {"stain": "CD3", "size": "small"})
    assert sum(p.numel() for p in system.parameters()) <= 3.5e6


@pytest.mark.parametrize("weighting", ["epsilon", "velocity"])
def test_the_loss_is_the_error_of_epsilon(weighting: str):
    """The network is replaced by one that answers x_t: the expected loss then follows from t and ε alone."""
    system = make(loss_weighting=weighting, lambda_seg=3.0)
    for branch in (system.network.generation, system.network.segmentation):
        branch.forward = lambda x, *_, **_named: x
    batch = {"he": he(), "ihc": he().flip(0), "mask": (he()[:, :1] > 128).float()}
    found = system.loss(batch, torch.Generator().manual_seed(9))
    generator = torch.Generator().manual_seed(9)
    alpha_bar = system.schedule.alphas_cumprod
    expected = []
    for clean in (batch["ihc"] / 127.5 - 1, batch["mask"] * 2 - 1):
        # One time in each half of 1 … T.
        part = torch.randperm(2, generator=generator)
        t = ((part + torch.rand(2, generator=generator)) * 25).long().numpy()
        eps = torch.randn(clean.shape, generator=generator).double().numpy()
        a = alpha_bar[t][:, None, None, None]
        error = (np.sqrt(a) * clean.double().numpy() + np.sqrt(1 - a) * eps - eps) ** 2
        expected.append((error / (a if weighting == "velocity" else 1)).mean())
    assert float(found["generation"]) == pytest.approx(expected[0], rel=1e-4)
    assert float(found["segmentation"]) == pytest.approx(expected[1], rel=1e-4)
    assert float(found["loss"]) == pytest.approx(expected[0] + 3 * expected[1], rel=1e-4)


def test_epsilon_is_the_velocity_read_at_x_t():
    """ε̂ = √ᾱ·F + √(1−ᾱ)·x_t: with F the true velocity it is the true ε, at every t."""
    system = make()
    branch = system.network.generation
    clean, eps = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    a = torch.tensor(system.schedule.alphas_cumprod[[3, 49]], dtype=torch.float32)
    root = a[:, None, None, None]
    velocity = root.sqrt() * eps - (1 - root).sqrt() * clean
    branch.unet.forward = lambda *_: velocity
    x = root.sqrt() * clean + (1 - root).sqrt() * eps
    torch.testing.assert_close(branch(x, a, a, []), eps, atol=1e-5, rtol=1e-5)


def test_single_task_has_no_segmentation():
    system = make(lambda_seg=0.0)
    assert [port.key for port in system.outputs] == ["ihc", "dab", "uncertainty"]
    assert set(system.loss({"he": he(), "ihc": he()}, torch.Generator())) == {"loss", "generation"}
    _, found = drain(system, he())
    assert found.keys() == {"ihc", "dab", "uncertainty"}
    assert found["uncertainty"].isnan().all()


def test_each_task_has_its_own_parameters_and_both_train_the_encoder():
    system = make()
    ours = {id(p) for p in system.network.generation.parameters()}
    assert not ours & {id(p) for p in system.network.segmentation.parameters()}
    for term, silent in (("generation", "segmentation"), ("segmentation", "generation")):
        system.zero_grad()
        batch = {"he": he(), "ihc": he(), "mask": torch.ones(2, 1, SIDE, SIDE)}
        system.loss(batch, torch.Generator().manual_seed(1))[term].backward()
        assert all(p.grad is None for p in getattr(system.network, silent).parameters())
        assert all(p.grad is not None for p in system.network.encoder.parameters())


def test_encoder_and_attention_are_evaluated_once_a_tile():
    system = make()
    calls: Counter[str] = Counter()
    network = system.network
    watched = {
        "encoder": network.encoder,
        "generation": network.generation.unet,
        "segmentation": network.segmentation.unet,
    }
    watched |= {
        "attention": network.generation.attention[0],
        "attention, segmentation": network.segmentation.attention[3],
    }
    for name, module in watched.items():
        module.register_forward_hook(lambda *_, name=name: calls.update([name]))
    estimates, _ = drain(system, he(), steps=4, samples=3)
    assert calls == {
        "encoder": 1, "attention": 1, "attention, segmentation": 1, "generation": 12, "segmentation": 1,
    }  # fmt: skip
    assert [e.step for e in estimates] == list(range(1, 14))
    assert {e.steps for e in estimates} == {13}


def test_the_default_quality_takes_at_most_15_evaluations():
    system = make(T=2000)
    preset = next(iter(system.presets.values()))
    estimates, _ = drain(system, he(1), sampler=preset.sampler, steps=preset.steps)
    assert len(estimates) <= 15


def test_the_default_s_sampler_is_the_one_that_the_weights_state():
    assert next(iter(make(sampler="unipc").presets.values())).sampler == "unipc"
    assert next(iter(make().presets.values())).sampler == "sde-dpmsolver++"
    with pytest.raises(ValidationError):
        StainDiffuserConfig(stain="CD3", sampler="ddpm")


def test_outputs_keep_to_their_ports():
    system = make()
    _, found = drain(system, he())
    assert found.keys() == {port.key for port in system.outputs}
    for port in system.outputs:
        assert found[port.key].shape == (2, len(port.channels), SIDE, SIDE)
        assert found[port.key].dtype == torch.float32
    assert found["ihc"].min() >= 0 and found["ihc"].max() <= 255
    assert found["segmentation"].min() >= 0 and found["segmentation"].max() <= 1
    rgb = found["ihc"].permute(0, 2, 3, 1).round().numpy()
    np.testing.assert_allclose(found["dab"][:, 0].numpy(), dab_density(rgb), atol=1e-6)


def test_the_preview_ends_at_the_picture():
    estimates, found = drain(make(), he(), samples=2)
    shown = [e.clean["ihc"] for e in estimates if "ihc" in e.clean]
    assert len(shown) == 4
    torch.testing.assert_close(shown[-1], found["ihc"])


def test_uncertainty_of_samples_is_their_standard_deviation():
    system = make()
    _, found = drain(system, he(), samples=3)
    singles = []
    for k in range(3):
        # sample k alone, by a noise that is asked for sample 0 and answers with sample k
        tiles = TileNoise(0, [(0, 0), (0, 500)], SIDE, SIDE, torch.device("cpu"))

        def shifted(port, *, sample, step, channels, k=k, tiles=tiles):
            return tiles(port, sample=k, step=step, channels=channels)

        events = system.sample({"he": he()}, shifted, SampleSettings(sampler="ddim", steps=4))
        with torch.inference_mode():
            try:
                while True:
                    next(events)
            except StopIteration as end:
                singles.append(end.value["dab"].numpy())
    np.testing.assert_allclose(found["dab"], np.mean(singles, axis=0), atol=1e-6)
    np.testing.assert_allclose(found["uncertainty"], np.std(singles, axis=0, ddof=1), atol=1e-6)
    assert np.std(singles, axis=0).max() > 0


def test_uncertainty_of_one_sample_is_the_branches_disagreement():
    system = make()
    scale = 2 * system.config.dab_threshold
    dab = torch.tensor([0.0, 0.0, 0.15, 0.15, 0.3, 3.0]).reshape(1, 1, 1, 1, 6)
    probability = torch.tensor([0.0, 1.0, 0.5, 0.0, 1.0, 1.0]).reshape(1, 1, 1, 6)
    expected = torch.tensor([0.0, scale, 0.0, scale / 2, 0.0, 0.0]).reshape(1, 1, 1, 6)
    torch.testing.assert_close(system._uncertainty(dab, probability, 4), expected)
    # several of one step are no samples: posterior means differ less
    torch.testing.assert_close(system._uncertainty(torch.cat([dab, dab + 1]), probability, 1), expected)


def test_a_pale_nucleus_in_a_stained_rim_is_no_disagreement():
    system = make()
    dab = torch.zeros(1, 1, 1, 9, 9)
    dab[..., 2:7, 2:7] = 0.5
    dab[..., 3:6, 3:6] = 0.0
    cell = torch.zeros(1, 1, 9, 9)
    cell[..., 2:7, 2:7] = 1.0
    assert system._uncertainty(dab, cell, 4).max() == 0


def test_a_configuration_that_makes_no_sense_is_refused():
    with pytest.raises(ValidationError):
        StainDiffuserConfig(stain="CD3", depth=4)
    with pytest.raises(InputError, match="knows only staindiffuser"):
        build_system("cyclegan", {})
