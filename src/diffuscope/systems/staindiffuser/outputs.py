"""Ports that the variants of StainDiffuser share."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from diffuscope.ports.raster import Raster
from diffuscope.ports.stains import SAMPLES


def colour(name: str, key: str, mpp: float, *, scale: Literal["stored", "stain"] = "stored") -> Raster:
    """Return the port of a colour image."""
    return Raster(name=name, key=key, kind="rgb", channels=("R", "G", "B"), mpp=mpp, range=(0.0, 255.0), scale=scale)


def dab(mpp: float, *, name: str = "DAB", key: str = "dab") -> Raster:
    """Return the port of DAB optical density."""
    port = _density(name, key, "DAB", mpp, top=1.0, colormap="gray_r")
    return replace(port, samples=SAMPLES + key.removeprefix("dab"))


def uncertainty(mpp: float, *, name: str = "uncertainty", key: str = "uncertainty") -> Raster:
    """Return the port of the uncertainty, OD."""
    return _density(name, key, "uncertainty", mpp, top=0.3, colormap="magma")


def segmentation(mpp: float) -> Raster:
    """Return the port of the probability of a positive cell."""
    return Raster(
        name="segmentation",
        key="segmentation",
        kind="map",
        channels=("probability",),
        mpp=mpp,
        range=(0.0, 1.0),
        dtype="float32",
        fill=0.0,
        colormap="viridis",
    )


def distance(mpp: float, limit: float) -> Raster:
    """Return the port of the signed distance to the outline of positive cells, cut off at ± `limit` µm."""
    return Raster(
        name="signed distance",
        key="distance",
        kind="map",
        channels=("signed distance",),
        mpp=mpp,
        range=(-limit, limit),
        dtype="float32",
        fill=-limit,
        unit="µm",
        colormap="viridis",
    )


def _density(name: str, key: str, channel: str, mpp: float, *, top: float, colormap: str) -> Raster:
    return Raster(
        name=name,
        key=key,
        kind="map",
        channels=(channel,),
        mpp=mpp,
        range=(0.0, top),
        dtype="float32",
        fill=0.0,
        unit="OD",
        colormap=colormap,
    )
