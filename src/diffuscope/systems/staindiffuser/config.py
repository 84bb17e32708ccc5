"""Configurations of StainDiffuser and its variants, as they stand in a model folder's config.json and in a recipe."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from diffuscope.systems.bounds import PORTS, SIDE, STEPS, STRICT, Name, Resolution, Weight

WIDTHS: dict[str, tuple[int, ...]] = {
    # Multipliers (1, 2, 4, 8) of MedSegDiff, the nearest published shape; the paper states no channels.
    "paper": (64, 128, 256, 512),
    # 3.0 M parameters in all; measured at 39 ms per 288² evaluation of one U-Net in bf16 on two cores.
    "small": (32, 48, 64, 96),
    # For tests and for trying the machinery.
    "tiny": (8, 8, 16, 16),
}

#: Channels of the encoder with batch norms, and of the segmentation branch beside it, by size. The encoder runs once a
#: tile and that branch is evaluated once: width costs little in the first and is not needed in the second.
ENCODER_WIDTHS = WIDTHS | {"small": (48, 96, 128, 152)}
SEGMENTATION_WIDTHS = WIDTHS | {"small": (16, 32, 48, 64)}


class CommonConfig(BaseModel):
    """What every variant states.

    Attributes
    ----------
    size : {"paper", "small", "tiny"}
        Channels of the four levels, see `WIDTHS`.
    T : int
        Diffusion steps of training (paper: 2000 for CD3, 4000 for CK8/18).
    loss_weighting : {"epsilon", "velocity"}
        ``"epsilon"``: the paper's unweighted MSE of ε. ``"velocity"``: the same error divided by ᾱ_t, which is
        the MSE of v (Salimans & Ho 2022). Unweighted ε-MSE gives the clean estimate at t ≈ T the weight
        SNR ≈ 4e-5: a sampler of a few steps, which begins there, then starts from a guess that was never trained.
    mpp : float
        µm per pixel of training and of running (0.5: the paper's 256 px at 40x reduced to 128).
    patch : int
        Side of a training patch, px.
    dab_threshold : float
        DAB optical density from which a pixel counts as positive, OD; fixed on the training slides.
    sampler : {"sde-dpmsolver++", "dpmsolver++", "unipc", "ddim"}
        Of the few steps of a run's default. Which one paints as much as the truth has differs from weights to weights;
        it is chosen on training tiles (``python -m benchmarks samplers``).
    """

    model_config = STRICT

    size: Literal["paper", "small", "tiny"] = "small"
    T: int = Field(default=2000, ge=2, le=STEPS)
    loss_weighting: Literal["epsilon", "velocity"] = "velocity"
    mpp: Resolution = 0.5
    patch: int = Field(default=128, ge=16, le=SIDE, multiple_of=8)
    dab_threshold: float = Field(default=0.15, gt=0.0, le=10.0)
    sampler: Literal["sde-dpmsolver++", "dpmsolver++", "unipc", "ddim"] = "sde-dpmsolver++"


class StainDiffuserConfig(CommonConfig):
    """What defines a StainDiffuser besides its weights, and besides what `CommonConfig` states.

    Attributes
    ----------
    stain : str
        Marker, e.g. ``"CD3"``.
    lambda_seg : float
        λ of L = L_gen + λ·L_seg (paper: 1 or 3 win); 0 trains the generation branch alone, and the
        system then has no segmentation output.
    encoder : {"channel-norm", "batch-norm"}
        Of the H&E: one block a level, each pixel normalised over its channels; or two blocks a level with batch norms,
        wider, with a narrower segmentation branch beside it (see `ENCODER_WIDTHS`).
    normalise : bool
        Whether the H&E is brought to one reference by the statistics of its slide (see `diffuscope.stains.normalise`).
    auxiliary : {"segmentation", "distance", "probability"}
        What the second branch learns: the coarse mask, or the signed distance to its outline (paper, table 4); or the
        probability that a pixel lies in the mask, which is read out as the posterior mean: one evaluation at t = T.
    distance_um : float
        Distance at which the signed distance is cut off, µm; it is divided by this to lie in [−1, 1].
    """

    stain: Name
    lambda_seg: Weight = 1.0
    encoder: Literal["channel-norm", "batch-norm"] = "channel-norm"
    normalise: bool = False
    auxiliary: Literal["segmentation", "distance", "probability"] = "segmentation"
    distance_um: float = Field(default=5.0, gt=0.0, le=1e4)

    @property
    def segmentation_widths(self) -> tuple[int, ...]:
        """Channels of the segmentation branch; none without one."""
        widths = SEGMENTATION_WIDTHS if self.encoder == "batch-norm" else WIDTHS
        return widths[self.size] if self.lambda_seg > 0 else ()

    @property
    def feature_widths(self) -> tuple[int, ...] | None:
        """Channels of the encoder with batch norms."""
        return ENCODER_WIDTHS[self.size] if self.encoder == "batch-norm" else None


class MultiStainDiffuserConfig(CommonConfig):
    """What defines a Multi-StainDiffuser besides its weights, and besides what `CommonConfig` states.

    Attributes
    ----------
    stains : tuple of str
        Markers, e.g. ``("CD3", "CK8/18")``; the first is the main output.
    lambdas : tuple of float
        λ_i of L = Σ λ_i·L_i, one a stain; empty: all 1.
    """

    stains: tuple[Name, ...] = Field(min_length=2, max_length=PORTS)
    lambdas: tuple[Weight, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        keys = [stain_key(stain) for stain in self.stains]
        if not all(keys) or len(set(keys)) < len(keys):
            raise ValueError(f"stains need names that differ in letters or digits, not {', '.join(self.stains)}")
        if self.lambdas and (len(self.lambdas) != len(self.stains) or min(self.lambdas) <= 0):
            raise ValueError(f"lambdas must be {len(self.stains)} numbers above 0, one a stain, not {self.lambdas}")
        return self


class BidirectionalConfig(CommonConfig):
    """What defines a bidirectional StainDiffuser besides its weights, and besides what `CommonConfig` states.

    Attributes
    ----------
    stain : str
        Marker, e.g. ``"CD3"``.
    direction : {"he-to-ihc", "ihc-to-he"}
        What a run does. The weights are trained for both and are the same for both.
    """

    stain: Name
    direction: Literal["he-to-ihc", "ihc-to-he"] = "he-to-ihc"


def stain_key(stain: str) -> str:
    """Return a stain's name as keys of ports and tensors hold it, e.g. ``"ck818"`` for ``"CK8/18"``."""
    return re.sub(r"[^a-z0-9]", "", stain.lower())
