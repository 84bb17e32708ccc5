"""The whole path on a GPU: how fast it is, where it waits, and whether its bits are right."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.speed._large_slide import MPP
from benchmarks.speed._watch import Kernels, say, stacks
from diffuscope import DEMO_MODEL, DEMO_SLIDE, load_model, open_result, run
from diffuscope.engine.events import Finished, Preview, Started, TileDone
from diffuscope.sample_data import sample_path
from diffuscope.systems.staindiffuser.base import BranchSystem

# Of the large slide, px.
SIDE = 8192
# First tiles that do not count for the rate: the first batches wait for the device to be made ready.
STARTING = 0.15
Figures = dict[str, float]


def whole_path(slide: Path, folder: Path, name: str, **options: object) -> Figures:
    """Return how fast a run is, from its call, and once it is under way."""
    torch.cuda.reset_peak_memory_stats()
    begin, stamps, first, tiles = time.perf_counter(), [], float("nan"), 0
    started, finished, before = 0.0, 0.0, ""
    for event in run(DEMO_MODEL, slide, folder / f"{name}.ome.zarr", mpp=MPP, **options):  # type: ignore[arg-type]
        now = time.perf_counter()
        if isinstance(event, Started):
            started, tiles = now, event.tiles
        elif isinstance(event, TileDone):
            stamps.append(now)
            first = now - begin if len(stamps) == 1 else first
        elif isinstance(event, Finished):
            finished = now
        elif not isinstance(event, Preview):
            before = str(event)
    if before:
        say(f"  {before}")
    skipped = max(int(STARTING * tiles), 1)
    rate = (tiles - skipped) / (stamps[-1] - stamps[skipped - 1])
    record = open_result(folder / f"{name}.ome.zarr").record["compute"]
    say(f"  {record}, {tiles} tiles")
    side = load_model(DEMO_MODEL).system
    return {
        f"{name}_tiles_per_second": rate,
        f"{name}_megapixels_per_second": rate * (side.tile - side.overlap) ** 2 / 1e6,
        f"{name}_whole_tiles_per_second": tiles / (finished - begin),
        f"{name}_checks_seconds": started - begin,
        f"{name}_first_tile_seconds": first,
        f"{name}_end_seconds": finished - stamps[-1],
        f"{name}_batch": record["batch"],
        f"{name}_peak_memory_gb": torch.cuda.max_memory_allocated() / 1e9,
    }


def profiled(slide: Path, folder: Path, keep: Path, **options: object) -> Figures:
    """Profile a run of sixteen rows of a quarter: kernels, busy share, and the stacks of all threads."""
    kernels, looked = Kernels(), list[str]()
    with stacks(looked):
        whole_path(slide, folder, "watched", region=f"0,0,{SIDE},4096", **options)
    with kernels.watch(keep / "trace.json.gz"):
        whole_path(slide, folder, "profiled", region="0,0,4096,2048", **options)
    for line in [*kernels.lines, *looked]:
        say(f"  {line}")
    return {"gpu_busy_with_start_and_end": kernels.busy}


def busy_share(slide: Path, folder: Path, keep: Path, **options: object) -> Figures:
    """Return the part of the time in which the device computes, in the middle of a run."""
    kernels, done, tiles = Kernels(), 0, 0
    events = run(DEMO_MODEL, slide, folder / "busy.ome.zarr", mpp=MPP, region=f"0,0,{SIDE},4096", **options)  # type: ignore[arg-type]
    for event in events:
        if isinstance(event, Started):
            tiles = event.tiles
        done += isinstance(event, TileDone)
        if tiles and done >= 0.3 * tiles:
            break
    with kernels.watch(keep / "trace-middle.json.gz"):
        for event in events:
            done += isinstance(event, TileDone)
            if done >= 0.7 * tiles:
                break
    events.close()
    return {"gpu_busy": kernels.busy}


def waits(slide: Path, folder: Path) -> Figures:
    """Return how often a run of four batches makes the host wait for the device where it need not, and tell where."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            whole_path(slide, folder, "waits", region="0,0,4096,2048", compile="off")
        finally:
            torch.cuda.set_sync_debug_mode("default")
    places = Counter(
        f"{Path(one.filename).parent.name}/{Path(one.filename).name}:{one.lineno}"
        for one in caught
        if "synchronizing CUDA operation" in str(one.message)
    )
    for place, number in places.most_common(15):
        say(f"  {number} × {place}")
    return {"synchronising_calls_in_four_batches": float(sum(places.values()))}


def digest(path: Path) -> str:
    """Return one hash of all pixels of a complete result."""
    result, found = open_result(path), hashlib.sha256()
    for key in sorted(result.images):
        for level in result.images[key]:
            found.update(np.asarray(level).tobytes())
    return found.hexdigest() if result.complete else "incomplete"


def equal_runs(slide: Path, folder: Path, **options: object) -> Figures:
    """Return 1 where two runs give the same bits, and where one that is not recorded gives them."""
    for name in ("one", "two"):
        whole_path(slide, folder, name, region="0,0,3072,3072", **options)
    with patch.object(BranchSystem, "recordable", new=False):
        whole_path(slide, folder, "unrecorded", region="0,0,3072,3072", **options)
    one, two, unrecorded = (digest(folder / f"{name}.ome.zarr") for name in ("one", "two", "unrecorded"))
    return {"equal_in_two_runs": float(one == two), "equal_unrecorded": float(one == unrecorded)}


def against_cpu(folder: Path) -> Figures:
    """Return how far the virtual stain of a small region is from the CPU's, both in float32."""
    images = []
    for device in ("cpu", "cuda"):
        out = folder / f"{device}.ome.zarr"
        for _ in run(
            DEMO_MODEL, sample_path(DEMO_SLIDE), out, region="1024,1024,496,496", device=device, precision="fp32"
        ):
            pass
        images.append({key: np.asarray(levels[0]) for key, levels in open_result(out).images.items()})
    grey = np.abs(images[0]["ihc"].astype(int) - images[1]["ihc"])
    return {
        "within_one_grey_level_of_the_cpu": float((grey <= 1).mean()),
        "grey_levels_from_the_cpu_at_most": float(grey.max()),
        "mean_dab_on_the_cpu": float(images[0]["dab"].mean()),
        "mean_dab_on_the_gpu": float(images[1]["dab"].mean()),
    }


def first_pixels(folder: Path) -> Figures:
    """Return the seconds from the call of a run to its first tile on disk, where the libraries are loaded already."""
    begin, preview = time.perf_counter(), float("nan")
    for event in run(DEMO_MODEL, sample_path(DEMO_SLIDE), folder / "first.ome.zarr"):
        if isinstance(event, Preview) and np.isnan(preview):
            preview = time.perf_counter() - begin
        if isinstance(event, TileDone):
            break
    return {"first_preview_seconds": preview, "first_pixels_seconds": time.perf_counter() - begin}
