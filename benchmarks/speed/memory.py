"""Peak memory against slide size: 4k², 16k² and 64k² px, a tenth of it tissue, through the whole path.

The slides are written first, as OME-Zarr pyramids. A stand-in system copies its input, so that every tile of the
largest one really runs. Each size runs in a process of its own; resident memory is summed over that process and its
children, looked at twenty times a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import zarr

from benchmarks.shared.figures import Goal
from benchmarks.speed._copy_run import SLIDE
from diffuscope.results.layout import create_images
from diffuscope.results.pyramid import update_pyramid
from diffuscope.tiling.boxes import CHUNK

SIDES = (4096, 16384, 65536)
BLOB = 1024
GOALS = {
    "rss_64k_over_4k": Goal(high=1.10),
    "rss_64k_minus_4k_mb": Goal(high=64.0),
    "plan_seconds": Goal(high=5.0),
}


def write_slide(path: Path, side: int) -> None:
    """Write a white slide with squares of pink and violet noise on about a tenth of it."""
    root = zarr.create_group(store=path, zarr_format=2)
    levels = create_images(root, (SLIDE,), shape=(side, side), spacing=(0.5, 0.5), origin=(0.0, 0.0))["he"]
    rng = np.random.default_rng(0)
    places = [(y, x) for y in range(0, side, BLOB) for x in range(0, side, BLOB)]
    # At 4k² there are 16 places: two of them hold tissue.
    for index in rng.choice(len(places), max(round(0.1 * len(places)), 2), replace=False):
        y, x = places[index]
        texture = rng.integers(0, 60, (3, BLOB, BLOB), np.uint8) + np.array([170, 90, 150], np.uint8)[:, None, None]
        levels[0][:, y : y + BLOB, x : x + BLOB] = texture
        chunks = {
            (cy, cx) for cy in range(y // CHUNK, (y + BLOB) // CHUNK) for cx in range(x // CHUNK, (x + BLOB) // CHUNK)
        }
        update_pyramid(levels, chunks)


def watch(slide: Path, out: Path) -> tuple[float, dict[str, float]]:
    """Return the peak resident memory in MB of a run in a process of its own, and what it says of itself."""
    line = [sys.executable, "-m", "benchmarks.speed._copy_run", str(slide), str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, env=environment)  # noqa: S603
    assert process.stdout is not None
    peak, tree = 0, psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, sum(one.memory_info().rss for one in [tree, *tree.children(recursive=True)]))
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.05)
    if process.returncode != 0:
        raise RuntimeError(f"the run over {slide.name} failed")
    return peak / 1e6, json.loads(process.stdout.read())


def measure() -> dict[str, float]:
    """Run the three sizes."""
    figures: dict[str, float] = {}
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for side in SIDES:
            name = f"{side // 1024}k"
            slide = Path(folder) / f"{name}.ome.zarr"
            write_slide(slide, side)
            peaks[name], said = watch(slide, Path(folder) / f"{name}-out.ome.zarr")
            figures |= {
                f"rss_{name}_mb": peaks[name],
                f"tiles_{name}": said["tiles"],
                f"seconds_{name}": said["seconds"],
            }
            figures["plan_seconds"] = said["plan_seconds"]
    figures["rss_64k_over_4k"] = peaks["64k"] / peaks["4k"]
    figures["rss_64k_minus_4k_mb"] = peaks["64k"] - peaks["4k"]
    return figures
