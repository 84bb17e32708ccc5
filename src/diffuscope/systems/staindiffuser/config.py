"""Configuration of StainDiffuser, as it stands in a model folder's config.json and in a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

WIDTHS: dict[str, tuple[int, ...]] = {
    # Multipliers (1, 2, 4, 8) of MedSegDiff, the nearest published shape; the paper states no channels.
    "paper": (64, 128, 256, 512),
    # 3.0 M parameters in all; measured at 39 ms per 288² evaluation of one U-Net in bf16 on two cores.
    "small": (32, 48, 64, 96),
    # For tests and for trying the machinery.
    "tiny": (8, 8, 16, 16),
}


class StainDiffuserConfig(BaseModel):
    """What defines a StainDiffuser besides its weights.

    Attributes
    ----------
    stain : str
        Marker, e.g. ``"CD3"``.
    size : {"paper", "small", "tiny"}
        Channels of the four levels, see `WIDTHS`.
    T : int
        Diffusion steps of training (paper: 2000 for CD3, 4000 for CK8/18).
    lambda_seg : float
        λ of L = L_gen + λ·L_seg (paper: 1 or 3 win); 0 trains the generation branch alone, and the
        system then has no segmentation output.
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
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stain: str
    size: Literal["paper", "small", "tiny"] = "small"
    T: int = Field(default=2000, ge=2)
    lambda_seg: float = Field(default=1.0, ge=0.0)
    loss_weighting: Literal["epsilon", "velocity"] = "velocity"
    mpp: float = Field(default=0.5, gt=0.0)
    patch: int = Field(default=128, ge=16, multiple_of=8)
    dab_threshold: float = Field(default=0.15, gt=0.0)
