"""The virtual multiplex of a result with several stains, as one more image that is computed where it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffuscope.systems.ports import Port, Stain, find_stains

if TYPE_CHECKING:
    from diffuscope.tiling.result import Result

MULTIPLEX = "multiplex"


def stained_ports(ports: Sequence[Port]) -> list[tuple[Port, Port]]:
    """Return colour image and DAB map of each stain of a multiplex; none where the ports make no multiplex.

    A multiplex has at least two stains, each with both images, and at most as many as there are chromogens.
    """
    pairs = [(stain.colour, stain.dab) for stain in _shown(ports)]
    return [(colour, dab) for colour, dab in pairs if colour is not None and dab is not None]


def multiplex_port(ports: Sequence[Port]) -> Port | None:
    """Return the port of the multiplex of some output ports, None where they make none.

    Its name tells the colour of each stain, e.g. ``"virtual multiplex (CD3 brown, CK8/18 green)"``.
    """
    from diffuscope.stains.multiplex import CHROMOGENS

    stains = _shown(ports)
    if not stains or stains[0].colour is None:
        return None
    legend = ", ".join(f"{stain.name} {colour}" for stain, colour in zip(stains, CHROMOGENS, strict=False))
    return replace(stains[0].colour, name=f"virtual multiplex ({legend})", key=MULTIPLEX)


def multiplex_result(result: Result) -> Result | None:
    """Return a result that has the multiplex as its only image; None where its stains make none."""
    import dask.array as da

    port, pairs = multiplex_port(result.ports), stained_ports(result.ports)
    if port is None:
        return None
    levels = []
    for level in range(len(result.images[pairs[0][0].key])):
        images, dabs = ([result.images[port.key][level] for port in group] for group in zip(*pairs, strict=True))
        levels.append(da.map_blocks(_draw, *images, *dabs, dtype=np.uint8, chunks=images[0].chunks))
    return replace(result, ports=(port,), images={MULTIPLEX: levels})


def _shown(ports: Sequence[Port]) -> list[Stain]:
    from diffuscope.stains.multiplex import CHROMOGENS

    stains = [stain for stain in find_stains(ports) if stain.colour and stain.dab]
    return stains if 2 <= len(stains) <= len(CHROMOGENS) else []


def _draw(*blocks: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Draw a block from the colour images (y, x, 3) of all stains, followed by their DAB maps (y, x, 1)."""
    from diffuscope.stains.multiplex import multiplex

    half = len(blocks) // 2
    return multiplex(
        [np.asarray(block, np.uint8) for block in blocks[:half]],
        [np.asarray(block[..., 0], np.float32) for block in blocks[half:]],
    )
