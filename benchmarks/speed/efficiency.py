"""What the engine costs beside the network: tiles a second through the whole path over those of the bare loop.

The path is `diffuscope.run` from its first event to its last: reading, noise, sampling, blending, ledger,
pyramid, table. The bare loop samples as many tiles of the same size with the same model, sampler, batch and
precision, in as many lanes, from inputs that lie ready and noise from ``torch.randn``, and keeps freed memory as the
path does. Both in turns, so that whatever else the machine does hits both, and both after a tile or two that do not
count: what is imported by need is there.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median

import torch

from benchmarks.shared.figures import Goal
from diffuscope import DEMO_MODEL, DEMO_SLIDE, load_model, run
from diffuscope.devices import pick_device, pick_precision, reused_memory, threads
from diffuscope.engine.compute import autocast
from diffuscope.engine.events import Finished, Started
from diffuscope.jobs.compute import LANES
from diffuscope.sample_data import sample_path
from diffuscope.systems.base import System
from diffuscope.tiling.region import Region

# Nearly all tissue. The first begins where a chunk does, as a whole slide; a drawn region begins anywhere, and every
# cell of it lies in four chunks.
REGION, DRAWN = Region(512, 1536, 1280, 1280), Region(640, 1856, 1216, 1216)
WARM = Region(1024, 2048, 256, 256)
ROUNDS = 3
GOALS = {"ratio": Goal(low=0.95)}


@reused_memory()
def bare(system: System, tiles: int, batch: int) -> float:
    """Return the seconds that the loop over the network takes for so many tiles."""
    device = pick_device()
    settings = next(iter(system.presets.values()))
    shape = (batch, 3, system.tile, system.tile)
    inputs = {"he": torch.rand(shape, device=device).mul(255).contiguous(memory_format=torch.channels_last)}

    def noise(port: str, *, sample: int, step: int, channels: int) -> torch.Tensor:  # noqa: ARG001
        return torch.randn(batch, channels, *shape[2:], device=device)

    # As many lanes of as many threads as the path has by itself.
    lanes = min(LANES, torch.get_num_threads()) if device.type == "cpu" else 1

    def lane(tiles: int) -> None:
        for _ in range(-(-tiles // batch)):
            steps = system.sample(inputs, noise, settings)
            with torch.inference_mode(), autocast(device, pick_precision(device)), closing(steps):
                for _ in steps:
                    pass

    shares = [tiles // lanes + (i < tiles % lanes) for i in range(lanes)]
    start = time.perf_counter()
    with (
        threads(torch.get_num_threads() // lanes),
        ThreadPoolExecutor(lanes, initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),)) as pool,
    ):
        list(pool.map(lane, shares))
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def path(batch: int, region: Region) -> tuple[float, int]:
    """Return seconds and number of tiles of a run."""
    with tempfile.TemporaryDirectory() as folder:
        start = 0.0
        events = run(DEMO_MODEL, sample_path(DEMO_SLIDE), Path(folder) / "out.ome.zarr", region=region, batch=batch)
        for event in events:
            if isinstance(event, Started):
                start = time.perf_counter()
            if isinstance(event, Finished):
                return time.perf_counter() - start, event.tiles
    raise AssertionError("a run ends with Finished")


def measure() -> dict[str, float]:
    """Measure both at the batch that a run takes by itself, and whether a larger one would pay."""
    device = pick_device()
    system = load_model(DEMO_MODEL, str(device)).system
    batch = 1 if device.type == "cpu" else 8
    bare(system, batch, batch)
    path(batch, WARM)
    paths, bares = [], []
    for _ in range(ROUNDS):
        seconds, tiles = path(batch, REGION)
        paths.append(seconds / tiles)
        bares.append(bare(system, tiles, batch) / tiles)
    seconds, number = path(batch, DRAWN)
    drawn = bare(system, number, batch) / seconds
    doubled = bare(system, tiles, 2 * batch) / tiles
    pixels = (system.tile - system.overlap) ** 2 / 1e6
    return {
        "ratio": median(bares) / median(paths),
        "ratio_drawn_region": drawn,
        "tiles": tiles,
        "batch": batch,
        "tiles_per_second": 1 / median(paths),
        "megapixels_per_second": pixels / median(paths),
        "bare_tiles_per_second": 1 / median(bares),
        "bare_with_twice_the_batch": 1 / doubled,
        "threads": torch.get_num_threads(),
    }
