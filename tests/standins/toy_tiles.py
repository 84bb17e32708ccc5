"""A stand-in system: what it returns at a pixel is a known function of the input and the noise there."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.engine.compute import LocalCompute
from diffuscope.engine.tiles import run_tiles
from diffuscope.ports.numbers import Value
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.results.canvas import Canvas
from diffuscope.systems.base import Estimate, Noise, System, Tiled
from diffuscope.tiling.plan import Plan, Tile

HE = Raster(name="H&E", key="he", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0))
IHC = Raster(name="virtual", key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0))
DAB = Raster(
    name="DAB",
    key="dab",
    kind="map",
    channels=("DAB",),
    mpp=0.5,
    range=(0.0, 2.0),
    dtype="float32",
    fill=0.0,
    unit="OD",
)


class Toy(Tiled):
    """A 5 × 5 box filter of the input plus its share of the tile's mean (so that tiles disagree), plus noise."""

    inputs = (HE,)
    outputs = (IHC, DAB)
    tile, overlap = 32, 8
    presets: ClassVar = {"fast": SampleSettings(sampler="ddim", steps=3)}

    def __init__(self, *, drift: float = 0.1, noise: float = 5.0) -> None:
        super().__init__()
        self.drift, self.noise = drift, noise
        self.shapes: set[tuple[int, ...]] = set()

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        image = inputs["he"]
        self.shapes.add(tuple(image.shape))
        local = torch.nn.functional.avg_pool2d(image, 5, stride=1, padding=2)
        ihc = local + self.drift * (image.mean(dim=(1, 2, 3), keepdim=True) - 128)
        for step in range(settings.steps):
            ihc = ihc + self.noise * noise("ihc", sample=0, step=step, channels=3)
            yield Estimate(step + 1, settings.steps, {"ihc": ihc})
        return {"ihc": ihc, "dab": ihc.mean(dim=1, keepdim=True) / 128}

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        raise NotImplementedError


@pytest.fixture(scope="session")
def ports() -> tuple[Raster, ...]:
    """Output ports of the stand-in: an rgb image and a float32 map."""
    return Toy.outputs


@pytest.fixture(scope="session")
def make_toy() -> Callable[..., Toy]:
    return Toy


def window_of(slide: NDArray[np.uint8], y: int, x: int, side: int) -> NDArray[np.uint8]:
    """Read a square window by plain indexing, white outside."""
    out = np.full((side, side, 3), 255, np.uint8)
    part = slide[y : y + side, x : x + side]
    out[: part.shape[0], : part.shape[1]] = part
    return out


@pytest.fixture(scope="session")
def run() -> Callable[..., list]:
    """Run a plan over a slide held in memory; returns the events."""

    def go(system: System, slide: NDArray[np.uint8], plan: Plan, path: Path, **options: object) -> list:
        record = {"compute": {"batch": options.get("batch", 1)}}
        resume = bool(options.pop("resume", False))
        canvas = Canvas(
            path,
            plan=replace(plan, spacing=(0.5, 0.5)),
            ports=system.outputs,
            record=record,
            values=system.values,
            resume=resume,
        )

        def read(tile: Tile) -> dict[str, NDArray[np.uint8]]:
            return {"he": window_of(slide, tile.y, tile.x, plan.tile)}

        defaults = {"seed": 3, "batch": 1, "device": torch.device("cpu"), "precision": "fp32", "read": read}
        engine = {key: options.pop(key) for key in ("notices", "focus") if key in options}
        compute = LocalCompute(
            **{"system": system, "plan": plan, "settings": system.presets["fast"], **defaults, **options}
        )
        return list(run_tiles(compute, canvas, **engine))

    return go


class Telling(Toy):
    """The stand-in, which tells the tile's mean and each step's number, but not at every step."""

    values = (
        Value(name="mean of the tile", key="mean", range=(0.0, 255.0)),
        Value(name="step", key="step", range=(0.0, 9.0)),
    )

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        mean = inputs["he"].mean(dim=(1, 2, 3))
        steps = super().sample(inputs, noise, settings)
        while True:
            try:
                estimate = next(steps)
            except StopIteration as end:
                return end.value
            told = {"mean": mean + estimate.step} if estimate.step != 2 else {}
            yield replace(estimate, values=told | {"step": torch.full_like(mean, estimate.step)})


@pytest.fixture(scope="session")
def telling() -> Telling:
    return Telling()
