"""How a viewer shows a result and its inputs: one over the other, behind a curtain, side by side or by turns."""

from __future__ import annotations

from typing import Any
from weakref import ref

from psygnal import Signal
from qtpy.QtCore import QTimer

from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.objects.places import look_at, most_uncertain
from diffuscope.plugin.layers.views.aside import Aside
from diffuscope.plugin.layers.views.canvas import canvas_of
from diffuscope.plugin.layers.views.curtain import Curtain
from diffuscope.plugin.layers.views.fade import Fade
from diffuscope.plugin.layers.views.pair import Pair, pair_of, result_in_sight
from diffuscope.plugin.layers.views.per_viewer import PerViewer
from diffuscope.plugin.layers.views.side import SideBySide
from diffuscope.plugin.panels.views.divider import Divider
from diffuscope.ports.shown import is_spread

OVER, CURTAIN, SIDE, BLINK = "over", "curtain", "side", "blink"
#: What a key does, by the key. None of them means anything to napari's layers that are drawn or looked at.
KEYS = {"k": CURTAIN, "g": SIDE, "q": BLINK}
FADE_KEY, HIDE_KEY, UNSURE_KEY = "w", "h", "u"
#: How long either is seen while they blink, ms.
_TURN = 700
#: What is left of a result that was made to shine through.
_FAINT = 0.5


class Stage:
    """The views of one viewer. Main thread only.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers.

    Attributes
    ----------
    mode : str
        How a result and its inputs are seen.
    edge : float
        Where the curtain's line is, from 0 (left) to 1 (right).
    share : float
        Of its own opacity that the result has.
    pair : Pair or None
        What is compared; None where no result is in sight.
    """

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        self._viewer = ref(viewer)
        self.mode = OVER
        self.edge, self.share = 0.5, 1.0
        self.pair: Pair | None = None
        self._curtain, self._side, self._fade, self._aside = Curtain(), SideBySide(), Fade(), Aside()
        self._hidden: list[Any] = []
        self._beside: list[Any] = []
        self._unsure_of: Any = None
        self._unsure: list[tuple[float, ...]] = []
        self._divider: Divider | None = None
        self._is_gone = False  # by turns
        self._timer: QTimer | None = None
        layers = viewer.layers.events
        for event in (layers.inserted, layers.removed, viewer.layers.selection.events.active):
            event.connect(self._look)
        layers.inserted.connect(self._follow)
        for layer in viewer.layers:
            layer.events.visible.connect(self._seen)
        viewer.dims.events.ndisplay.connect(self._look)
        for key, mode in KEYS.items():
            viewer.bind_key(key, _pressed(self, "toggle", mode), overwrite=True)
        viewer.bind_key(FADE_KEY, _pressed(self, "toggle_faint"), overwrite=True)
        viewer.bind_key(HIDE_KEY, _pressed(self, "toggle_hidden"), overwrite=True)
        viewer.bind_key(UNSURE_KEY, _pressed(self, "show_unsure"), overwrite=True)
        self._look()

    def show(self, mode: str) -> None:
        """See result and inputs another way."""
        viewer = self._viewer()
        if viewer is None or mode == self.mode or (self.pair is None and mode != OVER):
            return
        self._leave(viewer)
        self.mode = mode
        if mode == SIDE and self.pair is not None:
            self._put_beside(viewer, self.pair)
        if mode == BLINK:
            self._clock().start(_TURN)
        self._draw()
        self.changed.emit()

    def toggle(self, mode: str) -> None:
        """See them another way, or no more that way."""
        self.show(OVER if mode == self.mode else mode)

    def move(self, edge: float) -> None:
        """Draw the curtain to another place."""
        self.edge = min(1.0, max(0.0, edge))
        self._draw()
        self.changed.emit()

    def fade(self, share: float) -> None:
        """Let the inputs shine through."""
        self.share = min(1.0, max(0.0, share))
        self._draw()
        self.changed.emit()

    def toggle_faint(self) -> None:
        """Let the inputs shine through by half, or not at all."""
        self.fade(1.0 if self.share < 1 else _FAINT)

    def toggle_hidden(self) -> None:
        """Hide all layers of the result, or show those again that were seen."""
        if self.pair is None:
            return
        if seen := self.pair.seen:
            self._hidden = list(seen)
            for layer in seen:
                layer.visible = False
            return
        again = [layer for layer in self.pair.made if layer in self._hidden] or self.pair.made[:1]
        for layer in again:
            layer.visible = True

    @property
    def spread(self) -> Any:
        """The layer that tells where the result in sight is unsure; None where there is none."""
        made = self.pair.made if self.pair is not None else ()
        return next((layer for layer in made if is_spread(str(own_metadata(layer).get("port", "")))), None)

    def show_unsure(self) -> None:
        """Look at the next most uncertain place of the result, after the last at the first again."""
        viewer, spread = self._viewer(), self.spread
        if viewer is None or spread is None:
            return
        if self._unsure_of is not spread or not self._unsure:
            self._unsure_of, self._unsure = spread, most_uncertain(spread)
        if self._unsure:
            look_at(viewer, spread, self._unsure.pop(0))

    def _follow(self, event: Any) -> None:
        event.value.events.visible.connect(self._seen)

    def _seen(self, _: Any = None) -> None:
        self.changed.emit()

    def _look(self, _: Any = None) -> None:
        """Look what is compared; where nothing is, everything is as before."""
        viewer = self._viewer()
        if viewer is None:
            return
        before, is_beside = self.pair, self.mode == SIDE
        # side by side one result stays, whatever is clicked: all others are hidden
        kept = pair_of(viewer, before.folder) if before is not None and is_beside else None
        self.pair = kept or pair_of(viewer, result_in_sight(viewer))
        if self.mode != OVER and (self.pair is None or (is_beside and kept is None)):
            self.show(OVER)
        elif is_beside and kept is not None and list(viewer.layers) != self._beside:
            self._side.lift(viewer)
            self._put_beside(viewer, kept)
        self._draw()
        self.changed.emit()

    def _put_beside(self, viewer: Any, pair: Pair) -> None:
        self._side.draw(viewer, pair)
        self._beside = list(viewer.layers)

    def _leave(self, viewer: Any) -> None:
        self._aside.lift(viewer)  # before all is put side by side
        if self.mode == SIDE:
            self._side.lift(viewer)
        if self.mode == BLINK:
            self._clock().stop()
            self._is_gone = False

    def _draw(self) -> None:
        viewer, made = self._viewer(), self.pair.made if self.pair is not None else ()
        if viewer is None:
            return
        if self.pair is not None and (self.mode in (CURTAIN, BLINK) or (self.mode == OVER and self.share < 1)):
            self._aside.draw(viewer, self.pair)
        else:
            self._aside.lift(viewer)
        self._fade.draw(made, 0.0 if self._is_gone else self.share)
        canvas = canvas_of(viewer)
        if canvas is None:
            return
        if self.mode == CURTAIN:
            self._curtain.draw(canvas, made, self.edge)
            if self._divider is None:
                self._divider = Divider(canvas.native)
                self._divider.moved.connect(self.move)
                self._divider.resized.connect(self._draw)
            self._divider.put(self.edge)
            self._divider.show()
        else:
            self._curtain.lift()
            if self._divider is not None:
                self._divider.hide()

    def _clock(self) -> QTimer:
        if self._timer is None:
            canvas = canvas_of(self._viewer())
            self._timer = QTimer(canvas.native if canvas is not None else None)
            self._timer.timeout.connect(self._turn)
        return self._timer

    def _turn(self) -> None:
        self._is_gone = not self._is_gone
        self._draw()


def _pressed(stage: Stage, name: str, *values: Any) -> Any:
    """Return what a key does, which keeps no stage."""
    held = ref(stage)

    def press(_: Any) -> None:
        found = held()
        if found is not None:
            getattr(found, name)(*values)

    return press


stage_of = PerViewer(Stage)
"""The stage of a viewer, which its docks share."""
