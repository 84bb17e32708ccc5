"""The engine beside MONAI's sliding windows: same network, same steps, same tissue, one run.

``speedup_monai``: 992 px of the held-out slide by MONAI's `SlidingWindowInferer` (128 px, overlap 0.25, gaussian,
batch 4) around its DDIM, in fp32 as it comes, against the engine with its own tiles, precision and sampler, from file
to result on disk. ``speedup_same_windows``: as many windows of the same size, overlap and batch for both, and bf16 and
channels_last for both, so that what is left is the engine itself. ``speedup_ancestral``: all T steps over the default
ones on one tile; that the default costs no quality is measured by ``benchmarks.steps``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.schedulers import DDIMScheduler
from torch import Tensor

from benchmarks._report import Goal, main
from benchmarks._slide import lesson, sample
from benchmarks.seams import border_ratio, texture_ratio
from diffuscope.run import DEMO_MODEL, DEMO_SLIDE, load_model, open_result, run
from diffuscope.sample_data import sample_path
from diffuscope.systems.base import System
from diffuscope.tiling.canvas import Canvas
from diffuscope.tiling.compute import LocalCompute, autocast
from diffuscope.tiling.engine import run_tiles
from diffuscope.tiling.plan import Region, Tile, make_plan

# 4 × 4 tiles of the engine's grid, 10 × 10 windows of MONAI's.
REGION = Region(544, 1824, 992, 992)
WINDOW, OVERLAP, BATCH = 128, 32, 4
SEGMENTATION_STEPS = 5
CPU = torch.device("cpu")


def monai_seconds(system: System, he: np.ndarray, *, precision: str) -> float:
    """Return the seconds that MONAI takes: both branches of the network, as many steps as the default's."""
    steps = next(iter(system.presets.values())).steps
    network, T = system.network, system.config.T  # noqa: N806

    def denoise(branch: Callable[..., Tensor], features: list[Tensor], steps: int) -> Tensor:
        scheduler = DDIMScheduler(num_train_timesteps=T, schedule="linear_beta", clip_sample=True)
        scheduler.set_timesteps(steps)
        attention = branch.attend(features)
        x = torch.randn(len(features[0]), branch.channels, WINDOW, WINDOW)
        for t in scheduler.timesteps:
            time_ = torch.full((len(x),), (int(t) + 1) / T)
            alpha_bar = system.alpha_bar[int(t)].expand(len(x))
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
    inferer = SlidingWindowInferer(WINDOW, sw_batch_size=BATCH, overlap=OVERLAP / WINDOW, mode="gaussian")
    start = time.perf_counter()
    inferer(image, predict)
    return time.perf_counter() - start


def engine_seconds(he: np.ndarray) -> tuple[float, int]:
    """Return seconds and number of windows of the engine with MONAI's size, overlap and batch."""
    system = load_model(DEMO_MODEL).system
    system.tile, system.overlap = WINDOW, OVERLAP
    side = he.shape[0] - OVERLAP
    plan = make_plan(
        slide_shape=he.shape[:2], factor=1.0, tile=WINDOW, overlap=OVERLAP, region=Region(0, 0, side, side)
    )

    def read(tile: Tile) -> dict[str, np.ndarray]:
        return {"he": he[tile.y : tile.y + WINDOW, tile.x : tile.x + WINDOW]}

    settings = next(iter(system.presets.values()))
    compute = LocalCompute(
        system=system, read=read, plan=plan, settings=settings, seed=0, batch=BATCH, device=CPU, precision="bf16"
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        canvas = Canvas(Path(folder) / "out.ome.zarr", plan=plan, ports=system.outputs, mpp=0.5, record={})
        for _ in run_tiles(compute, canvas):
            pass
        return time.perf_counter() - start, plan.count


def measure() -> dict[str, float]:
    """Measure the engine, MONAI as it comes, MONAI with bf16, and the T-step sampler."""
    model = load_model(DEMO_MODEL)
    he = lesson("CD3").he[REGION.y : REGION.y + REGION.height, REGION.x : REGION.x + REGION.width]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.ome.zarr"
        start = time.perf_counter()
        for _ in run(DEMO_MODEL, sample_path(DEMO_SLIDE), out, region=REGION, device="cpu"):
            pass
        ours = time.perf_counter() - start
        image = np.asarray(open_result(out).images["ihc"][0]).astype(np.float64)
    monai = monai_seconds(model.system, he, precision="fp32")
    monai_bf16 = monai_seconds(model.system, he, precision="bf16")
    same, windows = engine_seconds(he)
    presets, place = model.system.presets, [(REGION.y, REGION.x)]
    tile = he[None, :WINDOW, :WINDOW]
    seconds = {}
    for name, settings in presets.items():
        start = time.perf_counter()
        sample(model, tile, place, settings)
        seconds[name] = time.perf_counter() - start
    tile_, overlap = model.system.tile, model.system.overlap
    return {
        "speedup_monai": monai / ours,
        "speedup_same_windows": monai_bf16 / same,
        "speedup_ancestral": seconds["reference"] / seconds["fast"],
        "engine_seconds": ours,
        "monai_seconds": monai,
        "monai_bf16_seconds": monai_bf16,
        "engine_same_windows_seconds": same,
        "windows": windows,
        "seam_ratio": border_ratio(image, tile_, overlap, REGION),
        "texture_ratio": texture_ratio(image, tile_, overlap, REGION),
    }


if __name__ == "__main__":
    main(
        measure,
        {
            "speedup_monai": Goal(low=3.0),
            "speedup_same_windows": Goal(low=1.0),
            "seam_ratio": Goal(high=1.02),
            "texture_ratio": Goal(low=0.95, high=1.05),
        },
    )
