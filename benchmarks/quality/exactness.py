"""How far results agree where bits may differ: other batch shapes, other numbers of threads, another precision.

The shipped model and default sampler on three neighbouring tiles of the held-out slide, against batch 1 on two threads
in the precision that the machine takes by itself. Each figure is the part of values (0–255, all channels) of the
virtual stain that differ by at most one grey level, and the greatest difference.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shared.figures import Goal
from diffuscope import DEMO_MODEL, DEMO_SLIDE, load_model, open_scan
from diffuscope.devices import pick_device, pick_precision, threads
from diffuscope.engine.batch import Loaded, sample_tiles
from diffuscope.engine.compute import autocast
from diffuscope.sample_data import sample_path
from diffuscope.scans import read_region
from diffuscope.tiling.plan import Tile

PLACES = ((768, 1024), (1024, 1024), (1280, 1024))
GOALS = {f"within_one_{name}": Goal(low=0.999) for name in ("batch_2", "batch_2_other_mate", "one_thread")}


def sampled(places: tuple[tuple[int, int], ...], *, batch: int, precision: str, number: int) -> NDArray[np.float32]:
    """Return the virtual stain of the first place, (3, h, w), as it would be rounded for the result."""
    device = pick_device()
    model = load_model(DEMO_MODEL, str(device))
    scan, side = open_scan(sample_path(DEMO_SLIDE)), model.system.tile
    images = tuple({"he": read_region(scan, y=y, x=x, height=side, width=side, factor=1.0)} for y, x in places)
    loaded = Loaded(tuple(Tile((0, 0), place) for place in places), images, ())
    settings = next(iter(model.system.presets.values()))
    with threads(number):
        steps = sample_tiles(model.system, loaded, (side, side), settings, 0, batch, device)
        while True:
            try:
                with torch.inference_mode(), autocast(device, precision):
                    next(steps)
            except StopIteration as end:
                return np.asarray(end.value["ihc"][0].round())


def measure() -> dict[str, float]:
    """Sample one tile in each way."""
    precision = pick_precision(pick_device())
    [first, second, third] = PLACES
    alone = sampled((first,), batch=1, precision=precision, number=2)
    others = {
        "batch_2": sampled((first, second), batch=2, precision=precision, number=2),
        "batch_2_other_mate": sampled((first, third), batch=2, precision=precision, number=2),
        "one_thread": sampled((first,), batch=1, precision=precision, number=1),
        "fp32": sampled((first,), batch=1, precision="fp32", number=2),
    }
    figures = {}
    for name, other in others.items():
        difference = np.abs(other - alone)
        figures[f"within_one_{name}"] = float((difference <= 1).mean())
        figures[f"largest_{name}"] = float(difference.max())
    return figures
