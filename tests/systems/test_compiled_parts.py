"""Every system names what it evaluates at each step, and nothing that it evaluates at each step is left out."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from diffuscope.diffusion.noise import TileNoise
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import System
from diffuscope.systems.registry import build_system

SIDE = 32
STAIN = {"stain": "CD3", "size": "tiny"}
DIFFUSION = STAIN | {"T": 20}
CT = {"name": "CT", "low": -200.0, "high": 300.0, "unit": "HU"}
SYSTEMS = {
    "staindiffuser": DIFFUSION,
    "multi-staindiffuser": {"stains": ["CD3", "CK8/18"], "size": "tiny", "T": 20},
    "bidirectional-staindiffuser": DIFFUSION,
    "unet-regression": STAIN,
    "pix2pix": STAIN,
    "palette": DIFFUSION,
    "bbdm": DIFFUSION,
    "damm": {"size": "tiny", "T": 20, "patch": SIDE},
    "midiffusion": {
        "target": CT,
        "source": {"name": "T1 MR"},
        "size": "tiny",
        "tile": SIDE,
        "overlap": 16,
        "patch": SIDE,
    },
}


def make(name: str) -> System:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_system(name, SYSTEMS[name]).eval()


def images(system: System) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    given = {}
    for port in system.inputs:
        low, high = port.range
        shape = (2, len(port.channels) * (2 * system.context + 1), SIDE, SIDE)
        given[port.key] = low + (high - low) * torch.rand(shape, generator=generator)
    return given


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_parts_hold_every_convolution_of_every_evaluation(name):
    system, calls = make(name), Counter()
    parts = system.compiled_parts()
    inside = {module for part in parts for module in part.modules()}
    for module in system.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) or module in parts:
            module.register_forward_hook(lambda called, *_: calls.update([called]))
    preset = next(iter(system.presets.values()))
    settings = SampleSettings(sampler=preset.sampler, steps=min(preset.steps, 4))
    steps = system.sample(images(system), TileNoise(0, [(3, 0, 0), (3, 0, SIDE)], SIDE, SIDE), settings)
    with torch.inference_mode():
        evaluations = sum(1 for _ in steps)
    # What is called once a batch need not be compiled; all else must be.
    often = {module for module, number in calls.items() if number > 1}
    assert often <= inside
    # They are called as modules, for only such a call is compiled.
    assert sum(calls[part] for part in parts) >= evaluations


@pytest.mark.parametrize("name", SYSTEMS)
def test_no_part_calls_another_one(name):
    system = make(name)
    open_parts: list[nn.Module] = []
    nested = []

    def enter(part, *_):
        nested.extend((outer, part) for outer in open_parts)
        open_parts.append(part)

    for part in system.compiled_parts():
        part.register_forward_pre_hook(enter)
        part.register_forward_hook(lambda called, *_: open_parts.remove(called))
    preset = next(iter(system.presets.values()))
    settings = SampleSettings(sampler=preset.sampler, steps=min(preset.steps, 2))
    with torch.inference_mode():
        for _ in system.sample(images(system), TileNoise(0, [(3, 0, 0), (3, 0, SIDE)], SIDE, SIDE), settings):
            pass
    assert not nested
