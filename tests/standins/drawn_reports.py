"""A system that makes a report of images and images of a report by rules of a line, with all that MedM2G declares."""

from __future__ import annotations

import torch
from pydantic import BaseModel

from diffuscope.ports.declaration import Declaration
from diffuscope.ports.numbers import Option
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Text, Written
from diffuscope.systems.base import Estimate, Tiled, Whole
from diffuscope.systems.registry import Row

SIDE, MPP = 64, 4000.0
IMAGES = {"ct": "CT", "t1": "T1", "t2": "T2", "pd": "PD", "flair": "FLAIR", "xray": "X-ray"}
RANGES = {"ct": (-1000.0, 1000.0)}
WORDS = (
    "a",
    "an",
    "and",
    "in",
    "is",
    "large",
    "left",
    "lung",
    "no",
    "nodule",
    "of",
    "right",
    "seen",
    "small",
    "the",
    "there",
)


def _image(key: str, **about: object) -> Raster:
    about = {"kind": "map", "mpp": MPP, "dtype": "float32", "key": key, "range": RANGES.get(key, (0.0, 1.0))} | about
    return Raster(channels=(IMAGES[key.removesuffix("_sd")],), **about)


def _ports(**about: object) -> tuple[tuple[Raster, ...], tuple[Raster, ...]]:
    given = tuple(_image(key, name=name, required=False, **about) for key, name in IMAGES.items())
    spread = {"colormap": "magma", "range": (0.0, 0.2), **about}
    made = [
        port
        for key, name in IMAGES.items()
        for port in (
            _image(key, name=f"generated {name}", **about),
            _image(f"{key}_sd", of=key, name=f"uncertainty of {name}", **spread),
        )
    ]
    return given, tuple(made)


GIVEN, MADE = _ports()
COMMON = {
    "presets": {
        "fast": SampleSettings(sampler="ddim", steps=4),
        "reference": SampleSettings(sampler="ddim", steps=8, samples=4),
    },
    "options": (
        Option(name="Guidance", key="guidance", default=2.0, range=(1.0, 10.0), about="How closely it follows."),
    ),
}
DECLARED = Declaration(
    task="any to any",
    inputs=(Text(name="report", key="report", longest=400, required=False, words=WORDS), *GIVEN),
    outputs=(Text(name="generated report", key="report"), *MADE),
    any_of=(("report", *IMAGES),),
    canvas=(SIDE, SIDE),
    **COMMON,
)
SLICE_GIVEN, SLICE_MADE = _ports(spacing=(None, 4.0, 4.0))
SLICES = Declaration(
    task="modality translation",
    inputs=SLICE_GIVEN,
    outputs=SLICE_MADE,
    any_of=(tuple(IMAGES),),
    tile=32,
    overlap=8,
    **COMMON,
)


class NoConfig(BaseModel):
    """Nothing to configure."""


def draw(text: str) -> torch.Tensor:
    """Return what a report says, in [0, 1]: a body, and a bright disc on its side and of its size."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    image = 0.3 * (((y - 32) / 26) ** 2 + ((x - 32) / 22) ** 2 < 1).float()
    words = text.lower().replace(".", " ").replace(",", " ").split()
    if "nodule" in words and "no" not in words:
        column = 20 if "left" in words else 44
        radius = 8 if "large" in words else 4
        image[(y - 32) ** 2 + (x - column) ** 2 < radius**2] = 0.9
    return image


def read(image: torch.Tensor) -> tuple[tuple[str, float], ...]:
    """Return the pieces of a report on an image in [0, 1], with probabilities that fall from piece to piece."""
    bright = (image > 0.6).nonzero()
    if not len(bright):
        return (("No", 0.97), (" nodule", 0.95), (" is", 0.99), (" seen", 0.99), (".", 0.99))
    side = "left" if bright[:, -1].float().mean() < SIDE / 2 else "right"
    size = "large" if len(bright) > 100 else "small"
    return (
        ("There", 0.99), (" is", 0.99), (" a", 0.98), (f" {size}", 0.41), (" nod", 0.95), ("ule", 0.93), (" in", 0.99),
        (" the", 0.99), (f" {side}", 0.72), (" lung", 0.96), (".", 0.99), ("<end>", 0.2),
    )  # fmt: skip


def unit(image: torch.Tensor, key: str) -> torch.Tensor:
    low, high = RANGES.get(key, (0.0, 1.0))
    return (image - low) / (high - low)


def physical(image: torch.Tensor, key: str) -> torch.Tensor:
    low, high = RANGES.get(key, (0.0, 1.0))
    return low + image * (high - low)


class AnyToAny(Whole):
    def sample(self, inputs, noise, settings):
        images = {key: unit(inputs[key], key) for key in IMAGES if key in inputs}
        shown = torch.stack(list(images.values())).mean(dim=0) if images else draw(inputs["report"])[None]
        wanted = settings.wanted or [port.key for port in self.outputs]
        out: dict = {}
        for step in range(settings.steps):
            left = 1 - (step + 1) / settings.steps
            for key in [key for key in IMAGES if key in wanted]:
                drawn = noise(key, sample=0, step=0, shape=shown.shape)
                spread = 0.02 + 0.3 * left
                out[key] = physical((shown + spread * drawn).clamp(0, 1), key)
                if settings.samples > 1:
                    out[f"{key}_sd"] = (0.02 * drawn.abs()).expand_as(out[key])
            yield Estimate(step + 1, settings.steps, {key: one for key, one in out.items() if key in IMAGES})
        if "report" in wanted:
            pieces = read(shown)
            out["report"] = Written("".join(piece for piece, _ in pieces if piece != "<end>"), pieces)
        return out

    def unlike(self, inputs):
        text = inputs.get("report", "")
        return "The report says more than this model knows." if isinstance(text, str) and len(text) > 200 else ""


class Slices(Tiled):
    def sample(self, inputs, noise, settings):
        shown = torch.stack([unit(one, key) for key, one in inputs.items()]).mean(dim=0)
        wanted = settings.wanted or [port.key for port in self.outputs]
        out = {key: physical(shown.clamp(0, 1), key) for key in IMAGES if key in wanted}
        yield Estimate(1, 1, out)
        return out | {f"{key}_sd": torch.zeros_like(one) for key, one in out.items()}


ROWS = {
    "any-to-any": Row(NoConfig, lambda _: DECLARED, lambda _: AnyToAny(DECLARED)),
    "any-to-any-slices": Row(NoConfig, lambda _: SLICES, lambda _: Slices(SLICES)),
}
