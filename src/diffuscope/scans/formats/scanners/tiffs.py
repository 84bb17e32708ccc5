"""Scanners' own kinds of TIFF: Hamamatsu NDPI, Leica SCN, Akoya's QPTIFF, Philips TIFF.

tifffile knows which of their pages are one image; where tiles lie and what they unpack to is as of any TIFF.
"""

from __future__ import annotations

import re

import tifffile

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.tiff_checks import is_rgb
from diffuscope.scans.formats.tiff_series import (
    associated,
    colour_notices,
    has_twin,
    largest,
    series_levels,
    stack_notice,
    tag_resolution,
)
from diffuscope.scans.guards.ome_xml import parse
from diffuscope.scans.guards.sizes import check_planes
from diffuscope.scans.physical import micrometres
from diffuscope.scans.source import Cache

_NDPI, _SCN, _QPTIFF, _PHILIPS = "Hamamatsu NDPI", "Leica SCN", "QPTIFF", "Philips TIFF"
_NAME = re.compile(r"<Name>([^<]{1,100})</Name>")
_SPACING = re.compile(r'Name="DICOM_PIXEL_SPACING"[^>]*>\s*&quot;([\d.]{1,20})&quot;\s*&quot;([\d.]{1,20})&quot;')


def scanner_of(tif: tifffile.TiffFile) -> str:
    """Return what a TIFF of a scanner is called; empty where it is none of them, or of another one."""
    kinds = {_NDPI: tif.is_ndpi, _SCN: tif.is_scn, _QPTIFF: tif.is_qpi, _PHILIPS: tif.is_philips}
    return next((name for name, is_it in kinds.items() if is_it), "")


def read_scanner(tif: tifffile.TiffFile, name: str, kind: str) -> Contents:
    """Contents of a scanner's TIFF: its largest image; label, macro and thumbnail beside it.

    Parameters
    ----------
    tif : tifffile.TiffFile
        Open.
    name, kind : str
        Of the file, and what `scanner_of` calls it.
    """
    if kind == _SCN:
        _check_planes(tif.pages.first.description, name)
    cache = Cache()
    main = largest(tif, name)
    levels = series_levels(tif.series[main], cache, name)
    page = tif.series[main].keyframe
    others = [one for i, one in enumerate(tif.series) if i != main]
    beside, left_out = associated(others, cache, name)
    notices = (*stack_notice(tif.series[main], name), *colour_notices(page, levels[0], name), *left_out)
    # Hamamatsu's map is one of focus, and Philips writes none but levels.
    more = len(others) - len(beside) - len(left_out) if kind == _SCN else 0
    if more > 0:
        notices += (
            f"{name} holds {more} more image(s), of the whole slide or of other sections; the largest is opened.",
        )
    return Contents(
        format=kind,
        levels=list(levels),
        mpp=(_philips(page.description) if kind == _PHILIPS else None) or tag_resolution(page),
        rgb=is_rgb(page) and levels[0].shape[2] == 3,
        channels=_names(tif.series[main], levels[0].shape[2]) if kind == _QPTIFF else (),
        notices=notices,
        associated=beside,
        has_twin=has_twin(tif, main),
    )


def _check_planes(description: str, name: str) -> None:
    """Refuse a Leica file that claims more planes than any has: tifffile makes a list of as many."""
    most = dict.fromkeys("rcz", 0)
    for one in parse(description, name, "a description of its images").iter():
        for axis in most if one.tag.endswith("dimension") else ():
            text = one.get(axis, "0")
            if not text.isdecimal() or len(text) > 6:
                raise InputError(
                    f"{name} numbers its planes {text[:20]!r}, which is not read; copy or download it again."
                )
            most[axis] = max(most[axis], int(text) + 1)
    check_planes(name, most["r"] * most["c"] * most["z"])


def _names(series: tifffile.TiffPageSeries, count: int) -> tuple[str, ...]:
    """Return the names of the stains, one a page; none where a page says none."""
    found = [_NAME.search(page.aspage().description) for page in series.pages if page is not None]
    names = tuple(one.group(1) for one in found if one)
    return names if len(names) == count else ()


def _philips(description: str) -> tuple[float, float] | None:
    """Return (y, x) µm a px, as the finest level states them."""
    found = _SPACING.search(description)
    sizes = [micrometres(float(one), "mm") for one in found.groups()] if found else [None, None]
    return None if sizes[0] is None or sizes[1] is None else (sizes[0], sizes[1])
