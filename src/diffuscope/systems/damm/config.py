"""Configuration of DAMM-Diffusion, as it stands in a model folder's config.json and in a recipe."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from diffuscope.systems.bounds import PORTS, SIDE, STEPS, STRICT, Name, Resolution, Weight
from diffuscope.systems.damm.variants.config import Variant, modern

# Channels of the U-Nets' levels, finest first; latents are coarse already and leave the first out.
WIDTHS: dict[str, tuple[int, ...]] = {
    # The channels of the backbone are not stated; these are those of the other systems.
    "paper": (64, 128, 256, 512),
    "small": (24, 48, 64, 96),
    "tiny": (8, 8, 16, 16),
}
# Channels of the autoencoders' levels: each halves the sides once more than the one before.
ENCODER_WIDTHS: dict[str, tuple[int, ...]] = {
    "paper": (32, 64, 128, 128, 256),
    "small": (24, 32, 48),
    "tiny": (8, 8),
}
# Official code: 3×256×256 to 8×16×16.
LATENT_CHANNELS = {"paper": 8, "small": 4, "tiny": 2}


class Modality(BaseModel):
    """One image that goes in or comes out: one channel.

    Attributes
    ----------
    key : str
        What files and the noise call it.
    name : str
        What the user sees; the key where it is left out.
    range : tuple of float
        Lowest and highest physical value, which the network sees as −1 and 1; what lies outside is clipped.
    dtype : {"uint8", "float32"}
        Type of the files' pixels.
    scale : {"stored", "percentile"}
        How the values of a file become those of the range: as they are, or by percentiles of the whole slide or volume
        (see `Raster.scale`).
    unit : str
        Physical unit.
    colormap : str
        napari colormap name.
    """

    model_config = STRICT

    key: str = Field(pattern=r"^[a-z0-9_]+$", max_length=100)
    name: Name = ""
    range: tuple[float, float] = (0.0, 255.0)
    dtype: Literal["uint8", "float32"] = "uint8"
    scale: Literal["stored", "percentile"] = "stored"
    unit: Name = ""
    colormap: Name = "gray"

    @property
    def title(self) -> str:
        """What the user sees."""
        return self.name or self.key

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.range[0] >= self.range[1]:
            raise ValueError(f"the range of {self.key} must rise, not go from {self.range[0]} to {self.range[1]}")
        return self


def _named(value: Any) -> Any:
    """Take a bare key for a modality that has nothing else to say."""
    return {"key": value} if isinstance(value, str) else value


# mm.
Spacing = Annotated[float, Field(ge=1e-6, le=100.0)]
Named = Annotated[Modality, BeforeValidator(_named)]
VESSELS = Modality(key="vessels", name="vessels (CD31)", scale="percentile", colormap="red")
NUCLEI = Modality(key="nuclei", name="nuclei (DAPI)", scale="percentile", colormap="blue")


class DAMMConfig(BaseModel):
    """What defines a DAMM-Diffusion besides its weights.

    Attributes
    ----------
    main : Modality
        Input of the uni-modal branch (paper: vessels, CD31; its table 4 tries the nuclei).
    auxiliaries : tuple of Modality
        Inputs of the multi-modal branch, at least one (paper: nuclei, DAPI); several are channels of one image.
    output : Modality
        What is predicted.
    size : {"paper", "small", "tiny"}
        Channels, see `WIDTHS`.
    space : {"pixel", "latent"}
        Where diffusion takes place: in images, or in the latents of one autoencoder a modality (paper).
    T : int
        Diffusion steps of training.
    gamma : float
        γ: the multi-modal branch counts where d ≤ γ. A run may set another one (`gamma` of `System.options`).
    alpha : float
        Weight of |d − γ|² in the divergence feedback loss.
    lambda_dfl : float
        λ of L + λ·L_dfl; 0 is without feedback.
    warmup : int
        Training steps with plain cross-attention, both losses and no feedback (official code: 80 of 200 epochs).
    draws : int
        Draws of (t, ε) of each example in a step of training: the label e of the feedback compares the branches' errors
        over all of them. Not in the paper, whose one draw (1) says little of which branch is better for an example.
        A step costs as much as one of `draws` times as many examples.
    early_feedback : bool
        Whether the feedback trains U during the warm-up, too, though attention does not use it yet.
    norm : {"channel", "group"}
        In the U-Nets' blocks: each px over its channels, or a whole tile in groups of channels, and what U is computed
        from by a batch norm. What is rare and bright in a tile, and tells that two channels do not belong together, is
        seen by the second alone.
    variant : Variant
        Parts left out, exchanged or added; the default is the method.
    mpp : float
        µm per pixel of training and of running; of volumes it follows from `spacing`.
    spacing : tuple of (float or None, float, float), optional
        (z, y, x) mm per voxel, for volumes, which are computed slice by slice; z None takes the slices as they come.
    patch : int
        Side of a training patch and of a tile, px: channel attention, cross-attention and d see a whole tile, so that
        it must be as large as those of training. A quarter of it is overlap.
    """

    model_config = STRICT

    main: Named = VESSELS
    auxiliaries: tuple[Named, ...] = Field(default=(NUCLEI,), min_length=1, max_length=PORTS)
    output: Named = Modality(key="nanoparticles", name="nanoparticles", colormap="green")
    size: Literal["paper", "small", "tiny"] = "small"
    space: Literal["pixel", "latent"] = "pixel"
    T: int = Field(default=1000, ge=2, le=STEPS)
    gamma: float = Field(default=0.5, ge=0.0, le=1.0)
    alpha: Weight = 0.1
    lambda_dfl: Weight = 1e-4
    warmup: int = Field(default=0, ge=0, le=10**9)
    draws: int = Field(default=4, ge=1, le=1000)
    early_feedback: bool = False
    norm: Literal["channel", "group"] = "channel"
    variant: Variant = Variant()
    mpp: Resolution = 1.0
    spacing: tuple[Spacing | None, Spacing, Spacing] | None = None
    patch: int = Field(default=128, ge=32, le=SIDE)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        """Read what was written before in today's form; take the µm/px from the spacing."""
        if not isinstance(given, dict):
            return given
        given = modern({"main": VESSELS, "auxiliaries": (NUCLEI,)} | given)
        if given.get("spacing") is not None and "mpp" not in given:
            return given | {"mpp": 1000.0 * given["spacing"][-1]}
        return given

    @model_validator(mode="after")
    def _check(self) -> Self:
        keys = [one.key for one in (self.main, *self.auxiliaries, self.output)]
        if len(set(keys)) < len(keys):
            raise ValueError(f"main, auxiliaries and output need keys that differ, not {', '.join(keys)}")
        if self.variant.attention != "uncertain" and self.lambda_dfl:
            raise ValueError("without uncertainty there is no divergence to feed back to: set lambda_dfl: 0")
        if self.spacing is not None and abs(self.mpp - 1000.0 * self.spacing[-1]) > 1e-6 * self.mpp:
            raise ValueError(f"mpp {self.mpp:g} is not the {self.spacing[-1]:g} mm of spacing: leave mpp out")
        if self.patch % (4 * self.reach):
            raise ValueError(f"patch must be a multiple of {4 * self.reach} px here, not {self.patch}")
        return self

    @property
    def factor(self) -> int:
        """Image px per px of what is denoised, along a side."""
        return 1 if self.space == "pixel" else 2 ** (len(ENCODER_WIDTHS[self.size]) - 1)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the U-Nets' levels, finest first."""
        return WIDTHS[self.size][0 if self.space == "pixel" else 1 :]

    @property
    def channels(self) -> int:
        """Channels that a modality has where diffusion takes place."""
        return 1 if self.space == "pixel" else LATENT_CHANNELS[self.size]

    @property
    def reach(self) -> int:
        """Image px per node of the bottleneck, along a side: the resolution of U."""
        return int(self.factor * 2 ** (len(self.widths) - 1))

    @property
    def shape(self) -> tuple[int, int, int, tuple[int, ...]]:
        """Channels of x_t, y_v and y_n, and of the U-Nets' levels."""
        return self.channels, self.channels, self.channels * len(self.auxiliaries), self.widths
