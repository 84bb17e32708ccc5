"""Which pictures of a result stand on a sheet, and under which words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from diffuscope.exports.view.sheet import PANEL, Panel, colour, draw_sheet

if TYPE_CHECKING:
    from diffuscope.exports.request import Request

NOTE = "Computed by a diffusion model. Research use only; not for diagnosis."
#: Bytes of a sheet of so many layers as a result has, at most.
LARGEST = 32 * 2**20


def sheet_of(request: Request) -> Image.Image:
    """Return the layers of a slide's result on one sheet, each from the level that is about as large as its panel."""
    result = request.result
    levels = result.images[request.ports[0].key]
    number = max((n for n, level in enumerate(levels) if max(level.shape[:2]) >= PANEL), default=0)
    panels = []
    for port in request.ports:
        pixels = np.asarray(result.images[port.key][number].compute(scheduler="synchronous"))
        unit = f" ({port.unit})" if port.unit else ""
        if port.kind == "rgb":
            panels.append(Panel(port.name, pixels.astype(np.uint8)))
            continue
        panels += [
            Panel(f"{port.name if len(port.channels) == 1 else name}{unit}", colour(pixels[..., channel], port), port)
            for channel, name in enumerate(port.channels)
        ]
    model = request.record.get("model", {}).get("name", "")
    title = f"{request.ports[0].name}{f', by the model {model}' if model else ''}"
    incomplete = "" if result.complete else f" Incomplete: {result.done} of {result.tiles} tiles."
    return draw_sheet(panels, title=title, note=NOTE + incomplete, um_per_px=result.mpp * 2**number)
