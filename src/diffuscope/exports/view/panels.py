"""Which pictures of a result stand on a sheet, and under which words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffuscope.exports.shown import shown_port, shown_ports
from diffuscope.exports.view.sheet import PANEL, Panel, colour, draw_sheet, hatch
from diffuscope.scans.region import in_memory

if TYPE_CHECKING:
    from diffuscope.exports.request import Request
    from diffuscope.results.result import Result

NOTE = "Computed by a diffusion model. Research use only; not for diagnosis."
#: Bytes of a sheet of so many layers as a result has, at most.
LARGEST = 32 * 2**20


def sheet_of(request: Request) -> Image.Image:
    """Return the layers of a slide's result on one sheet, each from the level that is about as large as its panel."""
    result = request.result
    panels, number = panels_of(request)
    model = request.record.get("model", {}).get("name", "")
    title = f"{request.ports[0].name}{f', by the model {model}' if model else ''}"
    told = "" if result.complete else f" Incomplete: {result.done} of {result.tiles} {result.unit}."
    note = " ".join(filter(None, [NOTE + told, gaps_told(result, panels)]))
    return draw_sheet(panels, title=title, note=note, um_per_px=result.mpp * 2**number)


def panels_of(request: Request) -> tuple[list[Panel], int]:
    """Return a panel for each layer, and the level that they are of, whose longer side is at least a panel's."""
    result = request.result
    levels = result.images[request.ports[0].key]
    number = max((n for n, level in enumerate(levels) if max(level.shape[:2]) >= PANEL), default=0)
    panels: list[Panel] = []
    there = {port.key for port in shown_ports(result)}
    # what there is nothing to see of is drawn for who asks for it alone
    for port in [port for port in request.ports if port.key in there] or request.ports:
        pixels = in_memory(result.images[port.key][number])
        unit = f" ({port.unit})" if port.unit else ""
        if port.kind == "rgb":
            panels.append(Panel(port.name, pixels.astype(np.uint8)))
            continue
        known, left_out = _known(result, pixels.shape[:2], 2**number)
        shown = shown_port(result, port)
        for channel, name in enumerate(port.channels):
            drawn = colour(pixels[..., channel], shown)
            drawn[~known] = 255  # paper, which is no value
            # a value that nobody knows, as the spread of one sample, is not the least one
            unknown = known & ~np.isfinite(pixels[..., channel])
            drawn[left_out | unknown] = hatch(left_out | unknown)
            caption = f"{port.name if len(port.channels) == 1 else name}{unit}"
            has = {"has_gaps": bool(left_out.any()), "has_unknown": bool(unknown.any())}
            panels.append(Panel(caption, drawn, shown, **has))
    return panels, number


def gaps_told(result: Result, panels: Sequence[Panel]) -> str:
    """Say what is hatched in some of a result's panels; empty where nothing is."""
    why = []
    if any(panel.has_gaps for panel in panels):
        why.append(f"not computed{', as no tissue was seen there' if result.complete else ''}")
    if any(panel.has_unknown for panel in panels):
        why.append("not known")
    return f"Hatched: {', or '.join(why)}." if why else ""


def _known(result: Result, shape: tuple[int, ...], factor: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which px of a level were computed, all of a result that does not say; and which of the region were not."""
    known = np.ones(shape, np.bool_)
    if result.coverage is None:
        return known, ~known
    spans, factors = [range(side) for side in shape], (factor, factor)
    known = result.coverage.read().mask(spans, factors)
    return known, result.coverage.inside(spans, factors) & ~known
