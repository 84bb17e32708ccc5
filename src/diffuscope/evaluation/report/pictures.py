"""Pictures of a report, within its text: colour as JPEG, maps as PNG on a scale that is stated."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# Longest side, px; a field of a slide has 512.
_SIDE = 512
_QUALITY = 90
# Dark is none: black, red, yellow.
_NONE, _SOME, _MOST = "#000004", "#cc4248", "#fcffa4"


class Shown(NamedTuple):
    """A picture and what stands below it."""

    caption: str
    data: str


def colour(caption: str, picture: NDArray[np.generic], limits: tuple[float, float] = (0.0, 255.0)) -> Shown:
    """Show a picture as it is.

    Parameters
    ----------
    caption : str
        Stands below it.
    picture : ndarray of shape (h, w, c)
        RGB where c is 3, else its first channel.
    limits : tuple of float
        Values that are shown black and white.
    """
    scaled = (np.asarray(picture, dtype=np.float64) - limits[0]) * (255.0 / (limits[1] - limits[0]))
    levels = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return Shown(caption, _uri(Image.fromarray(levels if levels.shape[2] == 3 else levels[..., 0]), "JPEG"))


def heat(caption: str, values: NDArray[np.floating], most: float, unit: str) -> Shown:
    """Show a map of values from 0 (black) to `most` (yellow), and say so.

    Parameters
    ----------
    caption : str
        Stands below it.
    values : ndarray of shape (h, w)
        At least 0.
    most : float
        Shown brightest; > 0.
    unit : str
        Of the values.
    """
    levels = np.clip(np.rint(np.nan_to_num(values) * (255.0 / most)), 0, 255).astype(np.uint8)
    image = ImageOps.colorize(Image.fromarray(levels), black=_NONE, mid=_SOME, white=_MOST)
    return Shown(f"{caption}, 0 to {most:.2g} {unit}".rstrip(), _uri(image, "PNG"))


def _uri(image: Image.Image, kind: str) -> str:
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, kind, **({"quality": _QUALITY} if kind == "JPEG" else {"optimize": True}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
