"""Configuration of the baselines."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from diffuscope.systems.bounds import SIDE, STEPS, STRICT, Name, Resolution


class BaselineConfig(BaseModel):
    """What defines a baseline besides its weights.

    Attributes
    ----------
    stain : str
        Marker, e.g. ``"CD3"``.
    size : {"paper", "small", "tiny"}
        Channels of the four levels, those of StainDiffuser: `diffuscope.systems.staindiffuser.config.WIDTHS`.
    mpp : float
        µm per pixel of training and of running.
    patch : int
        Side of a training patch, px; a PatchGAN sees no less than 32.
    dab_threshold : float
        DAB optical density from which a pixel counts as positive, OD; fixed on the training slides.
    """

    model_config = STRICT

    stain: Name
    size: Literal["paper", "small", "tiny"] = "small"
    mpp: Resolution = 0.5
    patch: int = Field(default=128, ge=32, le=SIDE, multiple_of=8)
    dab_threshold: float = Field(default=0.15, gt=0.0, le=10.0)


class DiffusionBaselineConfig(BaselineConfig):
    """Of a baseline that samples.

    Attributes
    ----------
    T : int
        Diffusion steps of training.
    """

    T: int = Field(default=1000, ge=2, le=STEPS)


class PaletteConfig(DiffusionBaselineConfig):
    """Of the conditional DDPM.

    Attributes
    ----------
    grey : bool
        Whether the target has no colour: one channel of noise is removed instead of three. As briefly as tables train,
        three of one and the same image are not learned (docs/baselines.md).
    """

    grey: bool = False
