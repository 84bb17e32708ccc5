"""The engine beside MONAI's sliding windows: same network, same steps, same tissue, one run.

``speedup_monai``: 1760 × 1760 px of the held-out slide, by MONAI's `SlidingWindowInferer` (128 px, overlap 0.25,
gaussian, batch 4) around its DDIM, in fp32 as it comes, against the engine with its own tiles, precision and sampler,
from file to result on disk. ``speedup_same_windows``: MONAI is given the engine's windows, bf16 and channels_last too;
``speedup_per_window`` is the same by window, since the engine leaves out those without tissue.
``speedup_monais_windows``: the engine is given MONAI's windows and batch, and MONAI bf16 and channels_last: small
windows are where the engine's own work (noise at every step, blending, results that survive a kill) weighs most.
``speedup_same_memory`` gives MONAI the engine's rule for freed memory besides (`diffuscope.devices.reused_memory`).
Each of MONAI's runs has a process of its own, after one batch to warm up. ``speedup_ancestral``: all T steps over the
default ones on one tile; that the default costs no quality is measured by ``python -m benchmarks steps``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.schedulers import DDIMScheduler
from torch import Tensor

from benchmarks.shared.borders import border_ratio, texture_ratio
from benchmarks.shared.figures import Goal
from benchmarks.shared.slide import sample, teacher_sample
from diffuscope import DEMO_MODEL, DEMO_SLIDE, load_model, open_result, run
from diffuscope.devices import reused_memory, threads
from diffuscope.engine.compute import LocalCompute, autocast
from diffuscope.engine.tiles import run_tiles
from diffuscope.jobs.compute import LANES
from diffuscope.results.canvas import Canvas
from diffuscope.sample_data import sample_path
from diffuscope.tiling.plan import Tile, make_plan
from diffuscope.tiling.region import Region

# 18 × 18 windows of MONAI's (18·96 + 32 px); within the engine's grid 7 × 7 tiles (7·256 - 32 px of its 7·256 - 16).
REGION = Region(288, 1056, 1760, 1760)
# Seams are looked for where every tile is tissue: a tile that is left out shows its border by design.
TISSUE = Region(544, 1824, 992, 992)
WINDOW, OVERLAP, BATCH = 128, 32, 4
SEGMENTATION_STEPS = 5
CPU = torch.device("cpu")
GOALS = {
    "speedup_monai": Goal(low=3.0),
    "speedup_same_windows": Goal(low=1.0),
    "seam_ratio": Goal(high=1.02),
    "texture_ratio": Goal(low=0.95, high=1.05),
}


def monai_seconds(window: int, overlap: int, batch: int, precision: str, keep: bool) -> float:
    """Return the seconds that MONAI takes: both branches of the network, as many steps as the default's.

    Parameters
    ----------
    window, overlap, batch : int
        Side and overlap of a window, px; windows at once.
    precision : {"fp32", "bf16"}
        bf16: with channels_last.
    keep : bool
        Whether freed memory is kept.
    """
    system, he = load_model(DEMO_MODEL).system, region_of_slide()
    steps = next(iter(system.presets.values())).steps
    network, T = system.network, system.config.T  # noqa: N806

    def denoise(branch: Callable[..., Tensor], features: list[Tensor], steps: int) -> Tensor:
        scheduler = DDIMScheduler(num_train_timesteps=T, schedule="linear_beta", clip_sample=True)
        scheduler.set_timesteps(steps)
        attention = branch.attend(features)
        x = torch.randn(len(features[0]), branch.channels, window, window)
        for t in scheduler.timesteps:
            time_ = torch.full((1,), (int(t) + 1) / T)
            alpha_bar = system.alpha_bar[int(t)][None]
            x, _ = scheduler.step(branch(x, time_, alpha_bar, attention).float(), int(t), x)
        return x

    def predict(windows: Tensor) -> Tensor:
        if precision == "bf16":
            windows = windows.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), autocast(CPU, precision):
            features = network.encoder(windows)
            ihc = denoise(network.generation, features, steps)
            mask = denoise(network.segmentation, features, SEGMENTATION_STEPS)
        return torch.cat([ihc, mask], dim=1)

    image = torch.from_numpy(he.astype(np.float32) / 127.5 - 1.0).permute(2, 0, 1)[None]
    inferer = SlidingWindowInferer(window, sw_batch_size=batch, overlap=overlap / window, mode="gaussian")
    with reused_memory() if keep else nullcontext():
        predict(image[..., :window, :window].expand(batch, -1, -1, -1))
        start = time.perf_counter()
        inferer(image, predict)
        return time.perf_counter() - start


def alone(function: Callable[..., float], *arguments: object) -> float:
    """Call a function in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def region_of_slide() -> np.ndarray:
    """Return the H&E of the region, uint8 (h, w, 3)."""
    return teacher_sample("CD3").he[REGION.y : REGION.y + REGION.height, REGION.x : REGION.x + REGION.width]


def engine_seconds(he: np.ndarray) -> tuple[float, int]:
    """Return seconds and number of windows of the engine with MONAI's size, overlap and batch."""
    system = load_model(DEMO_MODEL).system
    system.tile, system.overlap = WINDOW, OVERLAP
    side = he.shape[0] - OVERLAP
    plan = make_plan(
        shape=he.shape[:2], factors=(1.0, 1.0), tile=WINDOW, overlap=OVERLAP, region=Region(0, 0, side, side)
    )

    def read(tile: Tile) -> dict[str, np.ndarray]:
        return {"he": he[tile.y : tile.y + WINDOW, tile.x : tile.x + WINDOW]}

    settings = next(iter(system.presets.values()))
    compute = LocalCompute(
        system=system, read=read, plan=plan, settings=settings, seed=0, batch=BATCH, device=CPU, precision="bf16",
        lanes=LANES,
    )  # fmt: skip
    with reused_memory(), threads(max(torch.get_num_threads() // LANES, 1)), tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        canvas = Canvas(
            Path(folder) / "out.ome.zarr", plan=replace(plan, spacing=(0.5, 0.5)), ports=system.outputs, record={}
        )
        for _ in run_tiles(compute, canvas):
            pass
        return time.perf_counter() - start, plan.count


def measure() -> dict[str, float]:
    """Measure the engine, MONAI as it comes, MONAI with more and more of the engine's means, and the T-step sampler."""
    model, he = load_model(DEMO_MODEL), region_of_slide()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.ome.zarr"
        start = time.perf_counter()
        for _ in run(DEMO_MODEL, sample_path(DEMO_SLIDE), out, region=REGION, device="cpu"):
            pass
        ours = time.perf_counter() - start
        result = open_result(out)
        image, tiles = np.asarray(result.images["ihc"][0]).astype(np.float64), result.tiles
    top, left = TISSUE.y - REGION.y, TISSUE.x - REGION.x
    part = np.s_[top : top + TISSUE.height, left : left + TISSUE.width]
    tile_, overlap = model.system.tile, model.system.overlap
    monai, monai_ours, monai_bf16, monai_kept = (
        alone(monai_seconds, *arguments)
        for arguments in (
            (WINDOW, OVERLAP, BATCH, "fp32", False),
            (tile_, overlap, 1, "bf16", False),
            (WINDOW, OVERLAP, BATCH, "bf16", False),
            (WINDOW, OVERLAP, BATCH, "bf16", True),
        )
    )
    same, windows = engine_seconds(he)
    presets, place = model.system.presets, [(REGION.y, REGION.x)]
    tile = he[None, :WINDOW, :WINDOW]
    seconds = {}
    for name, settings in presets.items():
        start = time.perf_counter()
        sample(model, tile, place, settings)
        seconds[name] = time.perf_counter() - start
    slide = he.astype(np.float64)
    all_tiles = (1 + -(-(REGION.width - tile_) // (tile_ - overlap))) ** 2
    return {
        "speedup_monai": monai / ours,
        "speedup_same_windows": monai_ours / ours,
        "speedup_per_window": (monai_ours / all_tiles) / (ours / tiles),
        "speedup_monais_windows": monai_bf16 / same,
        "speedup_same_memory": monai_kept / same,
        "speedup_ancestral": seconds["reference"] / seconds["fast"],
        "engine_seconds": ours,
        "tiles": tiles,
        "monai_seconds": monai,
        "monai_same_windows_seconds": monai_ours,
        "windows_of_the_same": all_tiles,
        "monai_bf16_seconds": monai_bf16,
        "engine_monais_windows_seconds": same,
        "windows_of_monai": windows,
        "seam_ratio": border_ratio(image[part], tile_, overlap, TISSUE),
        "texture_ratio": texture_ratio(image[part], tile_, overlap, TISSUE),
        "seam_ratio_of_the_slide": border_ratio(slide[part], tile_, overlap, TISSUE),
        "texture_ratio_of_the_slide": texture_ratio(slide[part], tile_, overlap, TISSUE),
    }
