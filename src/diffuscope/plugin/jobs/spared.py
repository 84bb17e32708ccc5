"""What is there when a job begins, spared by the collector of garbage while it goes on."""

from __future__ import annotations

import gc
from typing import Any


class Spared:
    """Keeps the collector from all that is there already, until a job is over. Main thread only.

    A look through the half a million objects of napari's takes a quarter of a second, in which the window stands still;
    through those that a job brings it takes a few milliseconds. A layer that is removed ends it: its pixels would stay
    in memory.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers may go meanwhile.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._is_on = False

    def begin(self) -> None:
        """Spare what is there."""
        if not self._is_on:
            self._is_on = True
            self._viewer.layers.events.removed.connect(self.end)
        gc.freeze()

    def end(self, _: Any = None) -> None:
        """Look through everything again, when the collector has a reason to."""
        if self._is_on:
            self._is_on = False
            self._viewer.layers.events.removed.disconnect(self.end)
            gc.unfreeze()
