"""Where the inputs of a tile have no number nothing is known of what comes out, whatever a network makes of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.engine.compute import Compute
from diffuscope.engine.queue import TileQueue
from diffuscope.results.computed import Computed
from diffuscope.tiling.plan import Tile


@dataclass(frozen=True)
class WithGaps:
    """A `Compute` whose maps are NaN where its inputs were.

    A network is given the lowest value there, and would make air of it, surely.

    Attributes
    ----------
    compute : Compute
        What computes the tiles.
    gaps : callable
        Returns of a tile where nothing is known, bool (h, w) or (d, h, w).
    keys : collection of str
        Outputs that can hold NaN.
    """

    compute: Compute
    gaps: Callable[[Tile], NDArray[np.bool_]]
    keys: Collection[str]

    def __call__(self, queue: TileQueue) -> Generator[Any, None, None]:
        """Compute, as `Compute`."""
        with closing(self.compute(queue)) as items:
            for item in items:
                yield self._blanked(item) if isinstance(item, Computed) else item

    def _blanked(self, item: Computed) -> Computed:
        gaps = self.gaps(item.tile)
        if not gaps.any():
            return item
        blank = {key: _blank(array, gaps) for key, array in item.outputs.items() if key in self.keys}
        return replace(item, outputs={**item.outputs, **blank})


def _blank(array: NDArray[np.float32], gaps: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return an output (c, h, w) or (c, d, h, w) with its gaps; a depth of 1 may be left out of either."""
    return np.where(gaps.reshape(array.shape[1:]), np.float32(np.nan), array)
