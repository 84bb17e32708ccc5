"""Ports of DAMM-Diffusion: what its configuration declares, and its maps."""

from __future__ import annotations

from dataclasses import replace

from diffuscope.ports.numbers import Option, Value
from diffuscope.ports.raster import Raster
from diffuscope.systems.damm.config import DAMMConfig, Modality

MEAN_U = "attention_uncertainty"
SPREAD = "uncertainty"
DIVERGENCE = Value(name="divergence d", key="divergence", range=(0.0, 1.0))
BRANCH = Value(name="multi-modal branch taken", key="multimodal", range=(0.0, 1.0))


def taken(modality: Modality, config: DAMMConfig) -> Raster:
    """Return the port of an input."""
    port = _map(modality, config.mpp, dtype=modality.dtype)
    return replace(port, spacing=config.spacing, scale=modality.scale)


def made(config: DAMMConfig) -> tuple[Raster, ...]:
    """Return the output ports: the prediction, U where there is one, and the spread over samples."""
    output, mpp = config.output, config.mpp
    low, high = output.range
    main = _map(output, mpp, dtype="float32", name=f"predicted {output.title}")
    ports = [replace(main, scale=output.scale)]
    if config.variant.attention == "uncertain":
        # 4 significant digits: 8 px of 1 mm are 8000 µm.
        told = f"attention uncertainty U, one value per {config.reach} px = {config.reach * mpp:.4g} µm"
        ports.append(_measure(told, MEAN_U, mpp, top=1.0, colormap="magma"))
    ports.append(_measure(SPREAD, SPREAD, mpp, top=0.25 * (high - low), colormap="magma", unit=output.unit))
    return tuple(ports)


def gamma(config: DAMMConfig) -> Option:
    """Return γ as a run may set it."""
    helpers = ", ".join(one.title for one in config.auxiliaries)
    return Option(
        name="γ: multi-modal where d ≤ γ",
        key="gamma",
        default=config.gamma,
        range=(0.0, 1.0),
        about=f"A step of a tile uses {helpers} where the divergence d is at most γ. 0: never, 1: always.",
    )


def _map(modality: Modality, mpp: float, *, dtype: str, name: str = "") -> Raster:
    title = name or modality.title
    return Raster(
        name=title,
        key=modality.key,
        kind="map",
        channels=(modality.title,),
        mpp=mpp,
        range=modality.range,
        dtype="uint8" if dtype == "uint8" else "float32",
        fill=modality.range[0],
        unit=modality.unit,
        colormap=modality.colormap,
    )


def _measure(name: str, key: str, mpp: float, *, top: float, colormap: str, unit: str = "") -> Raster:
    return Raster(
        name=name,
        key=key,
        kind="map",
        channels=(key.replace("_", " "),),
        mpp=mpp,
        range=(0.0, top),
        dtype="float32",
        fill=0.0,
        unit=unit,
        colormap=colormap,
    )
