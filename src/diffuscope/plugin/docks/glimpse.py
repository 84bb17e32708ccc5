"""The button that computes one tile to look at, before anybody waits for a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton

from diffuscope.errors import InputError
from diffuscope.plugin.docks.asking import glimpse_of
from diffuscope.plugin.forms.region_choice import place_seen
from diffuscope.plugin.widgets.pieces import key_of, weakly

if TYPE_CHECKING:
    from diffuscope.plugin.docks.run import RunDock  # which has it


class GlimpseButton(QPushButton):
    """Stands beside Run of a dock whose models compute tiles.

    Parameters
    ----------
    dock : RunDock
        Whose form and layers it takes.
    """

    def __init__(self, dock: RunDock) -> None:
        super().__init__("Preview here")
        self.setToolTip("Compute the one tile in the middle of the view, to look at: it is not saved")
        key_of(self, "Ctrl+Alt+Return")
        self._dock = dock
        self.clicked.connect(weakly(self._look))

    def show_for(self) -> None:
        """Show it, or hide it where the model takes whole cases or volumes, of which a slice is looked at."""
        model = self._dock.form.model
        self.setVisible(self._dock.kind.scope.axes == "yx" and (model is None or not model.whole))

    def look_at(self, world: Sequence[float] = ()) -> None:
        """Compute the tile at a place of the viewer's world; left out, in the middle of the view."""
        dock = self._dock
        try:
            # first what the form has to say, then where
            settings = dock.form.settings()
            place = place_seen(dock.viewer, dock.inputs.chosen, world)
            dock.session.glimpse(glimpse_of(dock, place, settings))
        except InputError as error:
            dock.complain(str(error))

    def _look(self, _: bool = False) -> None:
        self.look_at()
