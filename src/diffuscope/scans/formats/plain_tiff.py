"""TIFF without a description of its own: pyramidal or not, resolution tags only where they can be believed."""

from __future__ import annotations

import tifffile

from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.tiff_checks import is_rgb
from diffuscope.scans.formats.tiff_series import (
    associated,
    colour_notices,
    largest,
    series_levels,
    stack_notice,
    tag_resolution,
)
from diffuscope.scans.physical import micrometres
from diffuscope.scans.source import Cache


def read_plain(tif: tifffile.TiffFile, name: str) -> Contents:
    """Contents of any other TIFF, with ImageJ's calibration where ImageJ wrote it."""
    cache = Cache()
    main = largest(tif, name)
    levels = series_levels(tif.series[main], cache, name)
    page = tif.series[main].keyframe
    beside, left_out = associated((one for i, one in enumerate(tif.series) if i != main), cache, name)
    return Contents(
        format="TIFF",
        levels=list(levels),
        mpp=_imagej(tif, page) or tag_resolution(page),
        rgb=is_rgb(page),
        notices=(*stack_notice(tif.series[main], name), *colour_notices(page, levels[0], name), *left_out),
        associated=beside,
    )


def _imagej(tif: tifffile.TiffFile, page: tifffile.TiffPage) -> tuple[float, float] | None:
    """(y, x) µm per pixel as ImageJ writes it: pixels per unit in the tags, the unit's name in the description."""
    unit = (tif.imagej_metadata or {}).get("unit")
    sizes = []
    for tag in ("YResolution", "XResolution"):
        above, below = page.tags.valueof(tag, (0, 0))
        size = micrometres(below / above, str(unit).replace("\\u00B5", "µ")) if above and below and unit else None
        # ImageJ calls its dots per inch "inch" as other programs do; a page's resolution is no pixel size here either.
        if size is None or unit == "inch":
            return None
        sizes.append(size)
    return sizes[0], sizes[1]
