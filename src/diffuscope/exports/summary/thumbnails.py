"""Small pictures of a result, of the coarsest level of its pyramid alone."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from diffuscope.exports.shown import shown_port
from diffuscope.scans.region import in_memory

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result

# Images of a result that are shown, the main one first; their longer side, px: a page may have a thousand slides.
_MOST, _SIDE, _QUALITY = 3, 160, 80


class Thumbnail(NamedTuple):
    """A picture as a page holds it, and what stands below it."""

    caption: str
    uri: str


def thumbnails(result: Result) -> list[Thumbnail]:
    """Draw the images of a result; of a volume the slice in the middle.

    Maps are grey over the range that the window shows them in, which the caption states.
    """
    return [_draw(result, port) for port in result.ports[:_MOST]]


def _draw(result: Result, port: Raster) -> Thumbnail:
    # Of 256 px at most.
    level = result.images[port.key][-1]
    plane = level[len(level) // 2] if level.ndim == 4 else level
    pixels = in_memory(plane)
    low, high = shown_port(result, port).range
    caption = port.name
    if port.kind != "rgb":
        caption += f": {low:g} black, {f'{high:g} {port.unit}'.rstrip()} white"
        pixels = np.nan_to_num(pixels[..., 0], nan=low)
    scaled = (pixels.astype(np.float64) - low) * (255.0 / (high - low))
    image = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return Thumbnail(caption, f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}")
