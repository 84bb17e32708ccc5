"""Slides, volumes and results as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import yaml

from diffuscope.cli.columns import aligned
from diffuscope.jobs.scaling import slide_stains
from diffuscope.measurement.table import readable
from diffuscope.scans import Scan, TissueMask, Volume, tissue_mask
from diffuscope.scans.channels import one_channel
from diffuscope.scans.foreground import slide_foreground, volume_foreground
from diffuscope.scans.intensity import PERCENTILES, slide_range, volume_range

if TYPE_CHECKING:
    from diffuscope.results.result import Result


def describe(found: Scan | Volume | Result) -> Iterator[str]:
    """Yield what is known of a slide, a volume or a result."""
    if isinstance(found, Volume):
        return _volume(found)
    return _scan(found) if isinstance(found, Scan) else _result(found)


def table(result: Result) -> Iterator[str]:
    """Yield the measurements of a result, one line a quantity."""
    header, lines = readable(result.table)
    if header:
        yield from aligned([("Region", "  ".join(header)), *((name, "  ".join(values)) for name, *values in lines)])


def _scan(scan: Scan) -> Iterator[str]:
    height, width = scan.shape
    size = f"{width} x {height} px"
    if scan.mpp is not None:
        size += f", {width * scan.mpp / 1000:.3g} x {height * scan.mpp / 1000:.3g} mm"
    levels = (
        f"{level.shape[1]} x {level.shape[0]} (1:{down:.4g})"
        for level, down in zip(scan.levels, scan.downsamples, strict=True)
    )
    one_each = [one_channel(scan, number) for number in range(len(scan.channels))]
    tissue = tissue_mask(scan) if scan.rgb else slide_foreground(one_each)
    lines = [
        ("format", scan.format),
        ("size", size),
        ("levels", ", ".join(levels)),
        ("µm/px", "unknown: give --mpp to run a model" if scan.mpp is None else f"{scan.mpp:.4g}"),
        ("channels", f"{', '.join(scan.channels)} ({scan.dtype})"),
        *(() if scan.rgb else (_values(one, slide_range(one, tissue, factor=1.0)) for one in one_each)),
        *(_stains(scan, tissue) if scan.rgb else ()),
        ("tissue", f"{100 * tissue.fraction_in(0, 0, height, width):.1f} %"),
        ("fingerprint", scan.fingerprint),
    ]
    if scan.associated:
        lines.append(("other images", ", ".join(scan.associated)))
    lines += [("notice", notice) for notice in scan.notices]
    yield scan.name
    yield from aligned(lines, indent=2)


def _volume(volume: Volume) -> Iterator[str]:
    depth, height, width = volume.shape
    z, y, x = volume.spacing
    mask = volume_foreground([volume], [None])
    shown = np.flatnonzero(mask.mask.any(axis=(1, 2)))
    low, high = volume.voxels[:].min(), volume.voxels[:].max()
    at = ", ".join(f"{place:.4g}" for place in volume.lattice.origin)
    lines = [
        ("format", volume.format),
        (
            "size",
            f"{width} x {height} x {depth} voxels, {width * x:.4g} x {height * y:.4g} x {depth * z:.4g} mm (x, y, z)",
        ),
        ("spacing", f"{x:.4g} x {y:.4g} x {z:.4g} mm"),
        ("first voxel", f"{at} mm (LPS)"),
        ("channels", f"{', '.join(volume.channels)} ({volume.dtype})"),
        ("values", f"{low:g} to {high:g}"),
        _values(volume, volume_range(volume, mask)),
        (
            "slices",
            f"{shown[0]}:{shown[-1] + 1} of {depth} show more than background" if len(shown) else "all background",
        ),
        ("fingerprint", volume.fingerprint),
    ]
    lines += [("notice", notice) for notice in volume.notices]
    yield volume.name
    yield from aligned(lines, indent=2)


def _values(scan: Scan | Volume, values: tuple[float, float]) -> tuple[str, str]:
    low, high = PERCENTILES
    return (
        "range",
        f"{scan.channels[0]}: {values[0]:g} to {values[1]:g} (percentiles {low:g} and {high:g} of the foreground)",
    )


def _stains(scan: Scan, tissue: TissueMask) -> Iterator[tuple[str, str]]:
    """Say what a model that normalises H&E would make of an 8-bit slide; nothing where it cannot be measured."""
    if scan.mpp is None or scan.dtype != np.uint8:
        return
    stains = slide_stains(scan, tissue, factor=1.0)
    if stains is not None:
        yield "stains", f"as H&E: {stains.summary} OD where a model normalises"


def _result(result: Result) -> Iterator[str]:
    shape = result.images[result.ports[0].key][0].shape[:-1]
    scale = ("µm/px", f"{result.mpp:.4g}")
    if len(shape) == 3:
        scale = ("spacing", f"{' x '.join(f'{step:.4g}' for step in reversed(result.place.spacing))} mm (x, y, z)")
    state = "complete" if result.complete else "incomplete"
    yield f"{result.path.name}: a Diffuscope result"
    yield from aligned(
        [
            ("state", f"{state}, {result.done} of {result.tiles} tiles"),
            ("size", f"{' x '.join(map(str, reversed(shape)))} {'px' if len(shape) == 2 else 'voxels'}"),
            scale,
            ("layers", ", ".join(f"{port.key} ({port.name})" for port in result.ports)),
        ],
        indent=2,
    )
    yield ""
    yield from table(result)
    yield ""
    yield yaml.safe_dump({"record": result.record}, sort_keys=False, allow_unicode=True, width=110).rstrip()
