"""From tifffile's series (an image and its reduced copies) to levels, and the resolution tags."""

from __future__ import annotations

from collections.abc import Iterable
from math import isclose

import numpy as np
import tifffile

from diffuscope.errors import InputError
from diffuscope.scans.formats.picture import TURNED
from diffuscope.scans.formats.tiff_checks import check_segments, is_rgb
from diffuscope.scans.formats.tiff_level import TiffLevel
from diffuscope.scans.guards.sizes import check_planes
from diffuscope.scans.physical import MICROMETRES, plausible
from diffuscope.scans.source import Cache, Source

# ResolutionUnit: only these two are a length; 1 means "no absolute unit".
_UNITS = {2: "inch", 3: "centimetre"}

_ORIENTATION, _ICC = 274, 34675
# Two sizes that differ by no more are one, rounded in two ways.
_SAME = 0.02

# Names under which a slide's other pictures are found.
_ASSOCIATED = {"label": "label", "macro": "macro", "overview": "macro", "thumbnail": "thumbnail"}


def series_levels(series: tifffile.TiffPageSeries, cache: Cache, name: str) -> list[TiffLevel]:
    """Levels of an image, finest first.

    Raises
    ------
    InputError
        When the series has an axis that is neither y, x, z nor channels, or when planes are missing.
    """
    for axis, size in zip(series.axes, series.shape, strict=True):
        if axis not in "ZYXCS" and size > 1:
            raise InputError(
                f"{name} is a stack of {size} planes (axes {series.axes}) and not one slide; save one plane of it, or "
                "save channels as OME-TIFF so that they are known to be channels."
            )
    levels: list[TiffLevel] = []
    for level in series.levels:
        planes = 1
        for axis, size in zip(level.axes, level.shape, strict=True):
            planes *= size if axis in "CZ" else 1
        check_planes(name, planes)
        pages = list(level)
        if len(pages) != planes or any(page is None for page in pages):
            raise InputError(f"{name} has {planes} planes of which not all are there; it may be one file of several.")
        one = TiffLevel([page for page in _in_middle(level) if page is not None], cache, name)
        if not levels or (one.shape[0] < levels[-1].shape[0] and one.shape[2] == levels[0].shape[2]):
            levels.append(one)
    return levels


def _in_middle(series: tifffile.TiffPageSeries) -> list[tifffile.TiffPage | tifffile.TiffFrame | None]:
    """Return the pages of the focal plane in the middle, of all channels; all pages where there is no other plane."""
    pages = list(series)
    before = [(axis, size) for axis, size in zip(series.axes, series.shape, strict=True) if axis in "CZ"]
    sizes = [size for _, size in before]
    for number, (axis, size) in enumerate(before):
        if axis == "Z" and size > 1:
            return [pages[i] for i in np.arange(len(pages)).reshape(sizes).take(size // 2, number).ravel()]
    return pages


def stack_notice(series: tifffile.TiffPageSeries, name: str) -> tuple[str, ...]:
    """One sentence on the focal planes that are left out."""
    planes = dict(zip(series.axes, series.shape, strict=True)).get("Z", 1)
    return (f"{name} has {planes} focal planes (z), of which number {planes // 2 + 1} is taken.",) if planes > 1 else ()


def largest(tif: tifffile.TiffFile, name: str) -> int:
    """Number of the series with the most pixels in its plane: the slide itself, whatever comes before it."""
    if not tif.series:
        raise InputError(f"{name} holds no image.")
    pages = [series.keyframe for series in tif.series]
    return max(range(len(pages)), key=lambda i: pages[i].imagelength * pages[i].imagewidth)


def has_twin(tif: tifffile.TiffFile, main: int) -> bool:
    """Whether another series has as many pixels, as high and as wide, as this one."""
    sizes = [(series.keyframe.imagelength, series.keyframe.imagewidth) for series in tif.series]
    return sizes.count(sizes[main]) > 1


def associated(
    series: Iterable[tifffile.TiffPageSeries], cache: Cache, name: str
) -> tuple[dict[str, Source], tuple[str, ...]]:
    """Label, macro and thumbnail among the series, told by their names, and a sentence on each that is left out.

    Raises
    ------
    InputError
        The file ends before one of them does.
    """
    found: dict[str, Source] = {}
    left_out: list[str] = []
    for one in series:
        for word, key in _ASSOCIATED.items():
            if word in one.name.lower() and key not in found:
                check_segments([page for page in one.pages if page is not None], name)
                try:
                    found[key] = series_levels(one, cache, name)[0]
                except InputError as error:  # the slide itself may be as good as any
                    left_out.append(f"The {key} of {name} is left out: {error}")
    return found, tuple(left_out)


def colour_notices(page: tifffile.TiffPage, level: TiffLevel, name: str) -> tuple[str, ...]:
    """One sentence each on what is stored with an image and not applied to it."""
    told = []
    if level.dropped:
        told.append(
            f"{level.dropped} sample(s) beside red, green and blue are left out: the file does not say what they are."
        )
    if _ICC in page.tags and is_rgb(page):
        told.append(
            f"{name} has an ICC colour profile, which is not applied: its colours are taken as they are stored."
        )
    turned = int(page.tags.valueof(_ORIENTATION, 1))
    if 1 < turned <= 8:
        told.append(TURNED.format(name, turned))
    return tuple(told)


def contradiction(stated: tuple[float, float] | None, page: tifffile.TiffPage, name: str) -> tuple[str, ...]:
    """One sentence where the resolution tags say another µm/px than a description, which is believed."""
    tags = tag_resolution(page)
    if stated is None or tags is None or all(isclose(a, b, rel_tol=_SAME) for a, b in zip(stated, tags, strict=True)):
        return ()
    found = f"{name} says {stated[1]:.4g} µm/px in its description and {tags[1]:.4g} in its resolution tags"
    return (f"{found}; the first is used (--mpp gives another).",)


def tag_resolution(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """(y, x) µm per pixel from the resolution tags, or None.

    The tags count only when their unit is the inch or the centimetre and the value can be a microscope's: programs
    write 72, 96 or 300 dpi into files of whose scale they know nothing, and that is not a pixel size.
    """
    unit = _UNITS.get(int(page.tags.valueof("ResolutionUnit", 1)))
    sizes = []
    for tag in ("YResolution", "XResolution"):
        above, below = page.tags.valueof(tag, (0, 0))
        if unit is None or not above or not below:
            return None
        sizes.append(MICROMETRES["inch" if unit == "inch" else "cm"] * below / above)
    return (sizes[0], sizes[1]) if all(plausible(size) for size in sizes) else None
