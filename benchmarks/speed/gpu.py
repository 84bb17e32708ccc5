"""How fast a GPU is through the whole path, what the path costs beside the bare loop, and whether it is right there.

The bare loop is that of `benchmarks.efficiency`: it samples with inputs that lie ready. The path is
`diffuscope.run.run` over a slide of 8192 px that is all tissue, so that its start tells little; the start is told
apart. Each part has a time of its own, and one that fails is told and does not keep the others from being measured:
less than four minutes on a machine without napari. Without a GPU it says so and ends. ``--out FOLDER`` keeps the
profile.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from benchmarks import efficiency
from benchmarks._report import Goal, report
from benchmarks.speed._large_slide import MPP, write_large_slide
from benchmarks.speed._watch import Kernels, budget, clock, stacks
from diffuscope.networks.compiled import compile_parts
from diffuscope.run import DEMO_MODEL, DEMO_SLIDE, load_model, open_result, open_scan, run
from diffuscope.sample_data import sample_path
from diffuscope.scans import read_region
from diffuscope.stains import dab_density, fill_rims
from diffuscope.systems.staindiffuser.density import fill_rims_in_parallel, filled
from diffuscope.tiling.events import Finished, Preview, Started, TileDone

SIDE = 8192
# For everything, s; what has no time left is left out, and told.
SECONDS = 225
BATCHES = (32, 16, 64)
# First tiles that do not count for the rate: the first batches wait for the device to be made ready.
STARTING = 0.15
GOALS = {
    "ratio": Goal(low=0.90),
    "megapixels_per_second": Goal(low=15),
    "first_pixels_seconds": Goal(high=2),
    "gpu_busy": Goal(low=0.90),
    "equal_in_two_runs": Goal(low=1),
    "within_one_grey_level_of_the_cpu": Goal(low=0.999),
    "trainer_ratio": Goal(low=0.90),
}
Figures = dict[str, float]


def bare_loop(*, compiled: bool) -> Figures:
    """Return tiles a second of the bare loop, by batch."""
    figures: Figures = {}
    system = load_model(DEMO_MODEL, "cuda").system
    kind = "compiled" if compiled else "plain"
    if compiled:
        compile_parts(system.compiled_parts(), tell=say)
    for batch in BATCHES:
        start = clock()
        efficiency.bare(system, batch, batch)
        figures[f"bare_{kind}_first_seconds_at_{batch}"] = clock() - start
        tiles = 8 * batch
        figures[f"bare_{kind}_at_{batch}"] = tiles / efficiency.bare(system, tiles, batch)
        say(f"  batch {batch}: {figures[f'bare_{kind}_at_{batch}']:.1f} tiles/s")
    return figures


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
    """Return 1 where two runs give the same bits."""
    for name in ("one", "two"):
        whole_path(slide, folder, name, region="0,0,2048,2048", **options)
    return {"equal_in_two_runs": float(digest(folder / "one.ome.zarr") == digest(folder / "two.ome.zarr"))}


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


def rims() -> Figures:
    """Return the time that filling the rims of a batch takes on the device, and whether it gives the CPU's bits."""
    scan = open_scan(sample_path(DEMO_SLIDE))
    tiles = [read_region(scan, y=1536 + 40 * i, x=512, height=272, width=272, factor=1.0) for i in range(32)]
    density = np.stack([dab_density(tile) for tile in tiles])
    there = torch.from_numpy(density)[:, None].cuda()
    figures: Figures = {}
    for name, fill in (("kernel", filled), ("steps", fill_rims_in_parallel)):
        fill(there)
        start = clock()
        found = fill(there)
        figures[f"rims_{name}_ms"] = 1e3 * (clock() - start)
        right = [np.array_equal(fill_rims(a), b) for a, b in zip(density, found[:, 0].cpu().numpy(), strict=True)]
        figures[f"rims_{name}_right"] = float(np.mean(right))
    return figures


def first_pixels(folder: Path) -> Figures:
    """Return the seconds from the call of a run to its first tile on disk, where the libraries are loaded already."""
    begin, preview = time.perf_counter(), float("nan")
    for event in run(DEMO_MODEL, sample_path(DEMO_SLIDE), folder / "first.ome.zarr"):
        if isinstance(event, Preview) and np.isnan(preview):
            preview = time.perf_counter() - begin
        if isinstance(event, TileDone):
            break
    return {"first_preview_seconds": preview, "first_pixels_seconds": time.perf_counter() - begin}


def training() -> Figures:
    """Return the figures of `benchmarks.speed.trainer`."""
    if importlib.util.find_spec("benchmarks.speed.trainer") is None:
        say("  there is no benchmark of the trainer")
        return {}
    from benchmarks.speed import trainer  # type: ignore[attr-defined,unused-ignore]

    return {f"trainer_{key}": value for key, value in trainer.measure().items()}


def say(text: str) -> None:
    """Print at once: what comes later may fail."""
    print(text, flush=True)


def measure(keep: Path) -> Figures:
    """Measure part by part."""
    figures: Figures = {}
    begin = time.perf_counter()

    def part(name: str, seconds: float, what: Callable[[], Mapping[str, float]]) -> None:
        say(f"{name} …")
        start = time.perf_counter()
        left = begin + SECONDS - start
        if left < 5:
            say("  left out: no time is left")
            return
        try:
            with budget(min(seconds, left)):
                found = what()
        except Exception:  # noqa: BLE001  the other parts are still worth measuring
            say(traceback.format_exc(limit=-8))
            figures[f"failed: {name}"] = 1.0
        else:
            figures.update(found)
            for key, value in found.items():
                say(f"  {key} = {value:.4g}")
        say(f"  ({time.perf_counter() - start:.1f} s)")

    with tempfile.TemporaryDirectory() as name:
        folder, slide = Path(name), Path(name) / "large.tif"
        part("large slide", 30, lambda: write_large_slide(slide, SIDE) or {})
        part("bare loop", 30, lambda: bare_loop(compiled=False))
        part("whole path, plain", 40, lambda: whole_path(slide, folder, "plain", compile="off"))
        part("waits", 20, lambda: waits(slide, folder))
        part("bare loop, compiled", 70, lambda: bare_loop(compiled=True))
        part("whole path, compiled", 60, lambda: whole_path(slide, folder, "compiled", compile="on"))
        part("busy share", 30, lambda: busy_share(slide, folder, keep, compile="on"))
        part("profile", 40, lambda: profiled(slide, folder, keep, compile="on"))
        part("rims", 20, rims)
        part("two runs", 30, lambda: equal_runs(slide, folder, compile="on"))
        part("first pixels", 20, lambda: first_pixels(folder))
        part("against the CPU", 40, lambda: against_cpu(folder))
    part("trainer", 60, training)
    batch = figures.get("compiled_batch")
    figures["ratio"] = figures.get("compiled_tiles_per_second", np.nan) / figures.get(
        f"bare_compiled_at_{batch}", np.nan
    )
    figures["ratio_plain"] = figures.get("plain_tiles_per_second", np.nan) / figures.get(
        f"bare_plain_at_{figures.get('plain_batch')}", np.nan
    )
    figures["megapixels_per_second"] = figures.get("compiled_megapixels_per_second", np.nan)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, metavar="FILE", help='write {"figures": {key: number}}')
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the profile is kept")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        say("There is no GPU.")
    else:
        card = torch.cuda.get_device_properties(0)
        say(f"{card.name}, {card.total_memory / 1e9:.0f} GB, PyTorch {torch.__version__}")
        with tempfile.TemporaryDirectory() as scratch:
            keep = arguments.out or Path(scratch)
            keep.mkdir(parents=True, exist_ok=True)
            report(measure(keep), GOALS, arguments.json)
