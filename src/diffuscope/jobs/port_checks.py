"""Whether a scan is what an input port of the model declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from diffuscope.errors import InputError
from diffuscope.ports.raster import Raster
from diffuscope.scans import Image


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """As much of an `Image` as a port looks at, where that is not opened yet."""

    name: str
    axes: Literal["yx", "zyx"]
    rgb: bool
    channels: tuple[str, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, int]


def check_port(scan: Image | Pixels, port: Raster, model: str) -> None:
    """Refuse a scan whose pixels are not what the port declares."""
    if scan.axes != port.axes:
        it, works_on = {"yx": ("a volume", "slides and other pictures"), "zyx": ("no volume", "volumes")}[port.axes]
        how = "give one slice of it as a picture" if port.axes == "yx" and port.kind == "map" else "give one"
        raise InputError(f"{scan.name} is {it}, but model {model} works on {works_on}: {how}.")
    channels = len(port.channels)
    fits = scan.rgb if port.kind == "rgb" else len(scan.channels) == channels
    if fits and (scan.dtype == np.dtype(port.dtype) or port.dtype == "float32" or port.scale == "percentile"):
        return
    bits = 8 * np.dtype(port.dtype).itemsize
    needed = f"{bits}-bit RGB" if port.kind == "rgb" else f"{bits}-bit, {channels}-channel"
    number = len(scan.channels)
    needed = f"{channels}-channel" if port.dtype == "float32" or port.scale == "percentile" else needed
    listed = f" ({', '.join(scan.channels)})" if 1 < number <= 40 and not scan.rgb else ""
    kind = "an RGB image" if scan.rgb else f"an image of {number} channel{'s' if number != 1 else ''}"
    how = f"say which channel, {scan.name}#NAME" if port.kind == "map" and channels == 1 < number else "give one"
    if fits and scan.rgb:
        how = f"save it with {bits} bits a colour (docs/formats.md says how)"
    raise InputError(f"{scan.name} is {kind}{listed} of type {scan.dtype}, but model {model} needs {needed}: {how}.")
