"""Three systems in a few lines each, known to the package by their declaration alone."""

from __future__ import annotations

from pydantic import BaseModel

from diffuscope.ports.declaration import Declaration
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.score import Score
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.table import Column, Table
from diffuscope.ports.text import Text
from diffuscope.systems.base import Estimate, Tiled, Whole
from diffuscope.systems.registry import Row


class Config(BaseModel):
    """Nothing to configure."""


# --- an image in, an image and a score out, one optional table
# fmt: off
RGB = {"kind": "rgb", "channels": ("R", "G", "B"), "mpp": 0.5, "range": (0.0, 255.0)}
COLUMNS = (Column(name="age", title="Age", unit="years", range=(0, 120)), Column(name="sex", categories=("f", "m")))
NEGATIVE = Declaration(
    task="photography",
    inputs=(Raster(name="H&E", key="he", **RGB), Table(name="patient", key="patient", columns=COLUMNS, required=False)),
    outputs=(
        Raster(name="negative", key="negative", **RGB),
        Score(name="light", key="light", classes=("dark", "bright"), threshold=0.5),
    ),
    presets={"fast": SampleSettings(sampler="direct", steps=1)},
    tile=64, overlap=16,
)
class Negative(Tiled):
    def sample(self, inputs, noise, settings):
        yield Estimate(1, 1, {"negative": 255.0 - inputs["he"]})
        old = inputs["patient"][:, 0].nan_to_num() / 120.0 if "patient" in inputs else 0.0
        light = (inputs["he"].mean(dim=(1, 2, 3)) / 255.0 + old).clamp(max=1.0)
        return {"negative": 255.0 - inputs["he"], "light": light}
# fmt: on


# --- a text in, a score out ---
MOOD = Declaration(
    task="reading",
    inputs=(Text(name="report", key="report"),),
    outputs=(Score(name="mood", key="mood", classes=("sad", "glad"), threshold=0.5),),
    presets={"fast": SampleSettings(sampler="direct", steps=2, samples=3)},
)


class Mood(Whole):
    def sample(self, inputs, noise, settings):
        for step in range(settings.steps):
            yield Estimate(step + 1, settings.steps, {})
        drawn = noise("mood", sample=0, step=0, shape=(settings.samples,))
        return {"mood": (0.5 + 0.1 * drawn + 0.4 * ("good" in inputs["report"])).clamp(0.0, 1.0)}


# --- a picture and outlines on it in, a score out ---
SHARE = Declaration(
    task="measuring",
    inputs=(
        Raster(name="H&E", key="he", **RGB),
        Mask(name="outlines", key="outlines", on="he", roles=("tumour", "vessel")),
    ),
    outputs=(Score(name="share", key="share", classes=("rest", "tumour")),),
    presets={"fast": SampleSettings(sampler="direct", steps=1)},
)


class Share(Whole):
    def sample(self, inputs, noise, settings):
        yield Estimate(1, 1, {})
        return {"share": (inputs["outlines"] == 1).float().mean().reshape(1)}


ROWS = {
    "share": Row(Config, lambda _: SHARE, lambda _: Share(SHARE)),
    "negative": Row(Config, lambda _: NEGATIVE, lambda _: Negative(NEGATIVE)),
    "mood": Row(Config, lambda _: MOOD, lambda _: Mood(MOOD)),
}
