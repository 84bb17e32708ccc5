"""Configuration of the mask network, as it stands in a recipe's round or in a model folder's config.json."""

from __future__ import annotations

from pydantic import BaseModel, Field

from diffuscope.systems.bounds import SIDE, STRICT, Name, Resolution


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

    model_config = STRICT

    stain: Name
    mpp: Resolution = 0.5
    patch: int = Field(default=128, ge=16, le=SIDE, multiple_of=8)
