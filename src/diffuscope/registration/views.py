"""To judge by eye: two slides in squares by turns, or one drawn over the other like a curtain."""

from __future__ import annotations

from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from diffuscope.registration.transform import Transform
from diffuscope.registration.warp import read_warped
from diffuscope.scans import Foreground, Scan, read_region

Pixel = TypeVar("Pixel", bound=np.generic)

# Of a panel, px; squares along its longer side; side of the window that is shown where none is asked for, µm.
PANEL, _SQUARES, SHOWN = 640, 8, 600.0
_MARGIN, _CAPTION = 12, 28


def checkerboard(first: NDArray[Pixel], second: NDArray[Pixel], *, square: int) -> NDArray[Pixel]:
    """Return squares of two images by turns, the first one's at the upper left.

    Parameters
    ----------
    first, second : ndarray of shape (h, w, c)
        Of the same shape.
    square : int
        Side of a square, px, > 0.
    """
    rows, columns = (np.arange(side) // square for side in first.shape[:2])
    return np.where(((rows[:, None] + columns) % 2 == 0)[..., None], first, second)


def curtain(first: NDArray[Pixel], second: NDArray[Pixel], *, place: float = 0.5) -> NDArray[Pixel]:
    """Return the first image on the left and the second on the right of a line at `place` (0-1) of the width."""
    edge = round(place * first.shape[1])
    return np.concatenate([first[:, :edge], second[:, edge:]], axis=1)


def densest(tissue: Foreground, scan: Scan) -> tuple[int, int, int, int]:
    """Return (x, y, width, height) in level-0 px of the square of 600 µm that holds most tissue, or of the slide."""
    assert scan.mpp is not None
    height, width = (min(side, round(SHOWN / scan.mpp)) for side in scan.shape)
    size = [max(1, round(side / tissue.downsample)) for side in (height, width)]
    there = ndimage.uniform_filter(tissue.mask.astype(np.float32), size, mode="constant")
    middle = np.unravel_index(int(there.argmax()), there.shape)
    y, x = (
        int(np.clip(round((m + 0.5) * tissue.downsample) - side // 2, 0, whole - side))
        for m, side, whole in zip(middle, (height, width), scan.shape, strict=True)
    )
    return x, y, width, height


def picture(
    fixed: Scan, moving: Scan, *, before: Transform, after: Transform, window: tuple[int, int, int, int]
) -> Image.Image:
    """Draw a window of two slides: as a checkerboard before and after registration, and as a curtain after.

    Parameters
    ----------
    fixed, moving : Scan
        8-bit RGB, of known µm/px.
    before, after : Transform
        From the fixed slide to the moving one.
    window : tuple of int
        (x, y, width, height) in level-0 px of the fixed slide.

    Returns
    -------
    Image
        RGB, three panels of at most 640 px side by side.
    """
    assert fixed.mpp is not None
    factor = max(1.0, max(window[2:]) / PANEL)
    x, y, width, height = (int(n / factor) for n in window)
    mpp = fixed.mpp * factor
    own = read_region(fixed, y=y, x=x, height=height, width=width, factor=factor)
    unmoved, moved = (
        read_warped(moving, transform, mpp=mpp, y=y, x=x, height=height, width=width) for transform in (before, after)
    )
    square = ceil(max(width, height) / _SQUARES)
    length = f"{square * mpp / 1000:.2g} mm"  # the font that comes with Pillow has no µ
    panels = (
        (f"before: squares of {length}", checkerboard(own, unmoved, square=square)),
        (f"after: squares of {length}", checkerboard(own, moved, square=square)),
        ("after: fixed | moving", curtain(own, moved)),
    )
    sheet = Image.new("RGB", (_MARGIN + 3 * (width + _MARGIN), _CAPTION + height + _MARGIN), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for number, (caption, pixels) in enumerate(panels):
        left = _MARGIN + number * (width + _MARGIN)
        draw.text((left, 6), caption, (20, 20, 20), ImageFont.load_default(15))
        sheet.paste(Image.fromarray(pixels), (left, _CAPTION))
    return sheet
