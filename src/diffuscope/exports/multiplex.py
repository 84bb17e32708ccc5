"""The virtual multiplex of a result with several stains, as one more image that is computed where it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffuscope.exports.table import MULTIPLEX
from diffuscope.ports.raster import Raster
from diffuscope.ports.stains import find_stains

if TYPE_CHECKING:
    from diffuscope.results.result import Result


def multiplexed(ports: Sequence[Raster]) -> list[tuple[str, Raster, Raster]]:
    """Return name, colour image and DAB map of each stain that a multiplex of some output ports shows.

    There are at least two, and at most as many as there are chromogens; else the list is empty, and there is none.
    """
    from diffuscope.stains.multiplex import CHROMOGENS

    found = [(stain.name, stain.colour, stain.dab) for stain in find_stains(ports) if stain.colour and stain.dab]
    return found if 2 <= len(found) <= len(CHROMOGENS) else []


def multiplex_port(ports: Sequence[Raster]) -> Raster | None:
    """Return the port of the multiplex of some output ports, None where they make none.

    Its name tells the colour of each stain, e.g. ``"virtual multiplex (CD3 brown, CK8/18 green)"``.
    """
    from diffuscope.stains.multiplex import CHROMOGENS

    stains = multiplexed(ports)
    if not stains:
        return None
    legend = ", ".join(f"{name} {chromogen}" for (name, _, _), chromogen in zip(stains, CHROMOGENS, strict=False))
    _, colour, _ = stains[0]
    return replace(colour, name=f"virtual multiplex ({legend})", key=MULTIPLEX)


def multiplex_result(result: Result) -> Result | None:
    """Return a result that has the multiplex as its only image; None where its stains make none."""
    import dask.array as da

    port = multiplex_port(result.ports)
    if port is None:
        return None
    _, colours, dabs = zip(*multiplexed(result.ports), strict=True)
    levels = [
        da.map_blocks(_draw, *blocks, dtype=np.uint8, chunks=blocks[0].chunks)
        for blocks in zip(*(result.images[shown.key] for shown in (*colours, *dabs)), strict=True)
    ]
    return replace(result, ports=(port,), images={MULTIPLEX: levels})


def _draw(*blocks: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Draw a block from the colour images (y, x, 3) of all stains, followed by their DAB maps (y, x, 1)."""
    from diffuscope.stains.multiplex import multiplex

    half = len(blocks) // 2
    return multiplex(
        [np.asarray(block, np.uint8) for block in blocks[:half]],
        [np.asarray(block[..., 0], np.float32) for block in blocks[half:]],
    )
