"""How many tiles at once: found by trying, before a run."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from diffuscope.systems.base import SampleSettings, System
from diffuscope.tiling.batch import Loaded, sample_tiles
from diffuscope.tiling.compute import autocast, is_out_of_memory
from diffuscope.tiling.plan import Tile

LARGEST = 64
# A larger batch costs memory and a longer wait for each tile: it must be worth it.
WORTH = 0.95


def find_batch(seconds_a_tile: Callable[[int], float]) -> int:
    """Double the batch while that pays and memory holds.

    Parameters
    ----------
    seconds_a_tile : callable
        Seconds that a tile takes in a batch of so many; raises where memory is too small.

    Returns
    -------
    int
        A power of two, 1 … 64: the last that was at least 5 % faster a tile than the one before.
    """
    batch, best = 1, seconds_a_tile(1)
    while batch < LARGEST:
        try:
            seconds = seconds_a_tile(2 * batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            break
        if seconds > WORTH * best:
            break
        batch, best = 2 * batch, seconds
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return batch


def seconds_a_tile(
    system: System, settings: SampleSettings, *, device: torch.device, precision: str
) -> Callable[[int], float]:
    """Return a function that measures two network evaluations of a batch of empty tiles, after a warm-up.

    Parameters
    ----------
    system : System
        In eval mode, on `device`.
    settings : SampleSettings
        As in the run.
    device : torch.device
        Where.
    precision : {"fp32", "bf16"}
        As in the run.
    """
    side = system.tile
    images = {port.key: np.zeros((side, side, len(port.channels)), np.float32) for port in system.inputs}

    def measure(batch: int) -> float:
        loaded = Loaded(tuple(Tile((0, i), (0, i * side)) for i in range(batch)), (images,) * batch, ())
        for _ in range(2):
            steps = sample_tiles(system, loaded, (side, side), settings, 0, batch, device)
            start = time.perf_counter()
            with torch.inference_mode(), autocast(device, precision):
                for _ in range(min(2, settings.steps)):
                    next(steps)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds = time.perf_counter() - start
            steps.close()
        return seconds / batch

    return measure
