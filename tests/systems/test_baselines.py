"""Baselines: losses in closed form, samples that keep to the contract, and training against oneself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from diffuscope.diffusion.noise import TileNoise
from diffuscope.errors import InputError
from diffuscope.model.folder import load_model, save_model
from diffuscope.ports.settings import SampleSettings
from diffuscope.stains import dab_density
from diffuscope.systems.base import System
from diffuscope.systems.registry import build_system
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.module import learning_rate
from diffuscope.training.recipe import Optimisation
from diffuscope.training.trainer import fit

NAMES = ("unet-regression", "pix2pix", "palette", "bbdm")
SIDE = 32


def make(name: str) -> System:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = {"stain": "CD3", "size": "tiny"} | ({"T": 50} if name in {"palette", "bbdm"} else {})
        system = build_system(name, config)
        for parameter in system.parameters():
            if not parameter.any():
                parameter.data.normal_(0.0, 0.1)
    return system.eval()


def picture(seed: int, n: int = 2) -> torch.Tensor:
    return torch.rand(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) * 255


def batch() -> dict[str, torch.Tensor]:
    return {"he": picture(1), "ihc": picture(2), "mask": torch.ones(2, 1, SIDE, SIDE)}


def drain(system: System, *, samples: int = 1, steps: int | None = None, seed: int = 0):
    preset = next(iter(system.presets.values()))
    settings = SampleSettings(sampler=preset.sampler, steps=steps or preset.steps, samples=samples)
    events = system.sample({"he": picture(1)}, TileNoise(seed, [(0, 0), (0, 500)], SIDE, SIDE), settings)
    estimates = []
    with torch.inference_mode():
        while True:
            try:
                estimates.append(next(events))
            except StopIteration as end:
                return estimates, end.value


@pytest.mark.parametrize("name", NAMES)
def test_outputs_keep_to_their_ports(name: str):
    system = make(name)
    estimates, found = drain(system)
    assert list(found) == [port.key for port in system.outputs]
    for port in system.outputs:
        assert found[port.key].shape == (2, len(port.channels), SIDE, SIDE)
        assert found[port.key].dtype == torch.float32
    assert found["ihc"].min() >= 0 and found["ihc"].max() <= 255
    rgb = found["ihc"].permute(0, 2, 3, 1).round().numpy()
    np.testing.assert_allclose(found["dab"][:, 0].numpy(), dab_density(rgb), atol=1e-6)
    torch.testing.assert_close(estimates[-1].clean["ihc"], found["ihc"])
    assert [one.step for one in estimates] == list(range(1, estimates[0].steps + 1))


@pytest.mark.parametrize("name", ["palette", "bbdm"])
def test_what_samples_tells_how_its_samples_differ(name: str):
    system = make(name)
    assert drain(system)[1]["uncertainty"].isnan().all()
    # Samples of one step are posterior means, which differ less than samples do.
    assert drain(system, samples=3, steps=1)[1]["uncertainty"].isnan().all()
    _, found = drain(system, samples=3, steps=4)
    assert found["uncertainty"].isfinite().all() and found["uncertainty"].max() > 0
    assert not torch.equal(drain(system, seed=1)[1]["ihc"], drain(system, seed=2)[1]["ihc"])


@pytest.mark.parametrize("name", ["unet-regression", "pix2pix"])
def test_what_does_not_sample_has_no_uncertainty(name: str):
    system = make(name)
    assert [port.key for port in system.outputs] == ["ihc", "dab"]
    assert torch.equal(drain(system, seed=1)[1]["ihc"], drain(system, seed=2)[1]["ihc"])


@pytest.mark.parametrize(
    ("name", "sampler", "steps"),
    [("unet-regression", "ddim", 1), ("pix2pix", "direct", 2), ("bbdm", "ddim", 10), ("bbdm", "bridge", 51)],
)
def test_a_sampler_that_a_system_has_not_is_refused(name: str, sampler: str, steps: int):
    with pytest.raises(InputError, match="samples by"):
        next(
            make(name).sample(
                {"he": picture(1)}, lambda *_, **__: picture(3), SampleSettings(sampler=sampler, steps=steps)
            )
        )


def test_regression_is_judged_by_squared_error():
    system = make("unet-regression")
    system.network.forward = lambda x: x
    found = system.loss(batch(), torch.Generator())["loss"]
    expected = np.square((picture(1).double().numpy() - picture(2).double().numpy()) / 127.5).mean()
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_pix2pix_s_terms_are_the_paper_s():
    system = make("pix2pix")
    with torch.no_grad():
        found = system.loss(batch(), torch.Generator())
    he, truth = picture(1) / 127.5 - 1, picture(2) / 127.5 - 1
    with torch.no_grad():
        made = torch.tanh(system.generator(he))
        real = system.discriminator(torch.cat([he, truth], 1))
        fake = system.discriminator(torch.cat([he, made], 1))
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    cross = F.binary_cross_entropy_with_logits
    assert float(found["l1"]) == pytest.approx(float((made - truth).abs().mean()), rel=1e-5)
    assert float(found["loss"]) == pytest.approx(float(cross(fake, ones) + 100 * (made - truth).abs().mean()), rel=1e-5)
    expected = (cross(real, ones) + cross(fake, zeros)) / 2
    assert float(found["discriminator"]) == pytest.approx(float(expected), rel=1e-5)


def test_neither_player_moves_the_other():
    system = make("pix2pix")
    players = system.players()
    assert {id(p) for group in players.values() for p in group} == {id(p) for p in system.parameters()}
    for term, own in players.items():
        system.zero_grad()
        system.loss(batch(), torch.Generator())[term].backward()
        moved = {id(p) for p in system.parameters() if p.grad is not None and p.grad.any()}
        assert moved <= {id(p) for p in own} and len(moved) > len(own) / 2


def test_one_optimiser_over_the_sum_is_two_optimisers(tmp_path: Path):
    """The loop against the textbook's: a backward and an AdamW a player, each clipped by itself."""
    plan = Optimisation(steps=5, batch=2, learning_rate=1e-3, warmup=2, ema=0.5)
    system, other = make("pix2pix"), make("pix2pix").to(memory_format=torch.channels_last)
    found = []

    def asked() -> bool:
        """Before each step: the weights are those after the step before."""
        found.append([p.detach().clone() for p in system.parameters()])
        return False

    data, cpu = TrainingData(lambda _: batch(), []), torch.device("cpu")
    fit(system, data, plan, folder=tmp_path, device=cpu, precision="fp32", cancelled=asked)
    del found[0]
    players = {"loss": list(other.generator.parameters()), "discriminator": list(other.discriminator.parameters())}
    optimisers = {term: torch.optim.AdamW(own, weight_decay=1e-4, betas=(0.9, 0.99)) for term, own in players.items()}
    for step in range(plan.steps - 1):
        terms = other.loss(
            {key: value.contiguous(memory_format=torch.channels_last) for key, value in batch().items()},
            torch.Generator(),
        )
        for term, optimiser in optimisers.items():
            optimiser.param_groups[0]["lr"] = learning_rate(step, plan, plan.learning_rate)
            optimiser.zero_grad()
            terms[term].backward()
            torch.nn.utils.clip_grad_norm_(players[term], 1.0)
        for optimiser in optimisers.values():
            optimiser.step()
        for a, b in zip(found[step], other.parameters(), strict=True):
            torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


def test_bbdm_learns_the_way_back_along_the_bridge():
    """A network that answers 0 is judged by x_t − x_0, m (y − x_0) + √δ ε, as the paper writes it."""
    system = make("bbdm")
    system.network.forward = lambda x, m: torch.zeros_like(x)
    found = system.loss(batch(), torch.Generator().manual_seed(3))["loss"]
    generator = torch.Generator().manual_seed(3)
    m = torch.randint(1, 51, (2,), generator=generator).double().numpy()[:, None, None, None] / 50
    noise = torch.randn(2, 3, SIDE, SIDE, generator=generator).double().numpy()
    y, x0 = (picture(seed).double().numpy() / 127.5 - 1 for seed in (1, 2))
    expected = np.square(m * (y - x0) + np.sqrt(2 * (m - m**2)) * noise).mean()
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_bbdm_with_an_exact_network_ends_at_the_target_and_starts_at_the_source():
    system = make("bbdm")
    target, seen = picture(2) / 127.5 - 1, []

    def exact(x: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        seen.append((x, float(m[0])))
        return x - target

    system.network.forward = exact
    _, found = drain(system, steps=7)
    torch.testing.assert_close(found["ihc"], picture(2), atol=1e-3, rtol=0)
    torch.testing.assert_close(seen[0][0], picture(1) / 127.5 - 1)
    assert seen[0][1] == 1.0 and len(seen) == 7


def test_palette_sees_the_he_in_three_further_channels():
    system = make("palette")
    calls: Counter[tuple[int, ...]] = Counter()
    system.network.register_forward_pre_hook(lambda _, args: calls.update([tuple(args[0].shape)]))
    drain(system, samples=2, steps=3)
    assert calls == {(2, 6, SIDE, SIDE): 6}


def test_a_grey_palette_removes_one_channel_of_noise_and_paints_grey():
    system = build_system("palette", {"stain": "CD3", "size": "tiny", "T": 50, "grey": True}).eval()
    calls: Counter[tuple[int, ...]] = Counter()
    system.network.register_forward_pre_hook(lambda _, args: calls.update([tuple(args[0].shape)]))
    found = drain(system, steps=3)[1]["ihc"]
    assert calls == {(2, 4, SIDE, SIDE): 3} and found.shape == (2, 3, SIDE, SIDE)
    assert torch.equal(found[:, 0], found[:, 1]) and torch.equal(found[:, 0], found[:, 2])
    # The truth's mean over colours is what is learned.
    coloured = batch()
    grey = coloured | {"ihc": coloured["ihc"].mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)}
    with torch.no_grad():
        both = [system.loss(one, torch.Generator().manual_seed(1))["loss"] for one in (coloured, grey)]
    torch.testing.assert_close(*both)


def fresh(name: str) -> System:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_system(name, {"stain": "CD3", "size": "tiny"})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_training_learns(name: str, tmp_path: Path):
    """One pair by heart: the term that judges the picture falls, at sixteen t that are the same before and after."""
    system = fresh(name)
    plan = Optimisation(steps=60, batch=2, learning_rate=3e-3, warmup=5, ema=0.9)
    even = {key: 40 + 0.2 * value for key, value in batch().items()}

    def judged() -> float:
        many = {key: value.repeat(8, 1, 1, 1) for key, value in even.items()}
        with torch.no_grad():
            return float(system.loss(many, torch.Generator().manual_seed(1))["l1" if name == "pix2pix" else "loss"])

    before = judged()
    data = TrainingData(lambda _: even, [])
    fit(system, data, plan, folder=tmp_path, device=torch.device("cpu"), precision="fp32")
    assert judged() < 0.7 * before


@pytest.mark.parametrize("name", NAMES)
def test_a_model_folder_holds_a_baseline(name: str, tmp_path: Path):
    system = fresh(name)
    words = dict.fromkeys(("title", "what_it_is", "what_it_is_not", "data", "licence", "trained_on"), "x")
    card = words | {"simulated": True}
    loaded = load_model(save_model(tmp_path / "m", system, name, {"stain": "CD3", "size": "tiny"}, card)).system
    for key, value in system.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], value.half().float(), atol=0, rtol=0)
