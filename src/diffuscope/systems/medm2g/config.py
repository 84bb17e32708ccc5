"""Configuration of MedM2G, as it stands in a recipe or in a model folder's config.json."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from diffuscope.systems.bounds import PORTS, STEPS, STRICT, Name, Resolution, Weight
from diffuscope.systems.medm2g.text.config import TextConfig

Modality = Literal["ct", "mri", "xray"]
#: The key of the text, and the modality that it is.
REPORT, TEXT = "report", "text"

_Number = Annotated[float, Field(ge=-3e38, le=3e38)]
_Widths = Annotated[tuple[Annotated[int, Field(ge=8, le=2048)], ...], Field(min_length=1, max_length=6)]


class ImageConfig(BaseModel):
    """One kind of image, which may go in, come out, or both.

    Attributes
    ----------
    key, name : str
        As of a port.
    modality : {"ct", "mri", "xray"}
        Whose latent diffusion model it shares: the contrasts of MRI are told apart by an embedding of their own.
    range : (float, float)
        Values that become −1 and 1.
    scale : {"stored", "percentile"}
        See `diffuscope.ports.raster.Raster`.
    unit : str
        E.g. ``"HU"``.
    made : bool
        Whether it comes out as well; accelerated MRI only goes in.
    """

    model_config = STRICT

    key: Name
    name: Name
    modality: Modality
    range: tuple[_Number, _Number] = (0.0, 1.0)
    scale: Literal["stored", "percentile"] = "stored"
    unit: Name = ""
    made: bool = True

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.range[0] < self.range[1]:
            raise ValueError("range is no range: give the lower number first")
        return self


class AutoencoderConfig(BaseModel):
    """The KL autoencoder of an imaging modality, shaped as that of Stable Diffusion (the paper's: KL-f8).

    Attributes
    ----------
    widths : tuple of int
        Channels of each level, finest first; sides shrink by 2^(levels − 1).
    layers : int
        Residual blocks a level.
    channels : {1, 3}
        Of the picture that it sees: 3 takes Stable Diffusion's weights, and every grey value three times.
    latent : int
        Channels of the latents.
    groups : int
        Of its norms.
    attention : bool
        Whether the coarsest level attends to itself.
    kl : float
        Weight of the divergence from a standard normal.
    """

    model_config = STRICT

    widths: _Widths = (8, 16, 32, 64)
    layers: Annotated[int, Field(ge=1, le=4)] = 1
    channels: Literal[1, 3] = 1
    latent: Annotated[int, Field(ge=1, le=64)] = 8
    groups: Annotated[int, Field(ge=1, le=64)] = 8
    attention: bool = False
    kl: Weight = 1e-4

    @property
    def factor(self) -> int:
        """Side of a picture over that of its latents."""
        return int(2 ** (len(self.widths) - 1))


class UNetConfig(BaseModel):
    """The denoiser of an imaging modality, diffusers' `UNet2DConditionModel`.

    Attributes
    ----------
    widths : tuple of int
        Channels of each level, finest first.
    layers : int
        Residual blocks, each with a transformer block behind it, a level.
    heads : int
        Of its attention.
    groups : int
        Of its norms.
    plain : int
        Levels without attention, from the coarsest on (Stable Diffusion's: 1).
    near : int
        Heads of each cross-attention that read of another image only what lies at their own place: for images of one
        lattice, as contrasts of MRI are (the paper's: 0; see `diffuscope.systems.medm2g.near`).
    """

    model_config = STRICT

    widths: _Widths = (48, 96)
    layers: Annotated[int, Field(ge=1, le=4)] = 1
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    groups: Annotated[int, Field(ge=1, le=64)] = 16
    plain: Annotated[int, Field(ge=0, le=4)] = 0
    near: Annotated[int, Field(ge=0, le=64)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.plain >= len(self.widths):
            raise ValueError("plain leaves no level with attention: lower it")
        if self.near >= self.heads:
            raise ValueError("near leaves no head that looks elsewhere: lower it")
        return self


class ContextConfig(BaseModel):
    """How one modality guides another (§3.4).

    Attributes
    ----------
    width : int
        Numbers of a token that cross-attention reads.
    kind : {"tokens", "global", "prompt"}
        V_B([z_t, f_B]) as a token a place of the latents; as one normalised token, as CoDi has it; or, without
        cross-guided alignment (LCAG), the tokens of the prompt encoder alone.
    stride : int
        Places of the latents that share a token, along each axis.
    adaptation : int
        Tokens of f_B that are sampled from z_B, beside that of the aligned space; 0: no f_B.
    joint : float
        Share of training in which both modalities are noisy, as when both are made at once; else the other is known.
    drop : float
        Share of training without any context, for guidance.
    layout : bool
        Whether the vector of a report is drawn onto places, which heads that look at one place (`UNetConfig.near`) read
        as they read an image (see `diffuscope.systems.medm2g.layout.Layout`); the paper has no such thing.
    drawn : tuple of str
        Modalities of images whose vector is drawn so as well, for other images: projections, as an X-ray is, of
        which a place is more than a place of the others. All vectors lie in one space, and what reports have taught a
        drawing holds for these.
    """

    model_config = STRICT

    width: Annotated[int, Field(ge=8, le=4096, multiple_of=8)] = 96
    kind: Literal["tokens", "global", "prompt"] = "tokens"
    stride: Annotated[int, Field(ge=1, le=16)] = 1
    adaptation: Annotated[int, Field(ge=0, le=256)] = 8
    joint: Annotated[float, Field(ge=0, le=1)] = 0.3
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.1
    layout: bool = False
    drawn: tuple[str, ...] = ()


class AlignConfig(BaseModel):
    """Central alignment and visual invariant (§3.2, §3.3).

    Attributes
    ----------
    temperature : float
        τ of InfoNCE (Eq. 3); the paper does not say.
    invariant : float
        Weight of the visual invariant (Eq. 4) against InfoNCE, which the paper leaves open; 0: none.
    off_diagonal : float
        λ₁ of Eq. 4.
    """

    model_config = STRICT

    temperature: Annotated[float, Field(ge=1e-3, le=10)] = 0.07
    invariant: Weight = 0.1
    off_diagonal: Weight = 5e-3


class MedM2GConfig(BaseModel):
    """What defines a MedM2G besides its weights; the sizes are small ones, which train on two cores.

    Attributes
    ----------
    images : tuple of ImageConfig
        Kinds of images.
    text : TextConfig, optional
        The text side; None: images alone.
    size, mpp : int, float
        Side of a picture in px, and µm a px.
    autoencoder, unet, context, align
        See there.
    T, first, last : int, float, float
        Diffusion steps, β of the first and the last, linear in √β between (Stable Diffusion's "linear").
    raw : {"epsilon", "velocity"}
        How the U-Net's output is read: as ε, as Stable Diffusion's weights mean it, or as a velocity from which ε
        follows (see `diffuscope.diffusion.epsilon.read_velocity`).
    guidance : float
        Default of classifier-free guidance (the paper's: 2).
    """

    model_config = STRICT

    images: Annotated[tuple[ImageConfig, ...], Field(min_length=1, max_length=PORTS)]
    text: TextConfig | None = None
    size: Annotated[int, Field(ge=16, le=1024)] = 64
    mpp: Resolution = 4000.0
    autoencoder: AutoencoderConfig = AutoencoderConfig()
    unet: UNetConfig = UNetConfig()
    context: ContextConfig = ContextConfig()
    align: AlignConfig = AlignConfig()
    T: Annotated[int, Field(ge=2, le=STEPS)] = 1000
    first: Annotated[float, Field(gt=0, lt=1)] = 0.00085
    last: Annotated[float, Field(gt=0, lt=1)] = 0.012
    raw: Literal["epsilon", "velocity"] = "velocity"
    guidance: Annotated[float, Field(ge=0, le=20)] = 2.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        keys = [image.key for image in self.images]
        if len(set(keys)) < len(keys) or REPORT in keys:
            raise ValueError(f"each image has a key of its own, and none is {REPORT}")
        coarsest = self.autoencoder.factor * self.context.stride * 2 ** (len(self.unet.widths) - 1)
        if self.size % coarsest:
            raise ValueError(f"size {self.size} is no multiple of {coarsest}, by which the networks shrink it")
        if any(not self.of(modality, made=True) for modality in self.modalities if modality != TEXT):
            raise ValueError("a modality has no image that comes out: say made of one")
        for widths, groups in (
            (self.autoencoder.widths, self.autoencoder.groups),
            (self.unet.widths, self.unet.groups),
        ):
            if any(width % groups for width in widths):
                raise ValueError(f"a width is no multiple of the {groups} groups of its norms")
        if any(width % self.unet.heads for width in self.unet.widths):
            raise ValueError(f"a width is no multiple of the {self.unet.heads} heads")
        if self.context.layout and not (self.text and self.unet.near and self.context.kind == "tokens"):
            raise ValueError("a layout is of a report and for heads that look near: give text, unet.near and tokens")
        if unknown := sorted(set(self.context.drawn) - {image.modality for image in self.images}):
            raise ValueError(f"{', '.join(unknown)} is no modality of images: take it out of context.drawn")
        if self.context.drawn and not self.context.layout:
            raise ValueError("what is drawn onto places needs a layout: give context.layout")
        return self

    @property
    def modalities(self) -> tuple[str, ...]:
        """What has a latent diffusion model, the text first."""
        found = dict.fromkeys(image.modality for image in self.images)
        return ((TEXT,) if self.text is not None else ()) + tuple(found)

    def of(self, modality: str, *, made: bool = False) -> tuple[str, ...]:
        """Return the keys of a modality, or those that come out alone."""
        if modality == TEXT:
            return (REPORT,) if self.text is not None else ()
        return tuple(one.key for one in self.images if one.modality == modality and (one.made or not made))

    def sources(self, modality: str) -> tuple[str, ...]:
        """Return the modalities that may guide one: all others, and itself where it has several kinds of images."""
        return tuple(one for one in self.modalities if one != modality or len(self.of(one)) > 1)

    def draws(self, target: str, source: str) -> bool:
        """Return whether what guides a modality A is B's vector drawn onto places, beside B's tokens."""
        context = self.context
        return context.layout and target != TEXT and (source == TEXT or source in context.drawn)

    def modality(self, key: str) -> str:
        """Return whose key it is."""
        return next((image.modality for image in self.images if image.key == key), TEXT)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield pairs of modalities, the one that stands first before the other; one with several kinds with itself."""
        for place, one in enumerate(self.modalities):
            for other in self.modalities[place:]:
                if one != other or len(self.of(one)) > 1:
                    yield one, other
