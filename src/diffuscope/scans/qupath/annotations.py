"""Annotations of a slide in GeoJSON, as QuPath exports them: outlines, names, classes and colours.

Coordinates are px of the slide's finest level, from its upper left corner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from diffuscope.errors import InputError
from diffuscope.files.read import read_json

#: Ending of the files.
GEOJSON = ".geojson"
# A slide's cells take 100 MB; what is read is ten times as large in memory.
_MOST_BYTES = 256_000_000
_AREAS = {"Polygon", "MultiPolygon"}
_OTHERS = {"Point", "MultiPoint", "LineString", "MultiLineString", "GeometryCollection"}
# Of QuPath 0.2: the type stood where an id stands now.
_TYPES = {"PathAnnotationObject": "annotation", "PathDetectionObject": "detection", "PathCellObject": "cell",
          "PathTileObject": "tile", "TMACoreObject": "tmaCore", "PathRootObject": "root"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """An outline that somebody drew, or a program.

    Attributes
    ----------
    number : int
        Place in the file, from 1.
    outline : shapely.Polygon or shapely.MultiPolygon
        Valid, not empty; (x, y) in px of the slide's finest level.
    kind : str
        QuPath's type: ``"annotation"``, ``"detection"``, ``"cell"``, ``"tile"``, …
    name : str
        Empty where it has none.
    category : str
        Its class; of one derived from others all of them, as QuPath writes it, ``"Tumor: Positive"``. Empty where it
        has none.
    color : tuple of int or None
        Red, green and blue, of the class or its own.
    """

    number: int
    outline: Any
    kind: str
    name: str
    category: str
    color: tuple[int, int, int] | None

    @property
    def title(self) -> str:
        """What people call it: by name, else by class, else by its place in the file."""
        return self.name or self.category or f"{self.kind} {self.number}"


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """What a file holds, and what of it was left out or mended."""

    path: Path
    found: tuple[Annotation, ...]
    notices: tuple[str, ...]


def read_annotations(path: str | Path) -> Annotations:
    """Read a file of GeoJSON.

    Parameters
    ----------
    path : str or Path
        A FeatureCollection, a list of features, or one feature.

    Raises
    ------
    InputError
        It is no such file, or one of its features is damaged: which one is said.
    """
    path = Path(path)
    try:
        read = read_json(path, most=_MOST_BYTES)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: give the file that QuPath exported.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give the file that QuPath exported.") from error
    except ValueError as error:
        raise InputError(f"{path.name} is not GeoJSON ({error}): export the objects from QuPath again.") from error
    return take_annotations(path, read)


def take_annotations(path: Path, read: Any) -> Annotations:
    """Return the annotations of GeoJSON that was read.

    Parameters
    ----------
    path : Path
        By what name errors and notices call it.
    read : Any
        As JSON is read: a FeatureCollection, a list of features, or one feature.

    Raises
    ------
    InputError
        One of its features is damaged.
    """
    found: list[Annotation] = []
    left_out: Counter[str] = Counter()
    mended = 0
    for number, feature in enumerate(_features(path, read), start=1):
        shape, kind = _outline(path, number, feature)
        if kind not in _AREAS or shape is None:
            left_out[kind] += 1
            continue
        whole = _areas(shape)
        mended += not shape.is_valid
        if whole is None:
            left_out["outline without an area"] += 1
            continue
        found.append(_annotation(number, whole, feature))
    notices = [f"{path.name}: {count} × {kind} left out, which bounds no area." for kind, count in left_out.items()]
    if mended:
        notices.append(f"{path.name}: {mended} outlines cross themselves; taken is what they go round.")
    return Annotations(path=path, found=tuple(found), notices=tuple(notices))


def _features(path: Path, read: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the features of a file, those that lie in others after these."""
    if isinstance(read, Mapping) and read.get("type") == "Feature":
        read = [read]
    elif isinstance(read, Mapping):
        read = read.get("features") if read.get("type") == "FeatureCollection" else None
    if not isinstance(read, list):
        raise InputError(f"{path.name} holds no features of GeoJSON: export the objects from QuPath as GeoJSON.")
    left = list(reversed(read))
    while left:
        one = left.pop()
        if not isinstance(one, Mapping) or not isinstance(one.get("geometry"), Mapping | None):
            raise InputError(f"{path.name} holds something that is no feature of GeoJSON: export it again.")
        yield one
        inner = _properties(one).get("childObjects") or _properties(one).get("children")
        left.extend(reversed(inner if isinstance(inner, list) else []))


def _properties(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    found = feature.get("properties")
    return found if isinstance(found, Mapping) else {}


def _outline(path: Path, number: int, feature: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the outline of a feature as it stands, and its type; None where that is no area."""
    geometry = feature.get("geometry") or {}
    kind = geometry.get("type")
    damaged = InputError(
        f"{path.name} has an outline that cannot be read (feature {number}): export the objects from QuPath again."
    )
    if kind is None and not geometry:
        return None, "object without an outline"
    if not isinstance(kind, str) or kind not in _AREAS | _OTHERS:
        raise damaged
    if kind in _OTHERS:
        return None, str(kind)
    try:
        parts = geometry["coordinates"] if kind == "MultiPolygon" else [geometry["coordinates"]]
        polygons = [shapely.Polygon(_ring(rings[0]), [_ring(ring) for ring in rings[1:]]) for rings in parts if rings]
    except (KeyError, TypeError, ValueError, OverflowError, shapely.GEOSException) as error:
        raise damaged from error
    return (shapely.MultiPolygon(polygons) if len(polygons) != 1 else polygons[0]), kind


def _ring(points: Any) -> Any:
    """Return a ring as numbers, (x, y) of each point."""
    if not isinstance(points, list):
        raise TypeError("no list of points")
    pairs = [point[:2] for point in points]
    # Numbers alone: text, even of digits, is no place, nor is true.
    if any(len(pair) != 2 or any(type(one) not in (int, float) for one in pair) for pair in pairs):
        raise TypeError("no pairs of numbers")
    found = np.array(pairs, float).reshape(-1, 2)
    # Slides have fewer px than that along a side; a number beyond is of another kind of file.
    if not np.isfinite(found).all() or np.abs(found).max(initial=0) > 1e8:
        raise ValueError("no place on a slide")
    return found


def _areas(shape: Any) -> Any:
    """Return what of an outline is an area, valid; None where nothing is."""
    whole = shape if shape.is_valid else shapely.make_valid(shape)
    parts = [one for one in _flat(whole) if one.geom_type == "Polygon" and one.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _flat(shape: Any) -> Iterator[Any]:
    for one in shapely.get_parts(shape):
        if one.geom_type in {"MultiPolygon", "GeometryCollection"}:
            yield from _flat(one)
        else:
            yield one


def _annotation(number: int, outline: Any, feature: Mapping[str, Any]) -> Annotation:
    about = _properties(feature)
    kind = about.get("objectType") or about.get("object_type") or _TYPES.get(str(feature.get("id"))) or "annotation"
    category, color = _class(about.get("classification"))
    return Annotation(
        number=number,
        outline=outline,
        kind=str(kind).lower(),  # QuBaLab writes capitals
        name=str(about.get("name") or ""),
        category=category,
        color=color or _color(about.get("color")),
    )


def _class(told: Any) -> tuple[str, tuple[int, int, int] | None]:
    """Return name and colour of a class, in any of the ways that versions of QuPath wrote it."""
    if isinstance(told, str):
        return told, None
    if not isinstance(told, Mapping):
        return "", None
    names = told.get("names")
    name = ": ".join(map(str, names)) if isinstance(names, list) else str(told.get("name") or "")
    return name, _color(told.get("color", told.get("colorRGB")))


def _color(told: Any) -> tuple[int, int, int] | None:
    """Return red, green and blue of a list, or of QuPath's whole number; None where it is neither."""
    if isinstance(told, list) and len(told) in (3, 4) and all(type(one) is int and 0 <= one < 256 for one in told):
        return told[0], told[1], told[2]
    if type(told) is int:
        return (told >> 16) & 255, (told >> 8) & 255, told & 255
    return None
