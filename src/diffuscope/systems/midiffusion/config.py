"""Configuration of MIDiffusion, as it stands in a model folder's config.json and in a recipe."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from diffuscope.systems.bounds import SIDE, STEPS, STRICT, Name, Resolution
from diffuscope.systems.midiffusion.estimator import LMI

WIDTHS: dict[str, tuple[int, ...]] = {
    # The official code: 64 channels, multipliers (1, 2, 2, 2).
    "paper": (64, 128, 128, 128),
    "small": (32, 48, 64, 96),
    # For whole slices.
    "medium": (32, 48, 96, 160),
    # For tests and for trying the machinery.
    "tiny": (8, 8, 16, 16),
}
#: Sizes whose coarsest level attends to itself.
ATTENDS = ("paper", "medium")
#: Ports that every model has beside its source and its target.
MAPS = ("mean", "uncertainty", "support")


# Values of a modality, e.g. HU.
Intensity = Annotated[float, Field(ge=-1e9, le=1e9)]


class _Strict(BaseModel):
    model_config = STRICT


class ModalityConfig(_Strict):
    """Intensities of one modality, as the port has them.

    Attributes
    ----------
    name : str
        E.g. ``"CT"``.
    low, high : float
        The window: what lies beyond is cut off. Of CT in HU; of MR, which has no unit, what two percentiles of a
        volume's foreground become (see `diffuscope.scans.intensity`).
    unit : str
        E.g. ``"HU"``; empty where a file's intensities have a scale of their own.
    """

    name: Name
    low: Intensity = 0.0
    high: Intensity = 1.0
    unit: Name = ""

    @property
    def key(self) -> str:
        """The name as keys of ports hold it: its lower-case letters and digits."""
        return re.sub(r"[^a-z0-9]", "", self.name.lower())

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.key or self.low >= self.high:
            raise ValueError(f"a modality needs a name with letters or digits, and low < high, not {self!r}")
        return self


class GuidanceConfig(_Strict):
    """What is done to two images, scaled to [−1, 1], before LMI compares them, and how.

    Attributes
    ----------
    patch, windows : int
        As of `LMI`; 3 and 3 are the paper's.
    bandwidth : float
        As of `LMI`, part of the images' range (official code: √8 / 255 = 0.011).
    estimator, bins
        As of `LMI`.
    reduce : int
        LMI is computed of images that were averaged over so many pixels squared, and brought back to their size.
    smooth : float
        Standard deviation in px of a Gaussian filter before that; 0 for none.
    measure : {"raw", "normalised"}
        What the network sees.
    """

    patch: int = Field(default=3, ge=3, le=31)
    windows: int = Field(default=3, ge=1, le=31)
    bandwidth: float = Field(default=0.06, ge=1e-3, le=10.0)
    estimator: Literal["samples", "histogram"] = "samples"
    bins: int = Field(default=27, ge=2, le=256)
    reduce: int = Field(default=1, ge=1, le=8)
    smooth: float = Field(default=0.0, ge=0.0, le=64.0)
    measure: Literal["raw", "normalised"] = "raw"

    @property
    def lmi(self) -> LMI:
        """The estimator's settings for images in [−1, 1]."""
        return LMI(
            patch=self.patch,
            windows=self.windows,
            bandwidth=2.0 * self.bandwidth,
            estimator=self.estimator,
            bins=self.bins,
            range=(-1.0, 1.0),
        )


class MIDiffusionConfig(_Strict):
    """What defines a MIDiffusion model besides its weights.

    Attributes
    ----------
    target : ModalityConfig
        What the model was trained on, and makes.
    source : ModalityConfig
        What is translated. Nothing was trained on it: another one may be declared for the same weights.
    size : {"paper", "medium", "small", "tiny"}
        Channels of the four levels, see `WIDTHS`; ``"paper"`` and ``"medium"`` have attention at the coarsest.
    place : bool
        Whether the network also sees the body's mask, found in the source (in training in the target) by one rule for
        all modalities, and where in the body's box a pixel lies. For slices that a tile holds as a whole.
    guide : {"itself", "random"}
        What LMI compares F_t with in training: F, as in the paper, or F in another contrast, φ(F), drawn for each
        example (see `diffuscope.systems.midiffusion.random_guide`).
    process : {"ve", "vp"}
        Noise levels: those of the paper's VE-SDE, or those of the official code's linear β schedule of `T` steps.
    noise : {"even", "normal"}
        σ that training draws: evenly in t, which is ln σ in ``"ve"``, or, of ``"ve"``, most of them around 1 (see
        `NoiseLevels.draw_normal`).
    T : int
        Of ``"vp"``.
    loss_weighting : {"epsilon", "velocity"}
        MSE of ε, which is σ² times that of the score (Eq. 12 with Song et al.'s λ), or that divided by ᾱ.
    drop : float
        Part of the training examples that do not get LMI.
    lmi : GuidanceConfig
        See there.
    mpp : float
        µm per pixel of a slice. Slices are taken as they come, whatever lies between them.
    tile, overlap : int
        Of a run, px. A tile that holds whole slices has no seams.
    patch : int
        Side of a training patch, px.
    consistency : float
        Default of a run's option of that name, in [0, 1].
    """

    target: ModalityConfig
    source: ModalityConfig
    size: Literal["paper", "medium", "small", "tiny"] = "small"
    place: bool = False
    guide: Literal["itself", "random"] = "itself"
    process: Literal["ve", "vp"] = "ve"
    noise: Literal["even", "normal"] = "even"
    T: int = Field(default=1000, ge=2, le=STEPS)
    loss_weighting: Literal["epsilon", "velocity"] = "velocity"
    drop: float = Field(default=0.1, ge=0.0, lt=1.0)
    lmi: GuidanceConfig = GuidanceConfig()
    mpp: Resolution = 1000.0
    tile: int = Field(default=224, ge=16, le=SIDE, multiple_of=8)
    overlap: int = Field(default=32, ge=0, le=SIDE, multiple_of=8)
    patch: int = Field(default=128, ge=16, le=SIDE, multiple_of=8)
    consistency: float = Field(default=0.0, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        keys = (self.target.key, self.source.key, *MAPS)
        if len(set(keys)) < len(keys):
            raise ValueError(f"source and target need names that differ, and none of {', '.join(MAPS)}")
        if self.overlap > self.tile / 2:
            raise ValueError(f"the overlap, {self.overlap} px, is at most half a tile of {self.tile} px")
        if self.noise == "normal" and self.process == "vp":
            raise ValueError("noise is drawn normally of the process ve alone: vp has levels of its own")
        if self.lmi.reduce not in {1, 2, 4, 8}:
            raise ValueError(f"lmi.reduce is 1, 2, 4 or 8, not {self.lmi.reduce}")
        _ = self.lmi.lmi
        return self
