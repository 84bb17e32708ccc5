"""What a viewer shows of a run while it goes on: its outputs as they fill, and the tile at hand; seldom enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from diffuscope.engine.events import Preview
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.live import LiveLayers
from diffuscope.plugin.layers.placement import Placement, in_units, world_units
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.results.result import Result

#: What a job does is drawn at most this often; while the camera moves, which draws by itself, no oftener than _MOVING.
_DRAW_SECONDS, _MOVING_SECONDS = 0.1, 4.0
#: The camera moves if it did so this short a while ago.
_STILL_SECONDS = 0.25


class RunView:
    """The layers of one run. Main thread only.

    Parameters
    ----------
    viewer : napari.Viewer
        Where they are shown.
    placement : Placement or None
        Where the run's first input lay; None where it has none.
    look_at : callable
        Reports now and then where the user looks, level-0 px of the input: (y, x), or (z, y, x) in a volume.
    """

    def __init__(self, viewer: Any, placement: Placement | None, look_at: Callable[..., None]) -> None:
        self._viewer, self._placement, self._look_at = viewer, placement, look_at
        self._live: LiveLayers | None = None
        self._preview: Preview | None = None
        self._is_stale = False
        self._to_draw: Iterator[None] = iter(())
        self._moved = self._drawn = 0.0
        self._clock = QTimer()
        self._clock.setInterval(int(_DRAW_SECONDS * 1000))
        self._clock.timeout.connect(self._draw)

    def start(self) -> None:
        """Begin to look."""
        self._viewer.camera.events.connect(self._on_camera)
        self._clock.start()
        self._tell_view()

    def open(self, out: str, layers: list[LayerTuple]) -> None:
        """Show the outputs; of a result that was replaced the layers go, since they show what is no longer there."""
        for layer in [layer for layer in self._viewer.layers if own_metadata(layer).get("result") == out]:
            self._viewer.layers.remove(layer)
        self._live = LiveLayers(self._viewer, layers) if layers else None
        self._to_draw = iter(())

    def preview(self, event: Preview) -> None:
        """Show a tile at hand, when it is time to draw."""
        self._preview = event

    def renew(self) -> None:
        """Show what was written, when it is time to draw."""
        self._is_stale = True

    def end(self, result: Result | None) -> None:
        """Leave the outputs where they are a result; else take them away."""
        self._clock.stop()
        self._viewer.camera.events.disconnect(self._on_camera)
        if self._live is not None:
            self._live.end(result)
            self._live = None

    def _draw(self) -> None:
        self._tell_view()
        if self._live is None:
            return
        for _ in self._to_draw:
            return
        now = time.monotonic()
        if now - self._moved < _STILL_SECONDS and now - self._drawn < _MOVING_SECONDS:
            return
        self._drawn = now
        self._to_draw = self._draw_each(self._live)
        next(self._to_draw, None)

    def _draw_each(self, live: LiveLayers) -> Iterator[None]:
        """Draw what is new, one layer at a beat of the clock: all at once they would hold the window up."""
        if self._preview is not None:
            live.show_preview(self._preview)
            self._preview = None
            yield
        if self._is_stale:
            self._is_stale = False
            yield from live.refresh_each()

    def _on_camera(self, _: Any = None) -> None:
        self._moved = time.monotonic()

    def _tell_view(self) -> None:
        if self._placement is not None and self._viewer.dims.ndisplay == 2:
            dims = self._viewer.dims
            place = np.array(dims.point, float)
            place[list(dims.displayed)] = self._viewer.camera.center[-2:]
            seen = in_units(place.tolist(), world_units(self._viewer), self._placement.units)
            self._look_at(*self._placement.to_input(seen.tolist()))
