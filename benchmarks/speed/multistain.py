"""What N = 2 stains cost in one Multi-StainDiffuser over what they cost in two models, one a stain.

The two models are single-task StainDiffusers (λ = 0): the same encoder and the same branch, so that the ratio tells
what sharing the encoder, the reading and the run saves, and nothing else. `ratio_to_multitask` is the cost over that of
two StainDiffusers with their segmentation branch (λ = 1), which is how single stains ship. All have random weights,
which take as long as trained ones. Models take turns, so that whatever else the machine does hits all of them.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.shared.figures import Goal
from diffuscope import DEMO_SLIDE, run
from diffuscope.engine.events import Finished
from diffuscope.model.folder import save_model
from diffuscope.sample_data import sample_path
from diffuscope.systems.base import System
from diffuscope.systems.registry import build_system
from diffuscope.tiling.region import Region

# All tissue, a few tiles.
REGION = Region(800, 1920, 400, 400)
STAINS = ("CD3", "CK8/18")
ROUNDS = 5
CARD = {
    "title": "Random weights",
    "what_it_is": "Random weights, to measure time.",
    "what_it_is_not": "A stain.",
    "data": "none",
    "licence": "CC0-1.0",
    "trained_on": "nothing",
    "simulated": True,
}
GOALS = {"ratio": Goal(high=1.0), "ratio_of_operations": Goal(high=1.0)}


def models(folder: Path) -> dict[str, Path]:
    """Write the model of both stains, and a model a stain with λ = 0 and with λ = 1."""
    configs = {"multi": ("multi-staindiffuser", {"stains": list(STAINS)})}
    for number, stain in enumerate(STAINS):
        for weight in (0, 1):
            configs[f"single {number} {weight}"] = ("staindiffuser", {"stain": stain, "lambda_seg": weight})
    return {
        name: save_model(folder / name.replace(" ", "-"), build_system(system, config), system, config, CARD)
        for name, (system, config) in configs.items()
    }


def seconds(model: Path) -> float:
    """Return the seconds of a run from its start to its end, loading the model included."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        events = run(model, sample_path(DEMO_SLIDE), Path(folder) / "out.ome.zarr", region=REGION, batch=1)
        for event in events:
            if isinstance(event, Finished):
                return time.perf_counter() - start
    raise AssertionError("a run ends with Finished")


def parameters(system: System) -> int:
    """Return how many numbers a model learns."""
    return sum(p.numel() for p in system.parameters())


def operations(system: System) -> int:
    """Return the floating-point operations of convolutions and matrix products for one tile at the default quality."""
    side = system.tile
    steps = system.eval().sample(
        {"he": torch.zeros(1, 3, side, side)},
        lambda port, *, sample, step, channels: torch.zeros(1, channels, side, side),  # noqa: ARG005
        next(iter(system.presets.values())),
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        for _ in steps:
            pass
    return counter.get_total_flops()


def measure() -> dict[str, float]:
    """Run all models in turns."""
    with tempfile.TemporaryDirectory() as folder:
        made = models(Path(folder))
        seconds(made["multi"])
        rounds = [{name: seconds(path) for name, path in made.items()} for _ in range(ROUNDS)]
    single, multitask = (
        [sum(one[f"single {number} {weight}"] for number in range(len(STAINS))) for one in rounds] for weight in (0, 1)
    )
    multi = [one["multi"] for one in rounds]
    several = build_system("multi-staindiffuser", {"stains": list(STAINS)})
    alone = build_system("staindiffuser", {"stain": STAINS[0], "lambda_seg": 0})
    return {
        "ratio": median(a / b for a, b in zip(multi, single, strict=True)),
        "ratio_to_multitask": median(a / b for a, b in zip(multi, multitask, strict=True)),
        "ratio_of_parameters": parameters(several) / (len(STAINS) * parameters(alone)),
        "ratio_of_operations": operations(several) / (len(STAINS) * operations(alone)),
        "seconds_multi": median(multi),
        "seconds_two_models": median(single),
        "threads": torch.get_num_threads(),
    }
