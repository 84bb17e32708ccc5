"""The verb `measure`: the numbers of a virtual stain, or load and penetration of a predicted distribution."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from diffuscope.api.events import Measured
from diffuscope.api.forms import checked
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.files.place import FILE, check_place
from diffuscope.jobs.drawn.regions import GivenRegion, find_region
from diffuscope.measurement.cells import Cells, measure_cells, read_cells, without_own
from diffuscope.measurement.measurements import measure as measure_stains
from diffuscope.measurement.measurements import write_csv
from diffuscope.measurement.regions import check_computed, check_measurable, measure_regions, open_vessels
from diffuscope.measurement.threshold import check_threshold
from diffuscope.ports.stains import find_stains
from diffuscope.results.own import REGIONS, check_no_input
from diffuscope.results.result import Result, open_result
from diffuscope.scans import Scan
from diffuscope.scans.qupath.annotations import Annotations
from diffuscope.tiling.region import Region

Events = Generator[Progress | Notice | Measured, None, None]


@checked
def measure(
    result: str | Path,
    vessels: str | Path | Scan | None = None,
    out: str | Path | None = None,
    *,
    regions: Mapping[str, GivenRegion] | None = None,
    threshold: float | None = None,
    cells: str | Path | None = None,
    overwrite: bool = False,
) -> Events:
    """Measure a result: a virtual stain in its tissue, or the predicted load of regions and how far it goes.

    What can be checked is checked when this is called; the work is done while the returned generator is iterated.
    A result keeps the figures of the regions of its load that were measured last.

    Parameters
    ----------
    result : str or Path
        Result folder of a finished run on a slide: of a stain, or one whose first output is the load.
    vessels : str, Path or Scan, optional
        Of a load, which needs it: the file of the run's first input; ``"path#channel"`` is another channel of it. A
        scan of one channel is taken as it is.
    out : str or Path, optional
        CSV file to write, a row a region and stain.
    regions : mapping of str to Region, str or sequence of int, optional
        Of a load: drawn regions by name, level-0 px; default: all tissue. Of one that reaches beyond what was computed
        what lies inside is measured, and told; one of which nothing was computed is refused.
    threshold : float, optional
        Of a stain the OD above which DAB is positive; default: the run's. Of a load, above it the channel is vessel;
        default: Li's.
    cells : str or Path, optional
        Of a stain: outlines of all cells, GeoJSON of QuPath's, of which those are counted that are positive. Without,
        how many cells there are is not known.
    overwrite : bool
        Replace a file in the way.

    Returns
    -------
    generator of Progress, Notice and Measured
        Last the rows.

    Raises
    ------
    InputError
        What was given cannot be used, or the table cannot be written.
    """
    path = Path(out) if out is not None else None
    check_threshold(threshold)
    opened = open_result(result)
    is_stain = bool(find_stains(opened.ports))
    _check_given(opened, vessels, regions, cells, is_stain=is_stain)
    scan = vessels if isinstance(vessels, Scan) else open_vessels(opened, vessels) if vessels is not None else None
    outlines = without_own(read_cells(cells), opened) if cells is not None else None
    read = [scan.path] if scan is not None else [outlines.path] if outlines is not None else []
    if scan is not None:
        check_measurable(opened, scan)
    if path is not None:
        check_place(path, FILE, overwrite=overwrite, keep=read, outside=[Path(result), *read])
        check_no_input(path, opened.record)
        if path.suffix.lower() != ".csv":
            raise InputError(f"{path.name}: the table is CSV; call it {path.stem}.csv.")
    if scan is None:
        return _measure_stain(opened, threshold, outlines, path, replace=overwrite)
    drawn = {name: find_region(one)[0] for name, one in regions.items()} if regions is not None else None
    told = check_computed(opened, drawn or {})
    return _measure_load(opened, scan, drawn, threshold, told, path, replace=overwrite)


def _check_given(
    result: Result,
    vessels: str | Path | Scan | None,
    regions: Mapping[str, GivenRegion] | None,
    cells: str | Path | None,
    *,
    is_stain: bool,
) -> None:
    """Refuse what does not belong to the kind of result."""
    name = result.path.name
    if not is_stain and vessels is None:
        raise InputError(
            f"{name} holds no virtual stain: of a predicted distribution give the slide with its vessels as well."
        )
    if not is_stain and cells is not None:
        raise InputError(f"{name} holds no virtual stain, of which cells could be positive: leave the cells out.")
    if is_stain and (vessels is not None or regions):
        raise InputError(f"{name} is a virtual stain and is measured in its own region: leave vessels and regions out.")
    if is_stain and result.tissue is None:
        raise InputError(f"{name} has no tissue mask and cannot be measured: run it again.")


def _measure_stain(
    result: Result, threshold: float | None, outlines: Annotations | None, path: Path | None, *, replace: bool
) -> Events:
    yield Progress(what="Measuring")
    rows = measure_stains(result, threshold=threshold)
    if outlines is not None:
        for notice in outlines.notices:
            yield Notice(notice)
        for stain, row in zip(find_stains(result.ports), rows, strict=True):
            found = measure_cells(result, stain, outlines)
            row |= found.row(row["threshold_od"], area_mm2=row["tissue_area_mm2"])
        yield Notice(cells_told(found, outlines))
    if path is not None:
        write_csv(rows, path, replace=replace)
    yield Measured(rows=rows, path=path)


def cells_told(found: Cells, outlines: Annotations) -> str:
    """Say how many of the outlined cells count."""
    of = f"{len(found.dab):,} of {len(found.dab) + found.outside:,} cells of {outlines.path.name}"
    if len(found.dab):
        return f"{of} lie on the measured tissue and count."
    return f"{of} lie on the measured tissue: is the file of this slide, in px of its finest level?"


def _measure_load(
    result: Result,
    vessels: Scan,
    regions: Mapping[str, Region] | None,
    threshold: float | None,
    told: tuple[str, ...],
    path: Path | None,
    *,
    replace: bool,
) -> Events:
    for sentence in told:
        yield Notice(sentence)
    rows: list[dict[str, Any]] = yield from measure_regions(result, vessels, regions, threshold=threshold)
    try:
        write_csv(rows, result.path / REGIONS, replace=True)  # for reports
    except (InputError, OSError):
        yield Notice(f"{result.path.name} cannot be written, and so its reports will lack these figures.")
    if path is not None:
        write_csv(rows, path, replace=replace)
    yield Measured(rows=rows, path=path)
