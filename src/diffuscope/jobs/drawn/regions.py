"""A region as text: numbers, or the name of an annotation in a file that QuPath exported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import shapely

from diffuscope.errors import InputError
from diffuscope.scans.qupath.annotations import GEOJSON, Annotation, Annotations, read_annotations
from diffuscope.tiling.region import Region, parse_region

#: A region as a verb is given it.
GivenRegion = Region | str | Sequence[int]

# Of a file that holds many, so many are listed.
_LISTED = 8
# What models and programs made; one is run in only where it is named.
_MADE = {"detection", "cell", "tile"}


def find_region(given: GivenRegion) -> tuple[Region, tuple[str, ...]]:
    """Return the region that is meant, and what the user should know of it.

    Parameters
    ----------
    given : Region, str or sequence of int
        One as it is; x, y, width and height; or a text, as `diffuscope.tiling.region.parse_region` reads it, or
        ``FILE.geojson``, where it holds one annotation, or ``FILE.geojson#WHICH``, by name, by class, or by its place
        in the file from 1.

    Raises
    ------
    InputError
        It is neither; the file is damaged, has no such annotation or several of them; or its outline has holes or
        several parts, which no region has.
    """
    if isinstance(given, Region):
        return given, ()
    if isinstance(given, str):
        text = given
    elif isinstance(given, Iterable):
        text = ",".join(str(number) for number in given)
    else:
        text = str(given)
    found = re.fullmatch(rf"(.+{re.escape(GEOJSON)})(?:#(.*))?", text, flags=re.IGNORECASE | re.DOTALL)
    if found is None:
        return parse_region(text), ()
    read = read_annotations(found[1])
    chosen = _choose(read, found[2])
    region = replace(region_of(read, chosen), name=chosen.name, category=chosen.category)
    told = f"The region is “{chosen.title}” of {read.path.name}."
    return region, (told, *read.notices)


def _choose(read: Annotations, wanted: str | None) -> Annotation:
    drawn = [one for one in read.found if one.kind not in _MADE]
    name = read.path.name
    if not wanted:
        among = drawn
        if not among:
            raise InputError(f"{name} holds no annotation with an area: draw one in QuPath, and export it as GeoJSON.")
    else:
        ways = (
            [one for one in drawn if one.name == wanted],
            [one for one in drawn if one.category == wanted],
            [one for one in read.found if str(one.number) == wanted],
        )
        among = next(filter(None, ways), [])
        if not among:
            raise InputError(f'{name} has no annotation "{wanted}": choose one of {_listed(drawn or read.found)}.')
    if len(among) > 1:
        raise InputError(f"{name} has {len(among)} such annotations: say which, as {name}#NUMBER, of {_listed(among)}.")
    return among[0]


def _listed(those: list[Annotation] | tuple[Annotation, ...]) -> str:
    shown = ", ".join(f"{one.number} ({one.title})" for one in those[:_LISTED])
    return f"{shown}, …" if len(those) > _LISTED else shown or "none"


def region_of(read: Annotations, chosen: Annotation) -> Region:
    """Return the outline of an annotation as a region: a rectangle of whole px as one.

    Raises
    ------
    InputError
        It has holes or several parts, which no region has.
    """
    which = f"“{chosen.title}” of {read.path.name}"
    if chosen.outline.geom_type != "Polygon":
        parts = len(shapely.get_parts(chosen.outline))
        raise InputError(f"{which} has {parts} parts that do not touch: split it in QuPath, and choose one.")
    if chosen.outline.interiors:
        raise InputError(f"{which} has a hole, which would be computed as well: fill it in QuPath, or cut it open.")
    left, top, right, bottom = chosen.outline.bounds
    if chosen.outline.equals(shapely.box(left, top, right, bottom)) and np.all(np.mod(chosen.outline.bounds, 1) == 0):
        return Region(int(left), int(top), int(right - left), int(bottom - top))
    corners = np.asarray(chosen.outline.exterior.coords)[:-1]
    return Region.from_polygon(corners)
