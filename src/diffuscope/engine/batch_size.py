"""How many tiles at once: what keeps the device busy, and its memory holds. Never by timing, which varies."""

from __future__ import annotations

import numpy as np
import torch

from diffuscope.engine.batch import Loaded, sample_tiles
from diffuscope.engine.compute import autocast
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Tiled
from diffuscope.tiling.plan import Tile

LARGEST = 64
# Px of a batch from which a GPU is no faster a px: 32 tiles of 272² px.
FULL = 2**21
# Part of a GPU's memory that a batch may take; the rest is for what else runs there, and for fragments.
SHARE = 0.5


def find_batch(system: Tiled, settings: SampleSettings, *, device: torch.device, precision: str) -> int:
    """Return how many tiles a device that is no CPU computes at once.

    A function of device, model and memory: the same command gives the same bits again on the same machine.

    Parameters
    ----------
    system : Tiled
        In eval mode, on `device`.
    settings : SampleSettings
        As in the run.
    device : torch.device
        Where.
    precision : {"fp32", "bf16"}
        As in the run.

    Returns
    -------
    int
        A power of two, 1 … 64.
    """
    batch = 1
    while batch < LARGEST and batch * system.depth * system.tile**2 < FULL:
        batch *= 2
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
        need = bytes_a_tile(system, settings, device=device, precision=precision)
        while batch > 1 and batch * need > SHARE * memory:
            batch //= 2
    return batch


def bytes_a_tile(system: Tiled, settings: SampleSettings, *, device: torch.device, precision: str) -> float:
    """Return the most memory of a CUDA device that an empty tile takes, in a batch of two, in two evaluations."""
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    evaluate_empty(system, settings, 2, device=device, precision=precision)
    return (torch.cuda.max_memory_allocated(device) - before) / 2


def evaluate_empty(
    system: Tiled, settings: SampleSettings, batch: int, *, device: torch.device, precision: str
) -> None:
    """Begin to sample a batch of empty tiles: two network evaluations."""
    side, axes = system.tile, len(system.input_rasters[0].axes)
    shape = (system.depth, side, side)[-axes:]
    read = (system.depth + 2 * system.context, side, side)[-axes:]
    # What is made is not given.
    made = settings.wanted or [port.key for port in system.outputs]
    given = [port for port in system.input_rasters if port.required or port.key not in made]
    images = {port.key: np.zeros((*read, len(port.channels)), np.float32) for port in given}
    corners = [(*(0 for _ in shape[1:]), number * side) for number in range(batch)]
    loaded = Loaded(tuple(Tile(corner, corner) for corner in corners), (images,) * batch, ())
    steps = sample_tiles(system, loaded, shape, settings, 0, batch, device)
    with torch.inference_mode(), autocast(device, precision):
        for _ in range(min(2, settings.steps)):
            next(steps)
    steps.close()
