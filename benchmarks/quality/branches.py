"""What the decoder that is not evaluated saves, and whether tiles on different branches show: DAMM-Diffusion.

The saving is measured with random weights, which cost what trained ones do: seconds and floating-point operations of an
evaluation of one tile, uni-modal, multi-modal, and both decoders as without the early decision.

For trained weights `seams` compares runs in which every tile's branch is forced: all uni-modal, all multi-modal, and
in turns as on a checkerboard.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.quality.seams import border_ratio
from benchmarks.shared.report import Goal, main
from diffuscope.devices import pick_device, pick_precision
from diffuscope.diffusion.noise import TileNoise
from diffuscope.engine.compute import LocalCompute, autocast
from diffuscope.engine.tiles import run_tiles
from diffuscope.ports.settings import SampleSettings
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.systems.damm.config import DammConfig
from diffuscope.systems.damm.system import Damm
from diffuscope.tiling.plan import Region, Tile, make_plan

Decide = Callable[[tuple[int, ...]], bool]
_ROUNDS = 5


@contextmanager
def forced(system: Damm, decide: Decide | None) -> Iterator[None]:
    """Take the multi-modal branch for the tiles whose corner `decide` says so of; None: by d, as always."""
    if decide is None:
        yield
        return
    sample = system.sample

    def sample_forced(inputs: Mapping[str, Tensor], noise: TileNoise, settings: SampleSettings):  # noqa: ANN202
        chosen = torch.tensor([decide(place) for place in noise._places])
        system.choose = lambda d, _gamma: chosen.to(d.device)  # type: ignore[method-assign]
        return sample(inputs, noise, settings)

    system.sample = sample_forced  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        del system.sample, system.choose


def checkerboard(system: Damm) -> Decide:
    """Multi-modal for every other tile, in rows and in columns."""
    stride = system.tile - system.overlap
    return lambda place: sum(at // stride for at in place) % 2 == 0


def run_images(
    system: Damm,
    images: Mapping[str, NDArray[np.generic]],
    folder: Path,
    *,
    decide: Decide | None = None,
    seed: int = 0,
) -> Result:
    """Run a system over images (h, w, 1) at its own µm/px, as the engine does over a slide."""
    height, width = next(iter(images.values())).shape[:2]
    plan = make_plan(slide_shape=(height, width), factor=1.0, tile=system.tile, overlap=system.overlap)
    device = pick_device("auto")

    def read(tile: Tile) -> dict[str, NDArray[np.generic]]:
        window = np.s_[tile.y : tile.y + system.tile, tile.x : tile.x + system.tile]
        found = {}
        for port in system.inputs:
            found[port.key] = np.full((system.tile, system.tile, 1), port.range[0], images[port.key].dtype)
            part = images[port.key][window]
            found[port.key][: part.shape[0], : part.shape[1]] = part
        return found

    canvas = Canvas(folder, plan=plan, ports=system.outputs, mpp=system.config.mpp, record={}, values=system.values)
    compute = LocalCompute(
        system=system.to(device).eval(),
        read=read,
        plan=plan,
        settings=next(iter(system.presets.values())),
        seed=seed,
        batch=1,
        device=device,
        precision=pick_precision(device),
    )
    with forced(system, decide):
        for _ in run_tiles(compute, canvas):
            pass
    return open_result(folder)


def seams(system: Damm, images: Mapping[str, NDArray[np.generic]]) -> dict[str, float]:
    """Return how much larger steps are across tiles' borders than beside them, with forced branches and by d."""
    ways: dict[str, Decide | None] = {
        "unimodal": lambda _: False,
        "multimodal": lambda _: True,
        "checkerboard": checkerboard(system),
        "by_d": None,
    }
    ratios = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, decide in ways.items():
            result = run_images(system, images, Path(folder) / f"{name}.ome.zarr", decide=decide)
            image = np.asarray(result.images[system.outputs[0].key][0]).astype(np.float64)
            region = Region(0, 0, image.shape[1], image.shape[0])
            ratios[f"border_ratio_{name}"] = border_ratio(image, system.tile, system.overlap, region)
    return ratios


def seconds(system: Damm, branch: str, steps: int = 6) -> float:
    """Return the seconds of one evaluation of one tile; the median of several rounds."""
    device = pick_device("auto")
    side = system.tile
    inputs = {port.key: torch.rand(1, 1, side, side, device=device) * 255 for port in system.inputs}
    settings = SampleSettings(sampler="sde-dpmsolver++", steps=steps)
    taken = []
    for _ in range(_ROUNDS + 1):
        start = time.perf_counter()
        with forced(system, lambda _: branch != "unimodal"):
            events = system.sample(inputs, TileNoise(0, [(0, 0)], side, side, device), settings)
            with torch.inference_mode(), autocast(device, pick_precision(device)):
                for _ in events:
                    pass
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append((time.perf_counter() - start) / steps)
    return float(np.median(taken[1:]))


def operations(system: Damm, branch: str) -> int:
    """Return the floating-point operations of one evaluation of one tile."""
    side, device = system.tile, next(system.parameters()).device
    inputs = {port.key: torch.zeros(1, 1, side, side, device=device) for port in system.inputs}
    settings = SampleSettings(sampler="ddim", steps=1)
    with forced(system, lambda _: branch != "unimodal"), FlopCounterMode(display=False) as counter, torch.no_grad():
        for _ in system.sample(inputs, TileNoise(0, [(0, 0)], side, side, device), settings):
            pass
    return counter.get_total_flops()


@contextmanager
def both_decoders(system: Damm) -> Iterator[None]:
    """Evaluate the uni-modal decoder as well, and throw its answer away."""
    decode = system.network.decode_multimodal

    def twice(encoded):  # noqa: ANN001, ANN202
        system.network.decode_unimodal(encoded)
        return decode(encoded)

    system.network.decode_multimodal = twice  # type: ignore[method-assign]
    try:
        yield
    finally:
        del system.network.decode_multimodal


def measure(size: str) -> dict[str, float]:
    """Measure the saving for one size."""
    torch.manual_seed(0)
    system = Damm(DammConfig(size=size)).to(pick_device("auto")).eval()  # type: ignore[arg-type]
    system = system.to(memory_format=torch.channels_last)
    figures = {}
    for what, count in (("operations", operations), ("seconds", seconds)):
        alone = {branch: count(system, branch) for branch in ("unimodal", "multimodal")}
        with both_decoders(system):
            both = count(system, "both")
        figures |= {f"{what}_{branch}": float(value) for branch, value in (*alone.items(), ("both", both))}
        figures |= {f"{what}_saved_{branch}": 1 - value / both for branch, value in alone.items()}
    return figures


if __name__ == "__main__":
    main(
        measure,
        {"operations_saved_unimodal": Goal(low=0.15), "operations_saved_multimodal": Goal(low=0.15)},
        models=("small", "paper"),
    )
