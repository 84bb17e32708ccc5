"""Where the tissue is: a coarse mask of the whole slide, by absolute optical density and hue."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from diffuscope.scans.mask import Foreground
from diffuscope.scans.morphology import closed, grown, holes, without_specks
from diffuscope.scans.region import read_region
from diffuscope.scans.source import COARSEST_SIDE

if TYPE_CHECKING:
    from diffuscope.scans.scan import Scan

# Level-0 px per mask px at least: finer, and the mask would show the gaps between cells.
FINEST = 4

# All lengths below are level-0 px of slides scanned at 0.2–0.5 µm/px; at coarser masks they shrink to nothing.
# Gaps up to twice this are part of the tissue: a fat cell is about 100 px wide.
_CLOSE = 48
# Specks below this side are dust; enclosed holes below this side belong to the tissue; ink above this side is a mark,
# and below it the dye on a specimen's margin, which is tissue.
_SPECK = 128
_HOLE = 192
_MARK = 96

# Mean optical density of R, G, B: glass has 0.00–0.05 (0.065 in greyish scans), pale eosin or counterstain 0.08–0.15.
_STAINED = 0.08
# Spread of the three densities over their mean: haematoxylin 0.7, eosin > 1, DAB 0.9; shadow, dust, black ink about 0.
_COLOURED = 0.15


def tissue_mask(scan: Scan) -> Foreground:
    """Find the tissue of a slide on a level of at most 1024 px.

    A pixel is stained when its mean optical density is above 0.08 and its colour is not grey. The threshold is
    absolute: one that is fitted to the slide (Otsu) always splits it in two, a slide that is all tissue or all glass
    too. Ink is told by hue: green and teal ink absorb far more red than green light, which haematoxylin, eosin and DAB
    do not; blue ink absorbs hardly any blue, haematoxylin a third of what it does of red; black ink has no colour. Red
    ink has the colours of blood and is not told from it. Gaps the size of a fat cell are closed, specks dropped and
    small holes filled.

    The same slide gives the same mask always: it depends on nothing else. Of a scan that is not RGB, where stain has no
    meaning, everything counts as tissue.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    Foreground
    """
    down, height, width = coarse_grid(scan)
    if not scan.rgb:
        return Foreground(np.ones((height, width), dtype=bool), down)
    pixels = read_region(scan, y=0, x=0, height=height, width=width, factor=down)
    white = 255.0 if scan.dtype.kind == "u" and scan.dtype.itemsize == 1 else float(np.iinfo(scan.dtype).max)
    # Of bytes it is looked up.
    density = _density(np.arange(256), white)[pixels] if pixels.dtype == np.uint8 else _density(pixels, white)
    return Foreground(_regions(density, down), down)


def _density(values: np.ndarray, white: float) -> np.ndarray:
    return np.asarray(-np.log10((values.astype(np.float64) / white * 255 + 1) / 256))


def coarse_grid(scan: Scan) -> tuple[float, int, int]:
    """Return level-0 px per px of a slide's mask, and the mask's height and width."""
    down = next(
        (
            down
            for level, down in zip(scan.grids, scan.downsamples, strict=True)
            if down >= FINEST and max(level.shape) <= COARSEST_SIDE
        ),
        float(FINEST),
    )
    height, width = (math.ceil(side / down) for side in scan.shape)
    return down, height, width


def _regions(density: np.ndarray, down: float) -> np.ndarray:
    """Tissue from optical density (y, x, 3) at `down` level-0 px per px."""
    ink, like_ink = _ink(density)
    # A mark is large; it is taken with the tissue between its strokes and with its faint edge.
    mark = closed(without_specks(ink, _MARK / down), _CLOSE / down)
    mark |= grown(mark, _CLOSE / down / 2) & like_ink
    # Plane by plane: over an axis of three, numpy's own takes ten times as long.
    red, green, blue = np.moveaxis(density, -1, 0)
    mean = (red + green + blue) / 3
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    stained = (mean > _STAINED) & (spread > _COLOURED * mean) & ~ink & ~mark
    tissue = closed(without_specks(stained, 8 / down), _CLOSE / down) & ~mark
    tissue = without_specks(tissue, _SPECK / down)
    return (tissue | holes(tissue, _HOLE / down)) & ~mark


def _ink(density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels with the hue of green or blue ink, and those that may be ink over or beside tissue.

    Measured on the H&E files at hand, red density is below green density in 99 % of stained pixels (never above 1.3
    times it but in ink), and under green ink 1.3–3.4 times it. A bluish haematoxylin without eosin reaches 1.6, but
    with blue density at 0.6 of green, where green ink has 0.75–1.3.
    """
    red, green, blue = np.moveaxis(density, -1, 0)
    is_green = (red - green > 0.1) & (red > 1.3 * green) & (blue > 0.75 * green)
    is_blue = (red > 0.4) & (blue < 0.2 * red)
    return is_green | is_blue, (red > 0.15) & (red > 1.05 * green) & (blue > 0.68 * green)
