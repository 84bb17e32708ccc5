"""What MIDiffusion declares."""

from __future__ import annotations

from dataclasses import replace

from diffuscope.diffusion.names import SCORE_SAMPLERS
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.midiffusion.config import MIDiffusionConfig, ModalityConfig
from diffuscope.systems.midiffusion.options import PAPER, options

# The paper's hundreds, of slices one by one.
_REFERENCE_STEPS = 1000


def declare(config: MIDiffusionConfig) -> Declaration:
    """Of MIDiffusion: the source slice by slice; the target, the mean of samples, their spread, and the support."""
    target, mpp = config.target, config.mpp
    vp = config.process == "vp"
    source = _image(config.source, config.source.name, config.source.key, mpp)
    measure = Raster(
        name="uncertainty",
        key="uncertainty",
        kind="map",
        channels=("uncertainty",),
        mpp=mpp,
        range=(0.0, 0.25 * (target.high - target.low)),
        dtype="float32",
        fill=0.0,
        unit=target.unit,
        colormap="magma",
    )
    support = Raster(
        name="support by the source",
        key="support",
        kind="map",
        channels=("support",),
        mpp=mpp,
        range=(0.0, 1.0),
        dtype="float32",
        fill=1.0,
        colormap="viridis",
    )
    return Declaration(
        task="modality translation",
        zero_shot=True,
        # Slice by slice.
        inputs=(replace(source, spacing=(None, mpp / 1000.0, mpp / 1000.0)),),
        outputs=(
            # It lies above the real one in viewers.
            _image(target, f"virtual {target.name}", target.key, mpp),
            _image(target, f"virtual {target.name}, mean of samples", "mean", mpp),
            measure,
            support,
        ),
        presets={
            "fast": SampleSettings(sampler="ancestral", steps=25),
            "best": SampleSettings(sampler="ancestral", steps=50, samples=4),
            "reference": SampleSettings(
                sampler="ddpm" if vp else "euler-maruyama",
                steps=config.T if vp else _REFERENCE_STEPS,
                options=PAPER,
            ),
            # The first evaluation of any sampler, and no more: x holds nothing but noise, and D is the posterior mean.
            "mean": SampleSettings(sampler="ancestral", steps=1),
        },
        samplers=SCORE_SAMPLERS,
        options=options(config.consistency),
        tile=config.tile,
        overlap=config.overlap,
        context=1,
        patch=config.patch,
    )


def _image(modality: ModalityConfig, name: str, key: str, mpp: float) -> Raster:
    return Raster(
        name=name,
        key=key,
        kind="map",
        channels=(modality.name,),
        mpp=mpp,
        range=(modality.low, modality.high),
        dtype="float32",
        fill=modality.low,
        unit=modality.unit,
        # Without a unit a volume's own percentiles make its range.
        scale="stored" if modality.unit else "percentile",
    )
