"""How fast a GPU is through the whole path, what the path costs beside the bare loop, and whether it is right there.

The bare loop is that of `benchmarks.speed.efficiency`: it samples with inputs that lie ready. The path is
`diffuscope.run` over a slide of 8192 px that is all tissue, so that its start tells little; the start is told
apart. Each part has a time of its own, and one that fails is told and does not keep the others from being measured:
less than four minutes on a machine without napari. Without a GPU it says so and ends.
"""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from benchmarks.shared.figures import Goal
from benchmarks.speed import efficiency, trainer
from benchmarks.speed._large_slide import write_large_slide
from benchmarks.speed._path import (
    SIDE,
    Figures,
    against_cpu,
    busy_share,
    equal_runs,
    first_pixels,
    profiled,
    waits,
    whole_path,
)
from benchmarks.speed._watch import budget, clock, say
from diffuscope import DEMO_MODEL, DEMO_SLIDE, load_model, open_scan
from diffuscope.devices import pick_precision
from diffuscope.engine.batch import Loaded, Sampling
from diffuscope.engine.compute import autocast
from diffuscope.engine.recorded import RecordedSampling
from diffuscope.networks.compiled import compile_parts
from diffuscope.sample_data import sample_path
from diffuscope.scans import read_region
from diffuscope.stains import dab_density, fill_rims
from diffuscope.systems.base import Estimate
from diffuscope.systems.staindiffuser.density import fill_rims_in_parallel, filled
from diffuscope.tiling.plan import Tile

# For everything, s; what has no time left is left out, and told.
SECONDS = 225
BATCHES = (32, 16, 64)
GOALS = {
    "ratio": Goal(low=0.90),
    "megapixels_per_second": Goal(low=15),
    "first_pixels_seconds": Goal(high=2),
    "gpu_busy": Goal(low=0.90),
    "equal_in_two_runs": Goal(low=1),
    "within_one_grey_level_of_the_cpu": Goal(low=0.999),
    "trainer_ratio": Goal(low=0.90),
}


def bare_loop(*, compiled: bool) -> Figures:
    """Return tiles a second of the bare loop, by batch."""
    figures: Figures = {}
    system = load_model(DEMO_MODEL, "cuda").system
    kind = "compiled" if compiled else "plain"
    if compiled:
        compile_parts(system.compiled_parts(), report=say)
    for batch in BATCHES:
        start = clock()
        efficiency.bare(system, batch, batch)
        figures[f"bare_{kind}_first_seconds_at_{batch}"] = clock() - start
        tiles = 8 * batch
        figures[f"bare_{kind}_at_{batch}"] = tiles / efficiency.bare(system, tiles, batch)
        say(f"  batch {batch}: {figures[f'bare_{kind}_at_{batch}']:.1f} tiles/s")
    return figures


def bare_recorded() -> Figures:
    """Return tiles a second of the bare loop whose batches replay what one of them recorded, by batch."""
    figures: Figures = {}
    device, system = torch.device("cuda"), load_model(DEMO_MODEL, "cuda").system
    settings, shape = next(iter(system.presets.values())), (system.tile, system.tile)
    image = {"he": np.random.default_rng(0).integers(0, 255, (*shape, 3), np.uint8)}
    for batch in BATCHES:
        sampler = RecordedSampling(system, shape, settings, 0, batch, device, report=say)
        tiles = tuple(Tile((0, i), (0, 256 * i)) for i in range(batch))
        loaded = Loaded(tiles, (image,) * batch, ())
        stacked = loaded.stacked(batch, pinned=True)
        start = 0.0
        for number in range(10):
            if number == 2:
                start = clock()
            steps = sampler.sample(loaded, stacked)
            # Each is let go at its end, with what it holds.
            for _ in evaluated(steps, device):
                pass
        figures[f"bare_recorded_at_{batch}"] = 8 * batch / (clock() - start)
        say(f"  batch {batch}: {figures[f'bare_recorded_at_{batch}']:.1f} tiles/s")
    return figures


def evaluated(steps: Sampling, device: torch.device) -> Iterator[Estimate]:
    """Yield the estimates of a batch, evaluated as the engine does."""
    while True:
        try:
            with torch.inference_mode(), autocast(device, pick_precision(device)):
                estimate = next(steps)
        except StopIteration:
            return
        yield estimate


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


def training() -> Figures:
    """Return the figures of `benchmarks.speed.trainer`."""
    return {f"trainer_{key}": value for key, value in trainer.measure().items()}


def measure(*, out: Path | None = None) -> Figures:
    """Measure part by part.

    Parameters
    ----------
    out : Path
        Folder in which the profile is kept.
    """
    if not torch.cuda.is_available():
        say("There is no GPU.")
        return {}
    card = torch.cuda.get_device_properties(0)
    say(f"{card.name}, {card.total_memory / 1e9:.0f} GB, PyTorch {torch.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        keep = out or Path(scratch)
        keep.mkdir(parents=True, exist_ok=True)
        return measure_parts(keep)


def measure_parts(keep: Path) -> Figures:
    """Measure one part after the other, and leave the profile in a folder."""
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
        part("bare loop, recorded", 30, bare_recorded)
        part("whole path", 40, lambda: whole_path(slide, folder, "path"))
        part("bare loop, compiled", 70, lambda: bare_loop(compiled=True))
        part("whole path, compiled", 40, lambda: whole_path(slide, folder, "compiled", compile="on"))
        part("waits", 20, lambda: waits(slide, folder))
        part("busy share", 30, lambda: busy_share(slide, folder, keep))
        part("profile", 40, lambda: profiled(slide, folder, keep))
        part("rims", 20, rims)
        part("two runs", 30, lambda: equal_runs(slide, folder))
        part("first pixels", 20, lambda: first_pixels(folder))
        part("against the CPU", 40, lambda: against_cpu(folder))
    part("trainer", 60, training)
    batch, rate = figures.get("path_batch"), figures.get("path_tiles_per_second", np.nan)
    figures["ratio"] = rate / figures.get(f"bare_compiled_at_{batch}", np.nan)
    figures["ratio_recorded"] = rate / figures.get(f"bare_recorded_at_{batch}", np.nan)
    figures["megapixels_per_second"] = figures.get("path_megapixels_per_second", np.nan)
    return figures
