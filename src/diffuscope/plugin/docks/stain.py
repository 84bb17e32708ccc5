"""The dock "Virtual staining"."""

from __future__ import annotations

import napari

from diffuscope.plugin.docks.kinds import STAINING
from diffuscope.plugin.docks.run import RunDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.panels.numbers.positives import PositivesPanel


class StainDock(RunDock):
    """Virtual staining of the slides in a viewer.

    Parameters
    ----------
    napari_viewer, child
        As of `RunDock`.
    """

    kind = STAINING

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__(napari_viewer, child)
        self.session.result_changed.connect(self.positives.show_result)

    def _build(self) -> None:
        super()._build()
        self.positives = PositivesPanel(self.viewer)
        self.positives.recounted.connect(self.results.show_table)
        self.below.addWidget(self.positives)
