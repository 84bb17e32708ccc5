"""DAMM-Diffusion with the branch of each tile forced, and whether tiles on different branches show."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.shared.borders import border_ratio
from diffuscope.devices import pick_device, pick_precision
from diffuscope.diffusion.noise import TileNoise
from diffuscope.engine.compute import LocalCompute
from diffuscope.engine.tiles import run_tiles
from diffuscope.ports.settings import SampleSettings
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.systems.damm.system import DAMM
from diffuscope.tiling.plan import Tile, make_plan
from diffuscope.tiling.region import Region

Decide = Callable[[tuple[int, ...]], bool]


@contextmanager
def forced(system: DAMM, decide: Decide | None) -> Iterator[None]:
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


def checkerboard(system: DAMM) -> Decide:
    """Multi-modal for every other tile, in rows and in columns."""
    stride = system.tile - system.overlap
    return lambda place: sum(at // stride for at in place) % 2 == 0


def run_images(
    system: DAMM,
    images: Mapping[str, NDArray[np.generic]],
    folder: Path,
    *,
    decide: Decide | None = None,
    seed: int = 0,
) -> Result:
    """Run a system over images (h, w, 1) at its own µm/px, as the engine does over a slide."""
    height, width = next(iter(images.values())).shape[:2]
    plan = make_plan(shape=(height, width), factors=(1.0, 1.0), tile=system.tile, overlap=system.overlap)
    device = pick_device("auto")

    def read(tile: Tile) -> dict[str, NDArray[np.generic]]:
        window = np.s_[tile.y : tile.y + system.tile, tile.x : tile.x + system.tile]
        found = {}
        for port in system.input_rasters:
            found[port.key] = np.full((system.tile, system.tile, 1), port.range[0], images[port.key].dtype)
            part = images[port.key][window]
            found[port.key][: part.shape[0], : part.shape[1]] = part
        return found

    canvas = Canvas(
        folder,
        plan=replace(plan, spacing=(system.config.mpp, system.config.mpp)),
        ports=system.outputs,
        record={},
        values=system.values,
    )
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


def seams(system: DAMM, images: Mapping[str, NDArray[np.generic]]) -> dict[str, float]:
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
