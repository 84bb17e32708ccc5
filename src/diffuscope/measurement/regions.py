"""Load and penetration of drawn regions of a result, read in bands so that a slide's size does not matter."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.events import Progress
from diffuscope.jobs.inputs import split_channel
from diffuscope.measurement.penetration import (
    BIN_UM,
    FURTHEST_UM,
    PenetrationSums,
    find_vessels,
    vessel_distance,
    vessel_threshold,
)
from diffuscope.results.result import Result
from diffuscope.scans import Scan, open_scan, read_region
from diffuscope.scans.channels import find_channel, one_channel
from diffuscope.scans.fingerprint import is_same
from diffuscope.scans.region import in_memory
from diffuscope.tiling.region import Region

ALL_TISSUE = "all tissue"

# Px of a band; px of which a larger image's threshold is found; how far beyond a band vessels are looked for at first.
_BAND_PX, _SAMPLE_PX, _HALO_UM = 2**23, 2**22, 300.0


def open_vessels(result: Result, source: str | Path) -> Scan:
    """Open the vessel channel that a result was computed from.

    Parameters
    ----------
    result : Result
        Its record tells which file, and which channel of it.
    source : str or Path
        The file of the model's first input; ``"path#channel"`` is another channel of it.

    Raises
    ------
    InputError
        It is another file, or cannot be opened.
    """
    path, wanted = split_channel(source)
    asked = next(iter(result.record["inputs"].values()))
    if "mpp" not in asked:
        raise InputError(f"{result.path.name} was computed from no image, and so has no vessels to measure around.")
    scan = open_scan(path, mpp=asked["mpp"])
    if not is_same(scan.fingerprint, asked.get("fingerprint", "")):
        raise InputError(
            f"{path.name} is not the file that {result.path.name} was computed from: give {asked['name']}."
        )
    if wanted is not None:
        return one_channel(scan, find_channel(scan.channels, wanted, scan.name))
    return one_channel(scan, asked.get("channel_number", 0))


def measure_regions(
    result: Result,
    vessels: Scan,
    regions: Mapping[str, Region] | None = None,
    *,
    threshold: float | None = None,
    bin_um: float = BIN_UM,
    furthest_um: float = FURTHEST_UM,
) -> Generator[Progress, None, list[dict[str, Any]]]:
    """Measure the predicted load of regions of a result, and how it falls with the distance from vessels.

    Of a region the tissue counts. Vessels are found in the vessel channel on the result's grid (`find_vessels`), also
    outside the region and beyond what was computed, as far as the nearest one of any pixel may be: distances are exact,
    also where the image is read in bands. (A lumen that is wider than 300 µm may stay open at a band's edge.)

    Parameters
    ----------
    result : Result
        A complete one of a slide, whose first output is the load.
    vessels : Scan
        Of one channel, on the pixels of the result's input; see `open_vessels`.
    regions : mapping of str to Region, optional
        Drawn regions by name, level-0 px; default: all tissue that was computed.
    threshold : float, optional
        Above it the channel is vessel; default: Li's, of the part of the slide that the result covers.
    bin_um, furthest_um : float
        As of `diffuscope.measurement.penetration.measure_penetration`.

    Yields
    ------
    Progress
        After each band of the result.

    Returns
    -------
    list of dict
        A row a region, with the columns of `measure_penetration`, behind its area ``tissue_percent``, the share of what
        the run was to compute of the region that is tissue, and last ``vessel_threshold`` and ``um_per_px``. For
        `diffuscope.measurement.measurements.write_csv`.

    Raises
    ------
    InputError
        The result is incomplete, a volume, a stain or without tissue mask; the channel does not lie on its pixels.
    """
    check_measurable(result, vessels)
    regions = regions or {_name_of(result): _everything(vessels)}
    sums = {name: PenetrationSums(bin_um=bin_um, furthest_um=furthest_um) for name in regions}
    top, left, _, width = result.window
    image, tissue = result.images[result.ports[0].key][0], result.tissue
    assert tissue is not None  # as was checked
    bands = list(_bands(result))
    yield Progress(total=len(bands), unit="bands")
    threshold = _threshold(result, vessels) if threshold is None else threshold
    drawn = dict.fromkeys(regions, 0)
    for number, (y, height) in enumerate(bands, start=1):
        load = in_memory(image[y : y + height, :, 0])
        here = tissue.read(y, 0, height, width)
        box = (top + y, left, height, width)
        inside = {name: _inside(region, box, result.factor) for name, region in regions.items()}
        # of a drawn run the corners of its box were not asked for, and are neither tissue nor glass
        asked = True if tissue.region is None else _inside(tissue.region, box, result.factor)
        for name, part in inside.items():
            part &= asked
            drawn[name] += int(part.sum())
            part &= here
        profiles, distance = _vessels_around(result, vessels, box, np.any(list(inside.values()), axis=0), threshold)
        for name, part in inside.items():
            sums[name].add(load, profiles, distance, part)
        yield Progress(done=number, total=len(bands), unit="bands")
    last = {"vessel_threshold": threshold, "um_per_px": result.mpp}
    classed = any(region.category for region in regions.values())
    return [
        {"region": name, **({"region_class": regions[name].category} if classed else {})}
        | _with_share(one.row(mpp=result.mpp), drawn[name] * result.mpp**2)
        | last
        for name, one in sums.items()
    ]


def check_measurable(result: Result, vessels: Scan) -> None:
    """Refuse a result that cannot be measured, and a channel that does not lie on its pixels."""
    name = result.path.name
    if len(result.place.factors) != 2 or result.ports[0].kind != "map":
        raise InputError(f"{name} is no predicted distribution on a slide: give the result of a DAMM-Diffusion model.")
    if not result.complete:
        raise InputError(
            f"{name} is incomplete ({result.done} of {result.tiles} {result.unit}): go on with its run first."
        )
    if result.tissue is None:
        raise InputError(f"{name} has no tissue mask and cannot be measured: run it again.")
    asked = next(iter(result.record["inputs"].values()))
    if list(vessels.shape[:2]) != list(asked["shape"][:2]):
        raise InputError(
            f"{vessels.name} has {vessels.shape[1]} x {vessels.shape[0]} px and the input of {name} "
            f"{asked['shape'][1]} x {asked['shape'][0]}: give the channel that it was computed from."
        )
    if len(vessels.channels) != 1:
        raise InputError(f"{vessels.name} has {len(vessels.channels)} channels: choose the vessels as FILE#CHANNEL.")


def check_computed(result: Result, regions: Mapping[str, Region]) -> tuple[str, ...]:
    """Refuse a region of which nothing was computed, and return a sentence on each that reaches beyond what was.

    Parameters
    ----------
    result : Result
        Of a slide.
    regions : mapping of str to Region
        Drawn regions by name, level-0 px.

    Raises
    ------
    InputError
        One has no px in what was computed.
    """
    top, left, height, width = (side * result.factor for side in result.window)
    computed = shapely.box(left, top, left + width, top + height)
    if result.tissue is not None and result.tissue.region is not None:
        computed = computed.intersection(_outline(result.tissue.region))
    told = []
    for name, region in regions.items():
        outline = _outline(region)
        part = outline.intersection(computed).area
        if part == 0:
            west, north, east, south = (round(side) for side in computed.bounds)
            raise InputError(
                f"nothing of “{name}” was computed: {result.path.name} has x {west} to {east} and y {north} "
                f"to {south}, in pixels of the finest level; measure a region in that, or run this one."
            )
        # Of the outline's own area what rounding leaves is no part.
        if part < outline.area * (1 - 1e-9):
            told.append(f"“{name}” reaches beyond what {result.path.name} computed: only what lies inside is measured.")
    return tuple(told)


def _outline(region: Region) -> shapely.Polygon:
    if region.polygon is not None:
        return shapely.Polygon(region.polygon)
    return shapely.box(region.x, region.y, region.x + max(0, region.width), region.y + max(0, region.height))


def _bands(result: Result) -> Iterator[tuple[int, int]]:
    """Yield first row and rows of each band of the canvas."""
    *_, height, width = result.window
    rows = max(256, _BAND_PX // width)
    for y in range(0, height, rows):
        yield y, min(rows, height - y)


def _threshold(result: Result, vessels: Scan) -> float | None:
    """Return Li's threshold of what the result covers, of every n-th px where that is large; None where it is even."""
    top, left, height, width = result.window
    every = ceil(sqrt(height * width / _SAMPLE_PX))
    parts = (_read(vessels, (top + y, left, rows, width), result.factor) for y, rows in _bands(result))
    return vessel_threshold(parts, mpp=result.mpp, every=every)


def _vessels_around(
    result: Result,
    vessels: Scan,
    box: tuple[int, int, int, int],
    needed: NDArray[np.bool_],
    threshold: float | None,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return profiles in a box of the model's grid and distances from them, exact where they are needed.

    A vessel that is further from the box than it was looked for is further from each of its px, so that a distance
    which is not larger than that is exact.
    """
    y, x, height, width = box
    rows, columns = (ceil(side / result.factor) for side in vessels.shape[:2])
    reach = ceil(_HALO_UM / result.mpp)
    while True:
        up, down = max(0, y - reach), min(max(rows, y + height), y + height + reach)
        west, east = max(0, x - reach), min(max(columns, x + width), x + width + reach)
        around = _read(vessels, (up, west, down - up, east - west), result.factor)
        found = np.zeros(around.shape, np.bool_)
        if threshold is not None:
            found = find_vessels(around, mpp=result.mpp, threshold=threshold)
        inner = np.s_[y - up : y - up + height, x - west : x - west + width]
        distance = vessel_distance(found, mpp=result.mpp)[inner]
        is_all = (up, west) == (0, 0) and down >= rows and east >= columns
        if is_all or not needed.any() or distance[needed].max() <= reach * result.mpp:
            return found[inner], distance
        reach *= 2


def _read(vessels: Scan, box: tuple[int, int, int, int], factor: float) -> NDArray[np.generic]:
    y, x, height, width = box
    return read_region(vessels, y=y, x=x, height=height, width=width, factor=factor, fill=0)[..., 0]


def _name_of(result: Result) -> str:
    """Return what was computed: what whoever drew it calls it, or where it lies."""
    record = result.record
    return record.get("drawn", {}).get("name") or record.get("parameters", {}).get("region") or ALL_TISSUE


def _with_share(row: dict[str, Any], drawn: float) -> dict[str, Any]:
    """Return a row with the share of a drawn area, µm², that is tissue."""
    area = row["area_um2"]
    return {"area_um2": area, "tissue_percent": 100.0 * area / drawn if drawn else None, **row}


def _everything(vessels: Scan) -> Region:
    return Region(0, 0, vessels.shape[1], vessels.shape[0])


def _inside(region: Region, box: tuple[int, int, int, int], factor: float) -> NDArray[np.bool_]:
    """Return which px of a box of the model's grid have their centre in a region."""
    y, x, height, width = box
    rows = (np.arange(y, y + height) + 0.5) * factor
    columns = (np.arange(x, x + width) + 0.5) * factor
    return region.covers(rows, columns)
