"""Whether a scan is what an input port of the model declares."""

from __future__ import annotations

import numpy as np

from diffuscope.errors import InputError
from diffuscope.ports.raster import Raster
from diffuscope.scans import Scan, Volume

# Outside these a slide's µm/px is a slip of unit or comma, not an objective.
PLAUSIBLE_MPP = (0.02, 50.0)


def check_port(scan: Scan | Volume, port: Raster, model: str) -> None:
    """Refuse a scan whose pixels are not what the port declares."""
    if (port.spacing is not None) != isinstance(scan, Volume):
        kinds = ("a volume", "slides") if isinstance(scan, Volume) else ("no volume", "volumes")
        raise InputError(f"{scan.name} is {kinds[0]}, but model {model} works on {kinds[1]}: give one.")
    if isinstance(scan, Volume):
        return
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
    how = f": say which channel, {scan.name}#NAME" if port.kind == "map" and channels == 1 < number else ""
    raise InputError(f"{scan.name} is {kind}{listed} of type {scan.dtype}, but model {model} needs {needed}{how}.")


def check_mpp(name: str, mpp: float) -> None:
    """Refuse a resolution that no slide has."""
    if not PLAUSIBLE_MPP[0] <= mpp <= PLAUSIBLE_MPP[1]:
        raise InputError(f"{name} would have {mpp:g} µm/px, which no slide has: give its µm/px (--mpp).")
