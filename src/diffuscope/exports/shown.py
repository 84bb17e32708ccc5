"""Which images of a result are shown, and a map in which range, wherever it is drawn: as in the window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from diffuscope.ports.shown import SPREAD, fitted, is_dab, is_spread, looked_at
from diffuscope.scans.region import in_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diffuscope.ports.raster import Raster
    from diffuscope.results.coverage import Covered
    from diffuscope.results.result import Result


def shown_ports(result: Result) -> tuple[Raster, ...]:
    """Return the images of a result that there is something to see of: of one sample there is no mean, and no spread.

    Of one step each picture is a posterior mean, whose spread is not that of samples. Files keep all, so that results
    of one model have the same images.
    """
    how = result.record.get("parameters", {})
    if 1 not in (how.get("samples"), how.get("steps")):
        return result.ports
    keys = {port.key for port in result.ports}
    unknown = {f"{key}{SPREAD}" for key in keys}
    if "mean" in keys:
        unknown |= {"uncertainty"} | ({"mean"} if how.get("samples") == 1 else set())
    return tuple(port for port in result.ports if port.key not in unknown)


def shown_port(result: Result, port: Raster) -> Raster:
    """Return a port with the range that the window shows its map in, found from the same px.

    Of a result that is not complete the range is that of the port, as in the window.
    """
    if not result.complete or not (is_dab(port.key) or is_spread(port.key)):
        return port
    is_volume = result.place.what == "volume"
    levels, axes = result.images[port.key], 3 if is_volume else 2
    # of a volume the window has the finest level alone
    number, steps = looked_at([level.shape[:axes] for level in levels[: 1 if is_volume else None]])
    values = in_memory(levels[number][steps])[..., 0]
    if result.coverage is not None:
        covered, sides = result.coverage.read(), [range(side) for side in levels[number].shape[:axes]]
        values = values[
            _of_slices(covered, sides, steps) if is_volume else covered.mask(sides, (2**number,) * 2)[steps]
        ]
    low, high = port.range
    return replace(port, range=(low, fitted(values, (low, high), shorten=is_spread(port.key))))


def _of_slices(covered: Covered, sides: Sequence[range], steps: Sequence[slice]) -> NDArray[np.bool_]:
    """Return which of some voxels were computed, a slice at a time: a mask takes more room than what it hides."""
    z, *inside = steps
    slices = [covered.mask([range(at, at + 1), *sides[1:]], (1, 1, 1))[0][tuple(inside)] for at in sides[0][z]]
    return np.stack(slices)
