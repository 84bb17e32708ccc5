"""Configuration of the mask network, as it stands in a recipe's round or in a model folder's config.json."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CellMasksConfig(BaseModel):
    """What defines a mask network besides its weights.

    Attributes
    ----------
    stain : str
        Marker, e.g. ``"CD3"``.
    mpp : float
        µm per pixel of training and of running.
    patch : int
        Side of a training patch, px.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stain: str
    mpp: float = Field(default=0.5, gt=0.0)
    patch: int = Field(default=128, ge=16, multiple_of=8)
