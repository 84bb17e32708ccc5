"""OME-TIFF: pyramids in SubIFDs, pixel size and channel names in the OME-XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import tifffile

from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.generated import check_is_no_volume, generated_notice
from diffuscope.scans.formats.tiff_checks import is_rgb
from diffuscope.scans.formats.tiff_series import (
    associated,
    colour_notices,
    contradiction,
    has_twin,
    largest,
    series_levels,
    stack_notice,
    tag_resolution,
)
from diffuscope.scans.guards.ome_xml import check_claims, description_elsewhere, other_files, parse
from diffuscope.scans.physical import micrometres
from diffuscope.scans.source import Cache


def read_ome(tif: tifffile.TiffFile, path: Path) -> Contents:
    """Contents of an OME-TIFF: its largest image; label, macro and thumbnail beside it; other images with a notice.

    Other files that it names are read where they lie beside it.
    """
    name, cache = path.name, Cache()
    root = parse(tif.ome_metadata or "", name)
    check_claims(root, name)
    files = other_files(root, path)
    main = largest(tif, name)
    levels = series_levels(tif.series[main], cache, name)
    page = tif.series[main].keyframe
    others = [one for i, one in enumerate(tif.series) if i != main]
    beside, left_out = associated(others, cache, name)
    said = " ".join(one.text or "" for one in root.iter() if one.tag.rpartition("}")[2] == "Description")
    if stacked := stack_notice(tif.series[main], name):
        check_is_no_volume(said, name)
    notices = (
        *generated_notice(said, name),
        *stacked,
        *colour_notices(page, levels[0], name),
        *left_out,
    )
    if elsewhere := description_elsewhere(root):
        notices += (f"{name} has its OME description in {elsewhere}, which is not read: what it says is missing here.",)
    if len(others) > len(beside) + len(left_out):
        notices += (f"{name} holds {len(others) - len(beside) - len(left_out)} more image(s); the largest is opened.",)
    pixels = _pixels(tif, main, root)
    channels = [] if pixels is None else [element for element in pixels if element.tag.endswith("}Channel")]
    names = [element.get("Name", "") for element in channels]
    one_each = len(names) == levels[0].shape[2] and all(names)
    stated = _physical_size(pixels)
    return Contents(
        format="OME-TIFF",
        levels=list(levels),
        mpp=stated or tag_resolution(page),
        rgb=is_rgb(page) and levels[0].shape[2] == 3,
        channels=tuple(names) if one_each else (),
        notices=(*notices, *contradiction(stated, page, name)),
        associated=beside,
        has_twin=has_twin(tif, main),
        beside=files,
    )


def _pixels(tif: tifffile.TiffFile, number: int, root: ET.Element) -> ET.Element | None:
    """The Pixels element of an image, found by its number, or by its size where tifffile left images out."""
    found = [element for element in root.iter() if element.tag.rpartition("}")[2] == "Pixels"]
    if len(found) == len(tif.series):
        return found[number]
    page = tif.series[number].keyframe
    size = (str(page.imagewidth), str(page.imagelength))
    return next((element for element in found if (element.get("SizeX"), element.get("SizeY")) == size), None)


def _physical_size(pixels: ET.Element | None) -> tuple[float, float] | None:
    """(y, x) µm per pixel; the unit is µm where none is written, as the OME schema says."""
    if pixels is None:
        return None
    sizes = []
    for axis in "YX":
        try:
            value = float(pixels.get(f"PhysicalSize{axis}", ""))
        except ValueError:
            return None
        size = micrometres(value, pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        if size is None:
            return None
        sizes.append(size)
    return sizes[0], sizes[1]
