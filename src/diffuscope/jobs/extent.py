"""The extent of a run: which part of its inputs is computed, where it shows anything, and on which grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from diffuscope.errors import InputError
from diffuscope.jobs.drawn.regions import GivenRegion, find_region
from diffuscope.jobs.inputs import PortInput, Values
from diffuscope.jobs.scaling import Stains, find_foreground, measured_elsewhere, with_statistics
from diffuscope.results.tissue import TissueMap, crop_tissue
from diffuscope.scans import Foreground, Image
from diffuscope.systems.base import System
from diffuscope.tiling.plan import Plan, make_plan
from diffuscope.tiling.region import Region
from diffuscope.tiling.whole import make_whole_plan


class ExtentRequest(TypedDict, total=False):
    """What the user said of which part is computed, and by what it is scaled, as of `diffuscope.api.run.run`."""

    region: GivenRegion | None
    slices: str | None
    stains_of: Sequence[str | Path]


@dataclass(frozen=True, kw_only=True)
class Extent:
    """What a run computes, bound to its inputs.

    Attributes
    ----------
    inputs : tuple of PortInput
        With the values that become their ports' ranges, and the stains that are normalised.
    plan : Plan
        Tiles.
    tissue : TissueMap or None
        Of a slide, for measuring.
    region : Region or None
        As it was asked for.
    slices : str or None
        Of a volume, as `parse_slices` reads them.
    foreground : Foreground or None
        Of all inputs; None where none is an image.
    notices : tuple of str
        What the user should know.
    stains_of : tuple of str
        Names of the pictures and folders that stains are measured on instead of the inputs.
    """

    inputs: tuple[PortInput, ...]
    plan: Plan
    tissue: TissueMap | None
    region: Region | None
    slices: str | None
    foreground: Foreground | None
    notices: tuple[str, ...]
    stains_of: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what of it determines the pixels."""
        asked = {"region": str(self.region) if self.region else None}
        if not self.inputs:
            return asked
        *deep, _, _ = self.plan.axes
        if not deep:
            return {**asked, "factor": self.plan.factor}
        (z,) = deep
        return {
            **asked,
            "factors": [axis.factor for axis in self.plan.axes],
            "slices": self.slices,
            "depth": z.tile,
            "overlap_depth": z.overlap,
        }

    @property
    def flags(self) -> list[tuple[str, str]]:
        """How a command line asks for it again, besides the region."""
        named = [("stains-of", name) for name in self.stains_of]
        return [*([("slices", self.slices)] if self.slices else []), *named]


def find_extent(
    inputs: Sequence[PortInput],
    system: System,
    *,
    region: GivenRegion | None = None,
    slices: str | None = None,
    ranges: Mapping[str, Values],
    stains: Stains | None = None,
    stains_of: Sequence[str | Path] = (),
) -> Extent:
    """Find foreground, ranges, stains and plan of opened inputs, which lie on one lattice.

    Parameters
    ----------
    inputs : sequence of PortInput
        From `diffuscope.jobs.inputs.open_inputs`; of a whole system perhaps none.
    system : System
        What runs.
    region : Region, str or sequence of int, optional
        What to compute, level-0 px, or as `find_region` reads it; of a volume the rectangle in every slice.
    slices : str, optional
        ``"first:end"`` of a volume, from 0, the end not computed.
    ranges : mapping
        By port key, values that are given and not measured.
    stains : mapping, optional
        By port key, stains that are given and not measured.
    stains_of : sequence of str or Path, optional
        As of `diffuscope.api.run.run`.

    Raises
    ------
    InputError
        The µm/px is not known; region or slices lie outside; there is nothing to compute; stains cannot be measured on
        the pictures that are named for it.
    """
    part, told = find_region(region) if region is not None else (None, ())
    if system.declared.whole and (part is not None or slices is not None):
        raise InputError("this model takes whole cases: leave out the region and the slices.")
    if not inputs:
        plan = _blank(system)
        return Extent(inputs=(), plan=plan, tissue=None, region=None, slices=None, foreground=None, notices=())
    image, port = inputs[0].scan, inputs[0].port
    span = _check_part(image, part, slices)
    factors = image.factors(port)
    inside = find_foreground(inputs)
    if system.declared.whole:
        plan = make_whole_plan(shape=image.shape, factors=factors, spacing=image.spacing)
    else:
        plan = make_plan(
            shape=image.shape,
            factors=factors,
            tile=system.tile,
            overlap=system.overlap,
            depth=system.depth,
            overlap_depth=system.overlap_depth,
            spacing=image.spacing,
            region=part,
            slices=span,
            shows=inside.any_in,
            name=image.name,
        )
    stains = measured_elsewhere(inputs, stains_of, stains or {})
    return Extent(
        inputs=with_statistics(inputs, inside, ranges, stains, factors=factors),
        plan=plan,
        tissue=_tissue(inside, plan, part),
        region=part,
        slices=slices,
        foreground=inside,
        notices=(*told, *image.resampling(port), *_region_notice(image, part)),
        stains_of=tuple(Path(path).name for path in stains_of),
    )


def _blank(system: System) -> Plan:
    """Return the plan of a case without an image: the canvas of what is made, or one px for what is none."""
    if system.canvas is None:
        return make_whole_plan(shape=(1, 1), factors=(1.0, 1.0))
    mpp = system.output_rasters[0].mpp
    return make_whole_plan(shape=system.canvas, factors=(1.0, 1.0), spacing=(mpp, mpp))


def parse_slices(text: str, count: int, name: str) -> tuple[int, int]:
    """Return first slice and one past the last of ``"first:end"``; either may be left out.

    Raises
    ------
    InputError
        It has another form, or lies outside the volume.
    """
    first, mark, end = text.partition(":")
    try:
        start, stop = int(first or 0), int(end or count)
    except ValueError:
        mark = ""
    if not mark:
        raise InputError(f'slices "{text}" are not understood: give first:end, e.g. 40:80.')
    if not 0 <= start < stop <= count:
        raise InputError(f"slices {text} are empty or lie outside {name}, which has slices 0:{count}.")
    return start, stop


def _check_part(image: Image, region: Region | None, slices: str | None) -> tuple[int, int] | None:
    """Return first slice and one past the last; refuse outlines in volumes, and slices of what has none."""
    *depth, _, _ = image.shape
    if depth and region is not None and region.polygon is not None:
        raise InputError(f"{image.name} is a volume: give its region as a rectangle x,y,width,height.")
    if slices is None:
        return None
    if not depth:
        raise InputError(f"{image.name} is no volume and has no slices: leave out --slices.")
    return parse_slices(slices, depth[0], image.name)


def _tissue(inside: Foreground, plan: Plan, region: Region | None) -> TissueMap | None:
    """Return the tissue of a slide; what a volume shows is not measured by area."""
    *depth, _, _ = plan.axes
    if depth:
        return None
    return crop_tissue(inside.mask, inside.downsample, factor=plan.factor, window=plan.window, region=region)


def _region_notice(image: Image, region: Region | None) -> tuple[str, ...]:
    *_, height, width = image.shape
    if region is None or (
        region.x >= 0 and region.y >= 0 and region.x + region.width <= width and region.y + region.height <= height
    ):
        return ()
    return (f"The region reaches beyond {image.name} ({width} x {height} px): only what lies inside is computed.",)
