"""Which tile comes next: row by row, or the nearest to where the user looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from diffuscope.tiling.plan import Plan, Tile

#: Where the user looks: (y, x) or (z, y, x) in px of the input (level 0); None where nobody does. Asked at each batch.
Focus = Callable[[], tuple[float, ...] | None]


class TileQueue:
    """The tiles of a plan that nobody has begun yet.

    Parameters
    ----------
    plan : Plan
        Which tiles.
    done : ndarray of bool
        Those that are finished, shaped as ``plan.selected``.
    focus : callable
        Where the user looks.
    """

    def __init__(self, plan: Plan, done: NDArray[np.bool_], focus: Focus = lambda: None) -> None:
        self.plan, self._focus = plan, focus
        self._left = plan.selected & ~done

    def __len__(self) -> int:
        """Return how many are left."""
        return int(self._left.sum())

    def take(self, number: int) -> tuple[Tile, ...]:
        """Return the next tiles, at most `number`; they are no longer in the queue."""
        left = np.flatnonzero(self._left)
        place = self._focus() if len(left) > number else None
        if place is not None:
            left = left[np.argsort(self._distance(left, place), kind="stable")]
        chosen = left[:number]
        self._left.flat[chosen] = False
        indices = np.stack(np.unravel_index(chosen, self._left.shape), axis=1) + self.plan.first
        return tuple(self.plan.at(*index) for index in indices.tolist())

    def put_back(self, tiles: Iterable[Tile]) -> None:
        """Return tiles that were taken and not computed."""
        for tile in tiles:
            self._left[self.plan.slot(*tile.index)] = True

    def _distance(self, left: NDArray[np.intp], place: tuple[float, ...]) -> NDArray[np.float64]:
        """Squared distance, in tiles, from the centres of tiles to a place in the input."""
        squared = np.zeros(len(left))
        slots = np.unravel_index(left, self._left.shape)
        for axis, first, slot, at in zip(self.plan.axes, self.plan.first, slots, place, strict=True):
            squared += (first + slot - (at / axis.factor - axis.tile / 2) / axis.stride) ** 2
        return squared
