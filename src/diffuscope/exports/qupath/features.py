"""What QuPath calls objects: detections, annotations and tiles, as features of GeoJSON.

Coordinates are px of the slide's finest level, from its upper left corner, as QuPath has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import shapely
from numpy.typing import NDArray

from diffuscope.measurement.outlines import find_runs, outline
from diffuscope.measurement.positives import find_positives, stains_counted
from diffuscope.measurement.stain_image import smallest_counted
from diffuscope.measurement.table import OF_ROW, name_of
from diffuscope.measurement.threshold import with_threshold
from diffuscope.ports.stains import Stain
from diffuscope.results.beside.mark import generated_by
from diffuscope.scans.qupath.live import OF_RESULT
from diffuscope.tiling.region import parse_region

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result
    from diffuscope.results.tissue import TissueMap

# Brown as DAB first; then what is told from it, and from each other, by people who see no red or no green.
_STAINS = ((139, 69, 19), (0, 114, 178), (0, 158, 115), (204, 121, 167))
_REGION, _TILE = (255, 200, 0), (128, 128, 128)
#: Digits of coordinates, px: QuPath keeps no more.
_DIGITS = 2


def features(result: Result, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the region, then the objects of each stain that are counted, then the tiles and what was told of them.

    Parameters
    ----------
    result : Result
        Of a slide, with all its images.
    record : mapping
        Its run record, as it may be told.

    Yields
    ------
    dict
        A feature. Its id is a function of the record, of where it lies and of its numbers: the same result has the same
        ids, and all of a result begin alike, whatever the threshold, so that QuPath can tell which are its own.
    """
    salt = json.dumps(with_threshold(record, None), sort_keys=True, default=str)
    for about in (*_regions(result, record), *_detections(result), *_tiles(result)):
        yield _feature(salt, **about)


def _feature(salt: str, *, geometry: Any, kind: str, of: str, color: tuple[int, ...], **more: Any) -> dict[str, Any]:
    told = geometry_of(geometry)
    result, own = (
        str(uuid5(NAMESPACE_URL, json.dumps(one))) for one in (salt, [salt, kind, of, told, more.get("measurements")])
    )
    return {
        "type": "Feature",
        "id": result[:OF_RESULT] + own[OF_RESULT:],
        "geometry": told,
        "properties": {"objectType": kind, "classification": {"name": of, "color": list(color)}, **more},
    }


def geometry_of(outlined: Any) -> dict[str, Any]:
    """Return a polygon, or several as one, as a geometry of GeoJSON: rings closed, two decimals."""
    parts = [
        [np.asarray(ring.coords).round(_DIGITS).tolist() for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(outlined)
    ]
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts[0]}
    return {"type": "MultiPolygon", "coordinates": parts}


def _to_slide(result: Result) -> Callable[[Any], Any]:
    """Return what maps an outline from px of the canvas to px of the slide."""
    factors = np.array(result.place.factors[::-1])
    start = np.array(result.window[1::-1])

    def mapped(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return (points + start) * factors

    return lambda outlined: shapely.transform(outlined, mapped)


def _regions(result: Result, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the region that was asked for, by its name, or else the tissue, with the numbers of the table."""
    asked = result.record.get("parameters", {}).get("region")
    if asked:
        region = parse_region(asked)
        corners = (region.x, region.y, region.x + region.width, region.y + region.height)
        drawn = shapely.box(*corners) if region.polygon is None else shapely.Polygon(region.polygon)
    elif result.tissue is not None and result.tissue.mask.any():
        drawn = _tissue(result.tissue)
    else:
        return
    called = record.get("drawn", {})
    yield {
        "geometry": drawn,
        "kind": "annotation",
        "of": "Computed region",
        "color": _REGION,
        "name": called.get("name") or called.get("class") or ("Computed region" if asked else "All tissue"),
        "isLocked": True,
        "measurements": _figures(result.table),
        "metadata": {"Diffuscope": generated_by(record)},
    }


def _tissue(tissue: TissueMap) -> Any:
    """Return the outline of the tissue in px of the slide."""
    runs = find_runs(tissue.mask)
    (outlined,) = outline(runs, np.zeros(len(runs.rows), np.int64), 1)
    start = np.array(tissue.start[::-1])
    return shapely.transform(outlined, lambda points: (points + start) * tissue.downsample)


def _figures(table: list[dict[str, str]]) -> dict[str, float]:
    """Return the numbers of the table under the names that people read."""
    found = {}
    for row in table:
        for column in (one for one in row if one not in OF_ROW):
            try:
                value = float(row[column])
            except ValueError:
                continue  # what is not known
            name = name_of(column)
            found[f"{row['stain']}: {name}" if "stain" in row else name] = value
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _detections(result: Result) -> Iterator[dict[str, Any]]:
    """Yield the objects that the table counts, of each stain; none where there is no tissue mask, nor a count."""
    stains = stains_counted(result)
    to_slide = _to_slide(result)
    for number, stain in enumerate(stains):
        maps = _maps(result, stain, stains)
        for one in find_positives(result, stain, tuple(maps), min_object_um2=smallest_counted(result)):
            means = {f"Mean {port.name}{f' ({port.unit})' if port.unit else ''}": port.key for port in maps}
            measured = {name: one.means[key] for name, key in means.items() if np.isfinite(one.means[key])}
            yield {
                "geometry": to_slide(one.outline),
                "kind": "detection",
                "of": f"virtual {stain.name}",
                "color": _STAINS[number % len(_STAINS)],
                "measurements": {
                    "Mean DAB (OD)": round(one.dab, 6),
                    "Area (µm²)": round(one.pixels * result.mpp**2, 6),
                    **{name: round(value, 6) for name, value in measured.items()},
                },
            }


def _maps(result: Result, stain: Stain, stains: list[Stain]) -> list[Raster]:
    """Return the maps of one channel that are of a stain besides its DAB: by the end of the key, where several are."""
    shown = stain.dab or stain.colour
    assert shown is not None
    others = {one.dab.key for one in stains if one.dab is not None}
    return [
        port
        for port in result.ports
        if port.kind == "map"
        and len(port.channels) == 1
        and port.key not in others
        and port.key.endswith(shown.key[3:])
    ]


def _tiles(result: Result) -> Iterator[dict[str, Any]]:
    """Yield the tiles of which a model told something, with its mean over the network evaluations.

    Tiles are shown as far as they do not overlap, the outer ones to the edge.
    """
    values = result.values
    arrays = values.arrays if values is not None else {}
    if values is None or not arrays:
        return
    names = {value.key: f"{value.name}, mean of the tile" for value in values.values if value.key in arrays}
    means = {key: arrays[key].mean(axis=-1) for key in names}
    stride, to_slide = np.array(values.stride), _to_slide(result)
    first = np.array(values.corner) + (np.array(values.tile) - stride) / 2
    ends, last = np.array(result.window[2:]), np.array(next(iter(means.values())).shape) - 1
    for slot in np.argwhere(~np.isnan(np.stack(list(means.values()))).any(axis=0)):
        low = np.where(slot == 0, 0, np.clip(first + slot * stride, 0, ends))
        high = np.where(slot == last, ends, np.clip(first + (slot + 1) * stride, 0, ends))
        if (high > low).all():
            yield {
                "geometry": to_slide(shapely.box(low[1], low[0], high[1], high[0])),
                "kind": "tile",
                "of": "Tile of the model",
                "color": _TILE,
                "measurements": {names[key]: float(means[key][tuple(slot)]) for key in names},
            }
