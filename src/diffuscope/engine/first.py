"""The first finished tile of a run, before anything of the run is written: what it replaces stays until then."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from diffuscope.engine.batch import Unread
from diffuscope.engine.compute import Compute
from diffuscope.engine.events import Event, Step
from diffuscope.engine.queue import Focus, TileQueue
from diffuscope.engine.tiles import GONE
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.results.computed import Computed, Halved
from diffuscope.tiling.plan import Plan


class Ahead:
    """A `Compute` that is at work already, and takes its tiles from a queue of its own.

    Parameters
    ----------
    compute : Compute
        What computes the tiles.
    plan : Plan
        All of them; none is done.
    focus : callable
        Where the user looks, as of `diffuscope.engine.tiles.run_tiles`.

    Attributes
    ----------
    first : Computed or None
        What was finished first; None before `begin`, and where nothing came.
    unread : int
        Tiles that could not be read before.
    """

    def __init__(self, compute: Compute, plan: Plan, focus: Focus) -> None:
        self._items = compute(TileQueue(plan, np.zeros_like(plan.selected), focus))
        self._waiting: list[Unread | Halved] = []
        self.first: Computed | None = None

    @property
    def unread(self) -> int:
        """See there."""
        return sum(isinstance(item, Unread) for item in self._waiting)

    def begin(self) -> Generator[Event, None, None]:
        """Compute until a tile is finished.

        Raises
        ------
        InputError
            Nothing can be read, or not even one tile fits into memory.
        """
        for item in self._items:
            match item:
                case Computed():
                    self.first = item
                    return
                case Halved():
                    self._waiting.append(item)
                case Unread():
                    self._waiting.append(item)
                    if self.unread == GONE:
                        raise InputError(
                            f"{GONE} tiles in a row could not be read ({item.reason}): see that the input is still "
                            "there. Nothing was written."
                        )
                case Step() | Notice() | Progress():
                    yield item

    def __call__(self, _: TileQueue) -> Generator[Any, None, None]:
        """Go on, with what came beside the first tile first."""
        yield from self._waiting
        yield from self._items

    def close(self) -> None:
        """End what is at work."""
        self._items.close()
