"""What the decoder that is not evaluated saves: DAMM-Diffusion with random weights.

Random weights cost what trained ones do. Counted are seconds and floating-point operations of an
evaluation of one tile, uni-modal, multi-modal, and both decoders as without the early decision.

Whether tiles on different branches show is measured with trained weights: ``python -m benchmarks nanoparticles seams``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.shared.figures import Goal
from benchmarks.shared.forced import forced
from diffuscope.devices import pick_device, pick_precision
from diffuscope.diffusion.noise import TileNoise
from diffuscope.engine.compute import autocast
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.damm.config import DAMMConfig
from diffuscope.systems.damm.system import DAMM

_ROUNDS = 5
GOALS = {"operations_saved_unimodal": Goal(low=0.15), "operations_saved_multimodal": Goal(low=0.15)}


def seconds(system: DAMM, branch: str, steps: int = 6) -> float:
    """Return the seconds of one evaluation of one tile; the median of several rounds."""
    device = pick_device("auto")
    side = system.tile
    inputs = {port.key: torch.rand(1, 1, side, side, device=device) * 255 for port in system.inputs}
    settings = SampleSettings(sampler="sde-dpmsolver++", steps=steps)
    taken = []
    for _ in range(_ROUNDS + 1):
        start = time.perf_counter()
        with forced(system, lambda _: branch != "unimodal"):
            events = system.sample(inputs, TileNoise(0, [(0, 0)], side, side, device), settings)
            with torch.inference_mode(), autocast(device, pick_precision(device)):
                for _ in events:
                    pass
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append((time.perf_counter() - start) / steps)
    return float(np.median(taken[1:]))


def operations(system: DAMM, branch: str) -> int:
    """Return the floating-point operations of one evaluation of one tile."""
    side, device = system.tile, next(system.parameters()).device
    inputs = {port.key: torch.zeros(1, 1, side, side, device=device) for port in system.inputs}
    settings = SampleSettings(sampler="ddim", steps=1)
    with forced(system, lambda _: branch != "unimodal"), FlopCounterMode(display=False) as counter, torch.no_grad():
        for _ in system.sample(inputs, TileNoise(0, [(0, 0)], side, side, device), settings):
            pass
    return counter.get_total_flops()


@contextmanager
def both_decoders(system: DAMM) -> Iterator[None]:
    """Evaluate the uni-modal decoder as well, and throw its answer away."""
    decode = system.network.decode_multimodal

    def twice(encoded):  # noqa: ANN001, ANN202
        system.network.decode_unimodal(encoded)
        return decode(encoded)

    system.network.decode_multimodal = twice  # type: ignore[method-assign]
    try:
        yield
    finally:
        del system.network.decode_multimodal


def measure(*, size: Literal["small", "paper"] = "small") -> dict[str, float]:
    """Measure the saving.

    Parameters
    ----------
    size : str
        Of the network.
    """
    torch.manual_seed(0)
    system = DAMM(DAMMConfig(size=size)).to(pick_device("auto")).eval()
    system = system.to(memory_format=torch.channels_last)
    figures = {}
    for what, count in (("operations", operations), ("seconds", seconds)):
        alone = {branch: count(system, branch) for branch in ("unimodal", "multimodal")}
        with both_decoders(system):
            both = count(system, "both")
        figures |= {f"{what}_{branch}": float(value) for branch, value in (*alone.items(), ("both", both))}
        figures |= {f"{what}_saved_{branch}": 1 - value / both for branch, value in alone.items()}
    return figures
