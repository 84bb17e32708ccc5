"""The dock "Welcome": the demonstration in one click, every dock in a sentence, and what was made last."""

from __future__ import annotations

from functools import partial
from typing import Any

import napari
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.plugin.docks.first import open_sample
from diffuscope.plugin.docks.frame.assemble import stacked, stand
from diffuscope.plugin.docks.frame.help import HelpButton
from diffuscope.plugin.docks.kinds import STAINING
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.layers.live import add_layers
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.panels.files.recent import RecentResults
from diffuscope.plugin.widgets.last_resort import tell
from diffuscope.plugin.widgets.pieces import MAIN_STYLE, scrolling
from diffuscope.plugin.widgets.rows import side_by_side, small_text

#: What each dock is for, by its name in the menu.
DOCKS = {
    STAINING.title: "An H&E slide becomes a virtual immunostain.",
    "Nanoparticle distribution": "Vessels and nuclei become where nanoparticles go.",
    "Modality translation": "A CT becomes an MR, an MR a CT.",
    "Lymph-node scoring": "A CT with outlines, blood and clinic become a score.",
    "Text and images": "A report, CT, MRI or X-ray becomes any of the others.",
    "Many slides": "A model over a folder, a table or a QuPath project.",
    "Register": "A restained slide in the frame of its H&E.",
    "Train": "Your pairs become a model of your own.",
    "Evaluate": "How near a picture, or a model, comes to the truth.",
}
_ABOUT = "Diffusion models for slides and scans. <b>For research only, not for diagnosis.</b>"


class WelcomeDock(QWidget):
    """Where to begin.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the dock belongs to.
    child : Child, optional
        As of `Session`.

    Attributes
    ----------
    session : Session
        It has no jobs of its own.
    """

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session = Session(napari_viewer, "Welcome", child)
        self.demo = QPushButton("Run the demo")
        self.demo.setStyleSheet(MAIN_STYLE)
        self.demo.setToolTip("Open the slide that ships, and stain the part of it that comes into view")
        self.recent = RecentResults()
        about = small_text()
        about.setText(_ABOUT)
        parts: list[QWidget] = [about, side_by_side(self.demo, HelpButton("Welcome")), self.recent]
        for title, sentence in DOCKS.items():
            button, told = QPushButton(title), small_text()
            told.setText(sentence.replace("&", "&amp;"))
            button.clicked.connect(partial(open_dock, napari_viewer, title))
            parts += [button, told]
        inner = QWidget()
        stacked(inner, parts)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(scrolling(inner))
        self.demo.clicked.connect(partial(run_demo, napari_viewer))
        self.recent.asked.connect(self._open)
        self.session.changed.connect(self.recent.look)  # a job of some dock has ended
        stand(self, "Welcome")

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  Qt's name
        """Look for results that other windows made meanwhile."""
        super().showEvent(event)
        self.recent.look()

    def _open(self, result: str) -> None:
        try:
            add_layers(self.viewer, read_layers(result))
        except InputError as error:
            tell(error)


def open_dock(viewer: Any, title: str, _: bool = False) -> Any:
    """Open a dock, or bring it to the front, and return it."""
    _, dock = viewer.window.add_plugin_dock_widget("diffuscope", title)
    return dock


def run_demo(viewer: Any, _: bool = False) -> None:
    """Stain what is in view of the sample slide."""
    dock = open_dock(viewer, STAINING.title)
    open_sample(dock)
    dock.run.click()
