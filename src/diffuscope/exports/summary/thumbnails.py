"""Small pictures of a result, of the coarsest level of its pyramid alone."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffuscope.exports.shown import shown_port, shown_ports
from diffuscope.exports.view.sheet import hatch
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
    """Draw the images of a result; of a volume the slice in the middle of those that were computed.

    Maps are grey over the range that the window shows them in, which the caption states, and hatched where nothing was
    computed, or what was is not known.
    """
    return [_draw(result, port) for port in shown_ports(result)[:_MOST]]


def _draw(result: Result, port: Raster) -> Thumbnail:
    # Of 256 px at most.
    level = result.images[port.key][-1]
    known = _known(result, level.shape[:-1])
    if level.ndim == 4:
        # a slice that nobody asked for shows nothing: of those that were computed the one in the middle
        computed = np.flatnonzero(known.any(axis=(1, 2)))
        z = int(computed[len(computed) // 2]) if len(computed) else len(level) // 2
        level, known = level[z], known[z]
    pixels = in_memory(level)
    low, high = shown_port(result, port).range
    caption = port.name
    if port.kind != "rgb":
        caption += f": {low:g} black, {f'{high:g} {port.unit}'.rstrip()} white"
        why = ["not computed"] if not known.all() else []
        finite = np.isfinite(pixels[..., 0])
        why += ["not known"] if (known & ~finite).any() else []
        known &= finite
        caption += f"; hatched: {' or '.join(why)}" if why else ""
        pixels = np.repeat(np.nan_to_num(pixels, nan=low), 3, axis=-1)
    scaled = (pixels.astype(np.float64) - low) * (255.0 / (high - low))
    image = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    if port.kind != "rgb" and not known.all():
        # whole px alone are known: in a part of one what stands for no value is mixed with its own
        share = Image.fromarray(np.where(known, np.uint8(255), np.uint8(0)))
        gaps = np.asarray(share.resize(image.size, Image.Resampling.BOX)) < 255
        drawn = np.array(image)
        drawn[gaps] = hatch(gaps)
        image = Image.fromarray(drawn)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return Thumbnail(caption, f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}")


def _known(result: Result, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which px of the coarsest level were computed; all of a result that does not say."""
    if result.coverage is None:
        return np.ones(shape, np.bool_)
    factor = 2 ** (len(result.images[result.ports[0].key]) - 1)
    factors = (*[1] * (len(shape) - 2), factor, factor)
    return result.coverage.read().mask([range(side) for side in shape], factors)
