"""Commands for a child process: one model that predicts nanoparticles, by its facts alone, and the real measurement."""

from __future__ import annotations

from diffuscope.plugin.layers.facts import ModelFacts
from diffuscope.ports.numbers import Option
from diffuscope.ports.raster import Raster

COLOURS = {"vessels": "red", "nuclei": "blue"}
SYNONYMS = {"vessels": ("cd31",), "nuclei": ("dapi",)}
GAMMA = Option(name="γ: multi-modal where d ≤ γ", key="gamma", default=0.5, range=(0.0, 1.0))


def port(key: str) -> Raster:
    return Raster(
        name=key,
        key=key,
        kind="map",
        channels=(key,),
        mpp=1.0,
        range=(0.0, 255.0),
        fill=0.0,
        colormap=COLOURS[key],
        scale="percentile",
        synonyms=SYNONYMS[key],
    )


MODEL = ModelFacts(
    name="nano",
    title="nano",
    what_it_is="",
    what_it_is_not="",
    task="nanoparticle distribution",
    inputs=(port("vessels"), port("nuclei")),
    presets={"fast": ("ddim", 2)},
    options=(GAMMA,),
)


def measure(**asked):
    from diffuscope.plugin.jobs import verbs

    rows = yield from verbs.measure(**asked)
    return rows
