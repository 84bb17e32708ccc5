"""Model folders of systems without a network: what they give at a place is a known function of their inputs there."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import ClassVar

import torch
from pydantic import BaseModel
from torch import Tensor

from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.registry import Row

VESSELS = Raster(
    name="Vessels", key="vessels", kind="map", channels=("CD31",), mpp=0.5, range=(0.0, 1.0), dtype="float32",
    fill=0.0, scale="percentile",
)  # fmt: skip
NUCLEI = Raster(
    name="Nuclei", key="nuclei", kind="map", channels=("DAPI",), mpp=0.5, range=(0.0, 1.0), dtype="float32",
    fill=0.0, scale="percentile",
)  # fmt: skip
LOAD = Raster(
    name="load", key="load", kind="map", channels=("load",), mpp=0.5, range=(0.0, 3.0), dtype="float32", fill=-1.0
)


class Standin(Tiled):
    """The first input plus twice the second, where there is one."""

    presets: ClassVar = {"fast": SampleSettings(sampler="ddim", steps=1)}
    tile, overlap = 32, 8

    def __init__(self) -> None:
        super().__init__()
        # Where a model is, its parameters tell.
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        images = [inputs[port.key] for port in self.inputs]
        middle = self.context
        value = sum((n + 1) * image[:, middle : middle + 1] for n, image in enumerate(images))
        yield Estimate(1, 1, {})
        return {self.outputs[0].key: value + self.nothing}

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        raise NotImplementedError


class Fluorescence(Standin):
    inputs, outputs = (VESSELS, NUCLEI), (LOAD,)


class Echo(Standin):
    """An H&E of one reference, given back as it came in."""

    inputs = (
        Raster(name="H&E", key="he", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0), scale="stain"),
    )
    outputs = (Raster(name="echo", key="echo", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0)),)

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        yield Estimate(1, 1, {})
        return {"echo": inputs["he"] + self.nothing}


def mr(key: str, spacing: tuple[float | None, float, float] | None, **options: object) -> Raster:
    about = {"name": key.upper(), "key": key, "kind": "map", "channels": (key,), "mpp": 1000.0, "range": (0.0, 1.0)}
    return Raster(**{**about, "dtype": "float32", "fill": -1.0, "spacing": spacing, **options})


class Brain(Standin):
    """T1 and T2 to FLAIR in the slices' own plane, which it sees with those above and below."""

    context = 1
    inputs = tuple(mr(key, (None, 1.0, 1.0), scale="percentile") for key in ("t1", "t2"))
    outputs = (mr("flair", None),)


class Hounsfield(Standin):
    """CT to itself, between -200 and 300 HU."""

    inputs = (mr("ct", (None, 1.0, 1.0), range=(-200.0, 300.0), unit="HU"),)
    outputs = (mr("copy", None, range=(-200.0, 300.0), fill=-1000.0, unit="HU"),)


SYSTEMS = {"fluorescence": Fluorescence, "brain": Brain, "hounsfield": Hounsfield, "echo": Echo}


class NoConfig(BaseModel):
    """A stand-in has nothing to configure."""


def row(system: type[Tiled]) -> Row:
    """Return what the registry needs to know of a stand-in."""
    return Row(config=NoConfig, declare=lambda _: system().declared, system=lambda _: system())
