"""OME-TIFF: pyramids in SubIFDs, pixel size and channel names in the OME-XML."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import tifffile

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.tiff_checks import is_rgb
from diffuscope.scans.formats.tiff_series import associated, dropped_notice, largest, series_levels, tag_resolution
from diffuscope.scans.physical import micrometres
from diffuscope.scans.source import Cache


def read_ome(tif: tifffile.TiffFile, name: str) -> Contents:
    """Contents of an OME-TIFF: its largest image; label, macro and thumbnail beside it; other images with a notice."""
    cache = Cache()
    main = largest(tif, name)
    levels = series_levels(tif.series[main], cache, name)
    page = tif.series[main].keyframe
    others = [one for i, one in enumerate(tif.series) if i != main]
    beside = associated(others, cache, name)
    notices = dropped_notice(levels[0])
    if len(others) > len(beside):
        notices += (f"{name} holds {len(others) - len(beside)} more image(s); the largest is opened.",)
    pixels = _pixels(tif, main, name)
    channels = [] if pixels is None else [element for element in pixels if element.tag.endswith("}Channel")]
    names = [element.get("Name", "") for element in channels]
    one_each = len(names) == levels[0].shape[2] and all(names)
    return Contents(
        format="OME-TIFF",
        levels=list(levels),
        mpp=_physical_size(pixels) or tag_resolution(page),
        rgb=is_rgb(page) and levels[0].shape[2] == 3,
        channels=tuple(names) if one_each else (),
        notices=notices,
        associated=beside,
    )


def _pixels(tif: tifffile.TiffFile, number: int, name: str) -> ET.Element | None:
    """The Pixels element of an image, found by its number, or by its size where tifffile left images out."""
    try:
        root = ET.fromstring(tif.ome_metadata or "")  # noqa: S314 (expat since 2.4.1 bounds entities, and reads none from outside)
    except ET.ParseError as error:
        raise InputError(f"{name} has an OME-XML description that cannot be read ({error}).") from error
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
