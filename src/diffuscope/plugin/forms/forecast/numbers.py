"""How much a run will compute and write, from what is chosen: by the plan that the run itself will make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import shapely

from diffuscope.jobs.room import disk_need
from diffuscope.plugin.forms.run import RunForm
from diffuscope.ports.port import rasters
from diffuscope.ports.raster import Raster
from diffuscope.ports.stains import samples_kept
from diffuscope.scans import Foreground, open_scan, resampling_factor
from diffuscope.scans.box import volume_factors
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a run is asked to do, bound.

    Attributes
    ----------
    model, device : str
        As the form names them.
    evaluations : int
        Steps times samples of one tile.
    grid : tuple of int
        As of `ModelFacts`; a tile of 0: a whole case, of which nothing else matters.
    shape : tuple of int
        Of the input along its axes, its own px.
    factors : tuple of float
        Its px per px of the model.
    mpp : float or None
        Its µm per px; None of a volume.
    files : tuple of (str, int or None)
        File and channel of each input; empty where one has no file, and of a volume: tissue is not looked for.
    regions : tuple of (str, Region)
        By name; empty: all of it.
    slices : tuple of (int, int) or None
        First and one past the last.
    ports : tuple of Raster
        What comes out.
    """

    model: str
    device: str
    evaluations: int
    grid: tuple[int, int, int, int] = (0, 0, 1, 0)
    shape: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()
    mpp: float | None = None
    files: tuple[tuple[str, int | None], ...] = ()
    regions: tuple[tuple[str, Region], ...] = ()
    slices: tuple[int, int] | None = None
    ports: tuple[Raster, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run will take.

    Attributes
    ----------
    tiles : int
        Of all regions.
    unit : {"tile", "slice", "case"}
        What is counted.
    is_bound : bool
        Whether it may be fewer, since nobody looked where tissue is.
    area : float or None
        mm² inside the outlines, of all tissue that of the tissue; None of a volume.
    bytes : int
        At most so many are written; 0 where nobody can say.
    bare : tuple of str
        Names of regions without tissue, which are computed all the same; empty where there is one region only.
    """

    tiles: int
    unit: str
    is_bound: bool
    area: float | None
    bytes: int
    bare: tuple[str, ...] = ()


def asked_of(
    form: RunForm, shape: tuple[int, ...], regions: dict[str, Region], slices: tuple[int, int] | None
) -> Asked | None:
    """Bind what a form asks for; None where it cannot be run yet."""
    model, main = form.model, form.main
    if model is None or form.problem():
        return None
    asked = Asked(model=model.name, device=form.device, evaluations=form.evaluations)
    if model.whole:
        return asked
    if main is None or not model.grid[0]:
        return None
    if main.slices is None:
        mpp = form.mpp or main.mpp
        factor = resampling_factor(replace(main, mpp=mpp), model.mpp)
        factors: tuple[float, ...] = (factor, factor)
    else:
        spacing, needed = main.spacing, model.inputs[0].spacing
        if spacing is None or needed is None:
            return None
        mpp, factors = None, volume_factors(spacing, needed)
    return replace(
        asked,
        grid=model.grid,
        shape=shape,
        factors=factors,
        mpp=mpp,
        files=_files(form),
        regions=tuple(regions.items()),
        slices=slices,
        ports=(*rasters(model.outputs), *samples_kept(model.outputs, form.drawn_samples)),
    )


def foresee(asked: Asked) -> Forecast:
    """Return what a run will take; reads a coarse level of the files, so call this off the main thread.

    Raises
    ------
    InputError
        A region lies outside the input, or there is no tissue at all.
    """
    if not asked.grid[0]:
        return Forecast(tiles=1, unit="case", is_bound=False, area=None, bytes=0)
    inside = _tissue(asked.files) if asked.files else None
    tile, overlap, depth, overlap_depth = asked.grid
    tiles, size, unit = 0, 0, "tile"
    bare: list[str] = []
    for name, region in asked.regions or (("", None),):
        plan = make_plan(
            shape=asked.shape,
            factors=asked.factors,
            tile=tile,
            overlap=overlap,
            depth=depth,
            overlap_depth=overlap_depth,
            region=region,
            slices=asked.slices,
            shows=inside.any_in if inside is not None else None,
        )
        tiles += plan.count
        size += disk_need(plan, asked.ports)
        unit = plan.unit.removesuffix("s")
        if inside is not None and region is not None and not _shows(inside, region):
            bare.append(name if len(asked.regions) > 1 else "")
    return Forecast(
        tiles=tiles,
        unit=unit,
        is_bound=inside is None and tiles > 1,
        area=_area(asked, inside),
        bytes=size,
        bare=tuple(bare),
    )


def _area(asked: Asked, inside: Foreground | None) -> float | None:
    if asked.mpp is None:
        return None
    if asked.regions:
        all_of_it = shapely.box(0, 0, *asked.shape[::-1])
        px = sum(outline(region).intersection(all_of_it).area for _, region in asked.regions)
    else:
        px = inside.area_px if inside is not None else float(asked.shape[0] * asked.shape[1])
    return px * (asked.mpp / 1000) ** 2


def outline(region: Region) -> shapely.Polygon:
    """Return what a region encloses, level-0 px."""
    if region.polygon is not None:
        return shapely.Polygon(region.polygon)
    return shapely.box(region.x, region.y, region.x + region.width, region.y + region.height)


def _shows(inside: Foreground, region: Region) -> bool:
    """Whether there is tissue in the box around a region."""
    return inside.any_in(region.y, region.x, region.height, region.width)


def _files(form: RunForm) -> tuple[tuple[str, int | None], ...]:
    assert form.model is not None
    found = []
    for port, facts in zip(form.model.inputs, form.inputs, strict=False):
        if facts is None:
            continue
        if facts.path is None or facts.slices is not None:
            return ()
        found.append((str(facts.path), facts.channel if port.kind == "map" else None))
    return tuple(found)


@lru_cache(maxsize=8)
def _tissue(files: tuple[tuple[str, int | None], ...]) -> Foreground:
    """Return where the files show anything, as a run finds it."""
    scans = [open_scan(path) for path, _ in files]
    first, *beside = [
        scan if number is None else scan.channel(number) for scan, (_, number) in zip(scans, files, strict=True)
    ]
    return first.foreground(beside)
