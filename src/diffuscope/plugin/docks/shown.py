"""Which result a dock shows: that of the layer that is selected, until its layers are gone."""

from __future__ import annotations

from typing import Any

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.run_session import RunSession
from diffuscope.plugin.layers.facts import is_result, own_metadata
from diffuscope.results.result import open_result


class ShownResult:
    """Follows the layers of a viewer for a session.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers.
    session : RunSession
        What shows the result.
    """

    def __init__(self, viewer: Any, session: RunSession) -> None:
        self._viewer, self._session = viewer, session
        viewer.layers.selection.events.active.connect(self.look)
        viewer.layers.events.removed.connect(self._removed)

    def look(self, _: Any = None) -> None:
        """Show the result of the selected layer, if it is one of a result and nothing is at work."""
        session = self._session
        if session.is_closed:
            return
        layer, shown = self._viewer.layers.selection.active, session.result
        if layer is None and shown is None:
            # Opened whole, as a recent result is, none of its layers is selected.
            layer = next((one for one in reversed(self._viewer.layers) if is_result(one)), None)
        folder = own_metadata(layer).get("result") if layer is not None and is_result(layer) else None
        if folder is None or not session.state.is_idle or (shown is not None and str(shown.path) == folder):
            return
        try:
            session.show_result(open_result(folder))
        except InputError as error:
            session.state.complain(str(error))

    def _removed(self, event: Any) -> None:
        """Show no more what the last layer of is gone."""
        session, folder = self._session, own_metadata(event.value).get("result")
        if folder is None or session.is_closed or session.result is None or not session.state.is_idle:
            return
        left = any(own_metadata(layer).get("result") == folder for layer in self._viewer.layers)
        if not left and str(session.result.path) == folder:
            session.show_result(None)
