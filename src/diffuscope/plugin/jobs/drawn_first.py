"""Where the processor draws, what computes stands while a view that moves is drawn: both want the same cores."""

from __future__ import annotations

import time
from typing import Any

from qtpy.QtCore import QTimer

from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.views.canvas import is_drawn_in_software, scene_canvas_of

#: The view moves if it did so this short a while ago, s.
_STILL = 0.25
#: For how long a view may move without a break until what computes goes on beside it, s: nobody drags for so long.
_LONGEST = 30.0
#: What is drawn is on the screen once Qt comes round again, ms. (A timer of 0 ms waits until there is nothing to do.)
_ROUND = 1


class DrawnFirst:
    """Draws what a viewer shows ahead of what computes, from `begin` to `end`. Main thread only.

    Measured where two cores draw and compute (`benchmarks window`): a picture that is drawn beside a network takes up
    to twice as long, however low the priority of the latter. It stands for as long as one is drawn, and computes
    between two, for which little time is left while a user drags the view (`pace_left`), and all of it once they let
    go; while nothing moves it is left alone.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose view may move.
    child : Child
        What computes.
    """

    def __init__(self, viewer: Any, child: Child) -> None:
        self._viewer, self._child = viewer, child
        self._is_on = self._stands = False
        self._moved = self._began = 0.0

    def begin(self) -> None:
        """Look out for a view that moves; nothing follows where a graphics card draws."""
        if self._is_on or not is_drawn_in_software(self._viewer):
            return
        self._is_on = True
        self._viewer.camera.events.connect(self._on_move)
        self._viewer.dims.events.current_step.connect(self._on_move)
        scene_canvas_of(self._viewer).events.draw.connect(self._stand, position="first")

    def end(self) -> None:
        """Leave what computes alone."""
        self._go_on()
        if not self._is_on:
            return
        self._is_on = False
        self._viewer.camera.events.disconnect(self._on_move)
        self._viewer.dims.events.current_step.disconnect(self._on_move)
        if (canvas := scene_canvas_of(self._viewer)) is not None:
            canvas.events.draw.disconnect(self._stand)

    def _on_move(self, _: Any = None) -> None:
        now = time.monotonic()
        if now - self._moved > _STILL:
            self._began = now
        self._moved = now
        self._stand()  # what is shown changes before it is drawn: other tiles of a slide are read

    def _stand(self, _: Any = None) -> None:
        now = time.monotonic()
        if self._stands or now - self._moved > _STILL or now - self._began > _LONGEST:
            return
        self._stands = self._child.stand()
        if self._stands:
            QTimer.singleShot(_ROUND, self._go_on)

    def _go_on(self) -> None:
        if self._stands:
            self._child.go_on()
            self._stands = False
