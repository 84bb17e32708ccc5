"""The ground of a run: which part of its inputs is computed, where it shows anything, and on which grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diffuscope.errors import InputError
from diffuscope.jobs.inputs import PortInput, Values
from diffuscope.jobs.port_checks import check_mpp
from diffuscope.jobs.scaling import Stains, with_statistics
from diffuscope.results.tissue import TissueMap, crop_tissue
from diffuscope.scans import Scan, Volume, resampling_factor, tissue_mask
from diffuscope.scans.foreground import VolumeMask, slide_foreground, volume_foreground
from diffuscope.scans.tissue import TissueMask
from diffuscope.scans.volume import volume_factors
from diffuscope.systems.base import System
from diffuscope.tiling.plan import Plan, Region, make_plan
from diffuscope.tiling.volume import make_volume_plan


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a run computes, bound to its inputs.

    Attributes
    ----------
    inputs : tuple of PortInput
        With the values that become their ports' ranges, and the stains that are normalised.
    plan : Plan
        Tiles.
    mpp : float or None
        µm per canvas px of a slide.
    tissue : TissueMap or None
        Of a slide, for measuring.
    slices : str or None
        Of a volume, as `parse_slices` reads them.
    notices : tuple of str
        What the user should know.
    """

    inputs: tuple[PortInput, ...]
    plan: Plan
    mpp: float | None
    tissue: TissueMap | None
    slices: str | None
    notices: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what of it determines the pixels, besides the region."""
        if self.plan.spacing is None:
            return {"factor": self.plan.factor}
        z = self.plan.axes[0]
        return {
            "factors": [axis.factor for axis in self.plan.axes],
            "slices": self.slices,
            "depth": z.tile,
            "overlap_depth": z.overlap,
        }


def find_ground(
    inputs: Sequence[PortInput],
    system: System,
    *,
    region: Region | None,
    slices: str | None,
    ranges: Mapping[str, Values],
    stains: Stains | None = None,
) -> Ground:
    """Find foreground, ranges, stains and plan of opened inputs, which lie on one lattice.

    Parameters
    ----------
    inputs : sequence of PortInput
        From `diffuscope.jobs.inputs.open_inputs`.
    system : System
        What runs.
    region : Region, optional
        What to compute, level-0 px; of a volume the rectangle in every slice.
    slices : str, optional
        ``"first:end"`` of a volume, from 0, the end not computed.
    ranges : mapping
        By port key, values that are given and not measured.
    stains : mapping, optional
        By port key, stains that are given and not measured.

    Raises
    ------
    InputError
        The µm/px is not known; region or slices lie outside; there is nothing to compute.
    """
    scan = inputs[0].scan
    if isinstance(scan, Volume):
        return _in_volume(scan, inputs, system, region, slices, ranges)
    if slices is not None:
        raise InputError(f"{scan.name} is no volume and has no slices: leave out --slices.")
    return _on_slide(scan, inputs, system, region, ranges, stains or {})


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


def _on_slide(
    scan: Scan,
    inputs: Sequence[PortInput],
    system: System,
    region: Region | None,
    ranges: Mapping[str, Values],
    stains: Stains,
) -> Ground:
    factor = resampling_factor(scan, inputs[0].port.mpp)
    assert scan.mpp is not None  # resampling_factor refuses a scan without
    check_mpp(scan.name, scan.mpp)
    mask = slide_mask(inputs)
    plan = make_plan(
        slide_shape=(scan.shape[0], scan.shape[1]),
        factor=factor,
        tile=system.tile,
        overlap=system.overlap,
        region=region,
        is_tissue=mask.any_in,
        name=scan.name,
    )
    tissue = crop_tissue(
        mask.mask,
        mask.downsample,
        factor=factor,
        window=plan.window,
        polygon=region.polygon if region else None,
    )
    notices = (
        *_resampling_notice(scan.mpp, inputs[0].port.mpp, factor),
        *_region_notice(scan.name, scan.shape, region),
    )
    return Ground(
        inputs=with_statistics(inputs, mask, ranges, stains, factor=factor),
        plan=plan,
        mpp=scan.mpp * factor,
        tissue=tissue,
        slices=None,
        notices=notices,
    )


def _in_volume(
    scan: Volume,
    inputs: Sequence[PortInput],
    system: System,
    region: Region | None,
    slices: str | None,
    ranges: Mapping[str, Values],
) -> Ground:
    if region is not None and region.polygon is not None:
        raise InputError(f"{scan.name} is a volume: give its region as a rectangle x,y,width,height.")
    wanted = inputs[0].port.spacing
    assert wanted is not None  # check_port refuses a volume at another port
    z, y, x = (own if model is None else model for own, model in zip(scan.spacing, wanted, strict=True))
    factors = volume_factors(scan.spacing, (z, y, x))
    depth, height, width = scan.shape
    start, stop = parse_slices(slices, depth, scan.name) if slices is not None else (0, depth)
    part = (region.y, region.x, region.height, region.width) if region else (0, 0, height, width)
    chosen = region is not None or slices is not None
    mask = volume_mask(inputs)
    plan = make_volume_plan(
        shape=scan.shape,
        spacing=scan.spacing,
        factors=factors,
        tile=system.tile,
        overlap=system.overlap,
        depth=system.depth,
        overlap_depth=system.overlap_depth,
        region=(start, part[0], part[1], stop - start, part[2], part[3]) if chosen else None,
        is_foreground=mask.any_in,
        name=scan.name,
    )
    return Ground(
        inputs=with_statistics(inputs, mask, ranges),
        plan=plan,
        mpp=None,
        tissue=None,
        slices=slices,
        notices=(*_spacing_notice(scan, factors), *_region_notice(scan.name, (height, width), region)),
    )


def slide_mask(inputs: Sequence[PortInput]) -> TissueMask:
    """Return where the inputs of a slide show anything: by a stained picture where one is among them."""
    scans = [one.scan for one in inputs if isinstance(one.scan, Scan)]
    coloured = [one for one in scans if one.rgb]
    return tissue_mask(coloured[0]) if coloured else slide_foreground(scans)


def volume_mask(inputs: Sequence[PortInput]) -> VolumeMask:
    """Return where the inputs of one lattice show anything.

    Never by the ranges that were given: a run that is gone on with, or repeated, must find the same foreground.
    """
    return volume_foreground(
        [one.scan for one in inputs if isinstance(one.scan, Volume)],
        [None if one.port.scale == "percentile" else one.port.range for one in inputs],
    )


def _resampling_notice(slide: float, model: float, factor: float) -> tuple[str, ...]:
    if factor != 1.0:
        how = f"reduced {factor:.3g} times" if factor > 1 else f"enlarged {1 / factor:.3g} times, which adds no detail"
        return (f"The slide has {slide:.4g} µm/px and the model works at {model:.4g}: {how}.",)
    if not math.isclose(slide, model, rel_tol=1e-3):
        return (f"The slide's {slide:.4g} µm/px are within 5 % of the model's {model:.4g}: used as it is.",)
    return ()


def _spacing_notice(volume: Volume, factors: tuple[float, float, float]) -> tuple[str, ...]:
    if factors == (1.0, 1.0, 1.0):
        return ()
    own, model = (
        " x ".join(f"{step:.3g}" for step in reversed(steps))
        for steps in (volume.spacing, [step * by for step, by in zip(volume.spacing, factors, strict=True)])
    )
    return (f"The volume has voxels of {own} mm (x, y, z) and the model works at {model}: resampled.",)


def _region_notice(name: str, shape: tuple[int, int], region: Region | None) -> tuple[str, ...]:
    height, width = shape
    if region is None or (
        region.x >= 0 and region.y >= 0 and region.x + region.width <= width and region.y + region.height <= height
    ):
        return ()
    return (f"The region reaches beyond {name} ({width} x {height} px): only what lies inside is computed.",)
