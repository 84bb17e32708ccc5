"""What pixels a run finds at an input, known from the layer: so that what it would refuse is said before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.jobs.port_checks import Pixels, check_port
from diffuscope.plugin.layers.inputs.origin import Origin
from diffuscope.ports.raster import Raster
from diffuscope.tiling.whole import make_whole_plan


def pixels_of(layer: Any, origin: Origin | None) -> Pixels:
    """Return what a run finds in a slide's layer, or in the file that it is of."""
    rgb, finest = bool(layer.rgb), layer.data[0] if layer.multiscale else layer.data
    dtype = np.dtype(finest.dtype)
    shape = (int(finest.shape[0]), int(finest.shape[1]))
    if origin is not None:
        return Pixels(name=origin.path.name, axes="yx", rgb=rgb, channels=origin.channels, dtype=dtype, shape=shape)
    channels = ("R", "G", "B") if rgb else (layer.name,)
    dtype = stored_dtype(dtype, rgb=rgb)
    return Pixels(name=layer.name, axes="yx", rgb=rgb, channels=channels, dtype=dtype, shape=shape)


def refused(pixels: Pixels | None, channel: int | None, port: Raster, model: str, mpp: float | None = None) -> str:
    """Say why a run would refuse pixels at a port of a model; empty where it would not, or nothing is known of them.

    Of a file with several channels a port of one takes `channel`, one of colours the whole file; `mpp` is the µm/px
    of the pixels, where that is known.
    """
    if pixels is None:
        return ""
    if channel is not None and port.kind == "map":
        pixels = replace(pixels, channels=(pixels.channels[channel],))
    try:
        check_port(pixels, port, Path(model).name)
    except InputError as error:
        return str(error)
    if mpp is None:
        return ""
    factor = port.mpp / mpp
    return port.too_large(*make_whole_plan(shape=pixels.shape, factors=(factor, factor)).shape)


def stored_dtype(dtype: np.dtype[Any], *, rgb: bool) -> np.dtype[Any]:
    """Return the type in which an image file holds values with the same meaning: of fractions of colour 8 bits."""
    if rgb and dtype.kind == "f":
        return np.dtype(np.uint8)
    other = {"b1": np.uint8, "f2": np.float32, "f16": np.float64, "i8": np.float64, "u8": np.float64}
    return np.dtype(other.get(f"{dtype.kind}{dtype.itemsize}", dtype.newbyteorder("=")))
