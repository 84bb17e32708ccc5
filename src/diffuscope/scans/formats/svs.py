"""Aperio SVS: a pyramid of JPEG or JPEG 2000 tiles, its µm/px in the description of the first page."""

from __future__ import annotations

import re

import tifffile

from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.tiff_checks import is_rgb
from diffuscope.scans.formats.tiff_series import (
    associated,
    colour_notices,
    contradiction,
    largest,
    series_levels,
    tag_resolution,
)
from diffuscope.scans.physical import plausible
from diffuscope.scans.source import Cache


def read_svs(tif: tifffile.TiffFile, name: str) -> Contents:
    """Contents of an Aperio file.

    The objective's magnification (AppMag) is not turned into µm/px: scanners of one magnification differ by 10 %.
    """
    cache = Cache()
    main = largest(tif, name)
    levels = series_levels(tif.series[main], cache, name)
    page = tif.series[main].keyframe
    found = re.search(r"\|\s*MPP\s*=\s*([0-9.]+)", page.description)
    number = float(found.group(1)) if found and re.fullmatch(r"\d*\.?\d+", found.group(1)) else 0.0
    beside, left_out = associated((one for i, one in enumerate(tif.series) if i != main), cache, name)
    stated = (number, number) if plausible(number) else None
    return Contents(
        format="Aperio SVS",
        levels=list(levels),
        mpp=stated or tag_resolution(page),
        rgb=is_rgb(page),
        notices=(*colour_notices(page, levels[0], name), *left_out, *contradiction(stated, page, name)),
        associated=beside,
    )
