"""What StainDiffuser and its variants declare."""

from __future__ import annotations

from diffuscope.diffusion.names import SAMPLERS
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.staindiffuser import outputs
from diffuscope.systems.staindiffuser.config import (
    BidirectionalConfig,
    CommonConfig,
    MultiStainDiffuserConfig,
    StainDiffuserConfig,
    stain_key,
)


def declare(config: StainDiffuserConfig) -> Declaration:
    """Of StainDiffuser: the H&E; the virtual IHC, its DAB, what the second branch tells, and the uncertainty."""
    mpp = config.mpp
    second = [outputs.segmentation(mpp)]
    if config.auxiliary == "distance":
        second.append(outputs.distance(mpp, config.distance_um))
    return _staining(
        config,
        outputs.colour("H&E", "he", mpp, scale="stain" if config.normalise else "stored"),
        outputs.colour(f"virtual {config.stain}", "ihc", mpp),
        outputs.dab(mpp),
        *(second if config.lambda_seg > 0 else ()),
        outputs.uncertainty(mpp),
    )


def declare_multi(config: MultiStainDiffuserConfig) -> Declaration:
    """Of Multi-StainDiffuser: for each stain the virtual IHC, its DAB and the uncertainty."""
    mpp = config.mpp
    made = [
        port
        for stain, key in ((stain, stain_key(stain)) for stain in config.stains)
        for port in (
            outputs.colour(f"virtual {stain}", f"ihc_{key}", mpp),
            outputs.dab(mpp, name=f"{stain} DAB", key=f"dab_{key}"),
            outputs.uncertainty(mpp, name=f"{stain} uncertainty", key=f"uncertainty_{key}"),
        )
    ]
    return _staining(config, outputs.colour("H&E", "he", mpp), *made)


def declare_bidirectional(config: BidirectionalConfig) -> Declaration:
    """Of the bidirectional StainDiffuser, in the direction that it is configured for."""
    mpp = config.mpp
    if config.direction == "he-to-ihc":
        made = [outputs.colour(f"virtual {config.stain}", "ihc", mpp), outputs.dab(mpp), outputs.uncertainty(mpp)]
        return _staining(config, outputs.colour("H&E", "he", mpp), *made)
    made = [outputs.colour("virtual H&E", "he", mpp), outputs.uncertainty(mpp)]
    return _staining(config, outputs.colour(config.stain, "ihc", mpp), *made)


def _staining(config: CommonConfig, source: Raster, *made: Raster) -> Declaration:
    return Declaration(
        task="virtual staining",
        inputs=(source,),
        outputs=made,
        # One evaluation at t = T is the posterior mean of the image, as far as it was learned.
        presets={
            "fast": SampleSettings(sampler=config.sampler, steps=10),
            "mean": SampleSettings(sampler="sde-dpmsolver++", steps=1),
            "reference": SampleSettings(sampler="ddpm", steps=config.T),
        },
        samplers=SAMPLERS,
        # Stride 256 aligns with the canvas's chunks. 16 px of overlap, a cell's width, do for the seams as well as 32
        # (benchmarks.seams) and are a ninth less to compute.
        tile=272,
        overlap=16,
        patch=config.patch,
        measures={"dab_threshold": config.dab_threshold},
    )
