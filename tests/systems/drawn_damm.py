"""A small DAMM-Diffusion whose branches differ, images for it, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from diffuscope.diffusion.noise import TileNoise
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.damm.system import DAMM
from diffuscope.systems.registry import build_system

CONFIG = {"size": "tiny", "T": 50, "patch": 32}


def make(**changes) -> DAMM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("damm", CONFIG | changes)
        for parameter in system.parameters():
            if not parameter.any():
                parameter.data.normal_(0.0, 0.1)
        # Divergences of different images must differ for some to lie on either side of a γ.
        for name, parameter in system.named_parameters():
            if name.endswith("attention.uncertainty.weight"):
                parameter.data.normal_(0.0, 1.0)
    return system.eval()


def images(system: DAMM, n: int = 4, seed: int = 5) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    side = system.tile
    drawn = {}
    for port in (*system.inputs, system.outputs[0]):
        low, high = port.range
        # Coarse blocks of one mean an example, so that examples differ in more than noise.
        coarse = torch.rand(n, 1, 4, 4, generator=generator) * torch.rand(n, 1, 1, 1, generator=generator)
        drawn[port.key] = low + (high - low) * coarse.repeat_interleave(side // 4, 2).repeat_interleave(side // 4, 3)
    return drawn


def drain(system: DAMM, given: dict[str, torch.Tensor], *, steps=3, samples=1, seed=0, **options):
    n = len(next(iter(given.values())))
    noise = TileNoise(seed, [(0, i * system.tile) for i in range(n)], system.tile, system.tile)
    settings = SampleSettings(sampler="ddim", steps=steps, samples=samples, options=options)
    events = system.sample({port.key: given[port.key] for port in system.inputs}, noise, settings)
    estimates = []
    with torch.inference_mode():
        while True:
            try:
                estimates.append(next(events))
            except StopIteration as end:
                return estimates, end.value


def told(estimates, key: str) -> np.ndarray:
    return np.stack([estimate.values[key].numpy() for estimate in estimates], axis=1)


def between(system: DAMM, given: dict[str, torch.Tensor]) -> float:
    """Return a γ between the divergences of a batch at its first evaluation."""
    d = np.sort(told(drain(system, given, steps=1)[0], "divergence")[:, 0])
    assert d[-1] > d[0]
    middle = len(d) // 2
    return float(d[middle - 1] + d[middle]) / 2


def check_loss(system: DAMM, error: Callable[[np.ndarray, float], float], *, weighted: bool = True) -> None:
    """Compare a system's loss, λ 0.25, α 0.4, γ 0.5, one draw, with Eqs. 11 to 15 written out.

    `error` is that of ε, by ε_θ − ε and ᾱ_t; `weighted`: whether L_1 is divided by √ᾱ_t.
    """
    batch = images(system)
    network = system.network
    u = torch.linspace(0.3, 0.7, 4)[:, None, None, None].expand(4, 1, 4, 4)
    network.attention.uncertain = lambda *_: u
    raw = [torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(s)) for s in (1, 2)]
    network.decode_unimodal, network.decode_multimodal = lambda _: raw[0], lambda _, plain: raw[1]
    system.train()
    found = system.loss(batch, torch.Generator().manual_seed(9))
    generator = torch.Generator().manual_seed(9)
    part = torch.randperm(4, generator=generator)
    t = ((part + torch.rand(4, generator=generator)) * (50 / 4)).long().numpy()
    eps = torch.randn(4, 1, 32, 32, generator=generator).double().numpy()
    clean = batch["nanoparticles"].double().numpy() / 127.5 - 1
    rows = []
    for i in range(4):
        a = system.schedule.alphas_cumprod[t[i]]
        x = np.sqrt(a) * clean[i] + np.sqrt(1 - a) * eps[i]
        wrong = [np.sqrt(a) * one[i].double().numpy() + np.sqrt(1 - a) * x - eps[i] for one in raw]
        l1 = [np.abs(one).mean() / np.sqrt(a) ** weighted for one in wrong]
        losses = [error(one, a) for one in wrong]
        d = 0.3 + 0.4 * i / 3
        entropy = -np.log(1 - d) if l1[1] <= l1[0] else -np.log(d)
        feedback = entropy + 0.4 * (d - 0.5) ** 2
        rows.append((losses[0] + (losses[1] if d <= 0.5 else 0), feedback, losses, d))
    total = np.mean([row[0] for row in rows]) + 0.25 * np.mean([row[1] for row in rows])
    assert float(found["loss"]) == pytest.approx(total, rel=1e-4)
    assert float(found["feedback"]) == pytest.approx(np.mean([row[1] for row in rows]), rel=1e-4)
    # What validates is the error of the branch that a sampler would take.
    chosen = np.mean([losses[1] if d <= 0.5 else losses[0] for *_, losses, d in rows])
    assert float(system.eval().loss(batch, torch.Generator().manual_seed(9))["loss"]) == pytest.approx(chosen, rel=1e-4)
