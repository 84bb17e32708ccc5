"""Systems that make any of their modalities from any others: a whole one with texts, and one that runs on volumes."""

from __future__ import annotations

import torch
from pydantic import BaseModel

from diffuscope.ports.declaration import Declaration
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Text
from diffuscope.systems.base import Estimate, Tiled, Whole, Written
from diffuscope.systems.registry import Row

CANVAS, MPP = (24, 32), 4000.0
PRESETS = {"fast": SampleSettings(sampler="direct", steps=2)}


class Config(BaseModel):
    """Nothing to configure."""


def image(key: str, name: str, **more) -> Raster:
    own = {"kind": "map", "channels": (name,), "mpp": MPP, "range": (0.0, 1.0), "dtype": "float32", "required": False}
    return Raster(key=key, name=name, **own | more)


CT = {"range": (-1000.0, 1000.0), "unit": "HU"}
ANY = Declaration(
    task="any to any",
    inputs=(
        Text(name="report", key="report", required=False),
        image("ct", "CT", **CT),
        image("xray", "X-ray", scale="percentile"),
    ),
    any_of=(("report", "ct", "xray"),),
    outputs=(
        Text(name="generated report", key="report"),
        image("ct", "generated CT", **CT),
        image("ct_sd", "uncertainty of CT", of="ct"),
        image("xray", "generated X-ray"),
        image("xray_sd", "uncertainty of X-ray", of="xray"),
    ),
    presets=PRESETS,
    canvas=CANVAS,
)


class Any(Whole):
    """An image is as bright as those that came in, or as the text is long; a text says how bright that is."""

    def prepare(self, inputs, spacing):
        return {**inputs, "spacing": str(spacing)}

    def sample(self, inputs, noise, settings):
        given = [inputs[key] for key in ("ct", "xray") if key in inputs]
        shape = given[0].shape if given else (1, *CANVAS)
        level = given[0].mean() if given else torch.tensor(float(len(inputs["report"])))
        drawn = noise("ct", sample=0, step=0, shape=shape)
        made = {key: level.expand(shape) + 0.01 * drawn for key in ("ct", "xray") if key in settings.wanted}
        for step in range(settings.steps):
            yield Estimate(step + 1, settings.steps, made)
        tokens = tuple((word, 1 / (2 + at)) for at, word in enumerate(("brightness", f"{float(level):.0f}")))
        report = Written(" ".join(word for word, _ in tokens), tokens)
        return made | ({"report": report} if "report" in settings.wanted else {})


KEYS = {"t1": "T1", "t2": "T2", "flair": "FLAIR"}
SLICES = Declaration(
    task="any to any",
    inputs=tuple(image(key, name, spacing=(None, 1.0, 1.0), scale="percentile") for key, name in KEYS.items()),
    any_of=(tuple(KEYS),),
    outputs=tuple(image(key, f"generated {name}", spacing=(None, 1.0, 1.0)) for key, name in KEYS.items()),
    presets=PRESETS,
    tile=32,
    overlap=8,
)


class Slices(Tiled):
    """Each contrast that is wanted is the sum of those that are given, and a tenth more for each of its own number."""

    def sample(self, inputs, noise, settings):
        total = sum(inputs.values())
        made = {key: total + (at + 1) / 10 for at, key in enumerate(KEYS) if key in settings.wanted}
        for step in range(settings.steps):
            yield Estimate(step + 1, settings.steps, made)
        return made


ROWS = {
    "any": Row(Config, lambda _: ANY, lambda _: Any(ANY)),
    "any-slices": Row(Config, lambda _: SLICES, lambda _: Slices(SLICES)),
}
