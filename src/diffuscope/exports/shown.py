"""The range of values that a result's map is shown in, wherever it is drawn: the one that the window gives it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from diffuscope.ports.shown import fitted, is_dab, is_spread, looked_at
from diffuscope.scans.region import in_memory

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result


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
    if result.coverage is not None and not is_volume:
        sides = [range(side) for side in levels[number].shape[:axes]]
        values = values[result.coverage.read().mask(sides, (2**number, 2**number))[steps]]
    low, high = port.range
    return replace(port, range=(low, fitted(values, (low, high), shorten=is_spread(port.key))))
