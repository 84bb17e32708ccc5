"""The dock "Evaluate": how near a picture, or a model, comes to the truth."""

from __future__ import annotations

import napari
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from diffuscope.plugin.docks.frame.assemble import stand
from diffuscope.plugin.docks.frame.help import HelpButton
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.panels.compare import CompareWidget
from diffuscope.plugin.panels.evaluate import EvaluateWidget
from diffuscope.plugin.widgets.pieces import scrolling


class EvaluateDock(QWidget):
    """Two layers of the viewer, or a model over a folder of cases.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the dock belongs to.
    child : Child, optional
        As of `Session`.

    Attributes
    ----------
    session : Session
        Its jobs.
    layers : CompareWidget
        Two layers.
    cases : EvaluateWidget
        A model and cases.
    """

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__()
        self.session = Session(napari_viewer, "Evaluate", child)
        self.layers = CompareWidget(napari_viewer, self.session)
        self.cases = EvaluateWidget(napari_viewer, self.session)
        self.tabs = QTabWidget()
        self.tabs.addTab(scrolling(self.layers), "Two layers")
        self.tabs.addTab(scrolling(self.cases), "Model and cases")
        self.tabs.setCornerWidget(HelpButton("Evaluate"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.tabs)
        self.setMinimumWidth(380)
        stand(self, "Evaluate")
