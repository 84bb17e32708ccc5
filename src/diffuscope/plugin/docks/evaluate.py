"""The dock "Evaluate": how near a picture, or a model, comes to the truth."""

from __future__ import annotations

from functools import partial
from typing import Any

import napari
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from diffuscope.plugin.jobs.child import Child
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
        Where models run; default: a process of the dock's own, which gives the GPU back when the dock is closed.

    Attributes
    ----------
    layers : CompareWidget
        Two layers.
    cases : EvaluateWidget
        A model and cases.
    """

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__()
        self._child = child or Child()
        self.layers = CompareWidget(napari_viewer)
        self.cases = EvaluateWidget(napari_viewer, self._child)
        self.tabs = QTabWidget()
        self.tabs.addTab(scrolling(self.layers), "Two layers")
        self.tabs.addTab(scrolling(self.cases), "Model and cases")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.tabs)
        self.setMinimumWidth(380)
        # A partial of the child, not a method of this widget, which is gone by then.
        self.destroyed.connect(partial(_close, self._child))


def _close(child: Child, _: Any = None) -> None:
    child.close()
