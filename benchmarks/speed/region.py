"""How long a pathologist waits for a region: 1024 x 1024 px at 0.5 µm/px, shipped model, default quality."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

from benchmarks.shared.figures import Goal
from diffuscope import DEMO_MODEL, DEMO_SLIDE, run
from diffuscope.engine.events import Finished, Preview, Started
from diffuscope.sample_data import sample_path
from diffuscope.tiling.region import Region

# The most tissue that fits: no tile is skipped. The slide's 0.499 µm/px count as 0.5, so that 1 px is 1 px.
REGION = Region(704, 1920, 1024, 1024)
GOALS = {"seconds": Goal(high=60.0)}


def measure() -> dict[str, float]:
    """Run once from a cold start: loading the model, checks, sampling, writing, pyramid, table."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        first_preview = None
        for event in run(DEMO_MODEL, sample_path(DEMO_SLIDE), Path(folder) / "out.ome.zarr", region=REGION):
            now = time.perf_counter() - start
            match event:
                case Started():
                    started = now
                case Preview() if first_preview is None:
                    first_preview = now
                case Finished():
                    seconds, tiles = now, event.tiles
    return {
        "seconds": seconds,
        "started_seconds": started,
        "first_preview_seconds": first_preview or float("nan"),
        "tiles": tiles,
        "threads": torch.get_num_threads(),
    }
