"""The verb `measure`: load and penetration of regions of a predicted distribution."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path

from diffuscope.api.events import Measured
from diffuscope.events import Progress
from diffuscope.files.place import FILE, check_place
from diffuscope.measurement.measurements import write_csv
from diffuscope.measurement.regions import check_measurable, measure_regions, open_vessels
from diffuscope.results.own import check_no_input
from diffuscope.results.result import Result, open_result
from diffuscope.scans import Scan
from diffuscope.tiling.region import Region


def measure(
    result: str | Path,
    vessels: str | Path | Scan,
    out: str | Path | None = None,
    *,
    regions: Mapping[str, Region] | None = None,
    threshold: float | None = None,
    overwrite: bool = False,
) -> Generator[Progress | Measured, None, None]:
    """Measure the predicted load of regions of a result, and how it falls with the distance from vessels.

    What can be checked is checked when this is called; the work is done while the returned generator is iterated.

    Parameters
    ----------
    result : str or Path
        Result folder of a finished run on a slide, whose first output is the load.
    vessels : str, Path or Scan
        The file of the run's first input; ``"path#channel"`` is another channel of it. A scan of one channel is taken
        as it is.
    out : str or Path, optional
        CSV file to write, a row a region.
    regions : mapping of str to Region, optional
        Drawn regions by name, level-0 px; default: all tissue.
    threshold : float, optional
        Above it the channel is vessel; default: Li's.
    overwrite : bool
        Replace a file in the way.

    Returns
    -------
    generator of Progress and Measured
        A `Progress` after each band of the slide; last the rows.

    Raises
    ------
    InputError
        What was given cannot be used, or the table cannot be written.
    """
    path = Path(out) if out is not None else None
    opened = open_result(result)
    scan = vessels if isinstance(vessels, Scan) else open_vessels(opened, vessels)
    if path is not None:
        check_place(path, FILE, overwrite=overwrite, keep=[scan.path], outside=[Path(result), scan.path])
        check_no_input(path, opened.record)
    check_measurable(opened, scan)
    return _measure(opened, scan, regions, threshold, path, replace=overwrite)


def _measure(
    result: Result,
    vessels: Scan,
    regions: Mapping[str, Region] | None,
    threshold: float | None,
    path: Path | None,
    *,
    replace: bool,
) -> Generator[Progress | Measured, None, None]:
    rows = yield from measure_regions(result, vessels, regions, threshold=threshold)
    if path is not None:
        write_csv(rows, path, replace=replace)
    yield Measured(rows=rows, path=path)
