"""What the baselines declare: the ports of a virtual stain, and how each samples."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from diffuscope.diffusion.names import SAMPLERS
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.baselines.config import BaselineConfig, DiffusionBaselineConfig, PaletteConfig

# Steps with which BBDM's paper samples, of T = 1000.
_BBDM_STEPS = 200
_DIRECT = {"fast": SampleSettings(sampler="direct", steps=1)}


def declare_direct(config: BaselineConfig) -> Declaration:
    """Of a network that is evaluated once: U-Net regression, and the generator of Pix2Pix."""
    return _staining(config, uncertain=False, presets=_DIRECT)


def declare_palette(config: PaletteConfig) -> Declaration:
    """Of the conditional DDPM."""
    presets = {
        "fast": SampleSettings(sampler="sde-dpmsolver++", steps=min(10, config.T)),
        "reference": SampleSettings(sampler="ddpm", steps=config.T),
    }
    return _staining(config, uncertain=True, presets=presets, samplers=SAMPLERS)


def declare_bbdm(config: DiffusionBaselineConfig) -> Declaration:
    """Of the Brownian bridge."""
    presets = {
        "fast": SampleSettings(sampler="bridge", steps=min(10, config.T)),
        "reference": SampleSettings(sampler="bridge", steps=min(_BBDM_STEPS, config.T)),
    }
    return _staining(config, uncertain=True, presets=presets)


def _staining(
    config: BaselineConfig, *, uncertain: bool, presets: Mapping[str, SampleSettings], samplers: tuple[str, ...] = ()
) -> Declaration:
    """With `uncertain`, samples differ: there is the standard deviation of DAB over them to show."""
    colour = partial(Raster, kind="rgb", channels=("R", "G", "B"), mpp=config.mpp, range=(0.0, 255.0))
    density = partial(Raster, kind="map", mpp=config.mpp, dtype="float32", fill=0.0, unit="OD")
    spread = density(name="uncertainty", key="uncertainty", channels=("uncertainty",), range=(0.0, 0.3))
    return Declaration(
        task="virtual staining",
        inputs=(colour(name="H&E", key="he"),),
        outputs=(
            colour(name=f"virtual {config.stain}", key="ihc"),
            density(name="DAB", key="dab", channels=("DAB",), range=(0.0, 1.0), colormap="gray_r"),
            *((spread,) if uncertain else ()),
        ),
        presets=presets,
        samplers=samplers,
        # As StainDiffuser.
        tile=272,
        overlap=16,
        patch=config.patch,
        measures={"dab_threshold": config.dab_threshold},
    )
