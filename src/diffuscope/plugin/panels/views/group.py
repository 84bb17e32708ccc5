"""What is done to all layers of a result at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import ref

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QInputDialog, QPushButton, QWidget

from diffuscope.plugin.layers.views.naming import label_of, rename
from diffuscope.plugin.panels.views.stage import HIDE_KEY, Stage
from diffuscope.plugin.widgets.pieces import weakly


class GroupRow(QWidget):
    """Buttons for the layers of the result in sight.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers.
    stage : Stage
        Of it, which knows the result.
    """

    def __init__(self, viewer: Any, stage: Stage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._stage = ref(getattr(viewer, "__wrapped__", viewer)), stage
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        self.buttons: dict[str, QPushButton] = {}
        for text, tip, act in (
            (
                "Hide",
                f"Hide all layers of this result, or show them. Key {HIDE_KEY.upper()}",
                stage.toggle_hidden,
            ),
            ("Rename…", "Give all layers of this result one name", weakly(self._rename)),
            ("Close", "Take all layers of this result out of the window; its folder stays", weakly(self._remove)),
            ("Folder", "Show the result's folder among the files", weakly(self._open)),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(act)
            self.buttons[text] = button
            row.addWidget(button, 1)

    def _rename(self, _: Any = None) -> None:
        viewer, pair = self._viewer(), self._stage.pair
        if viewer is None or pair is None:
            return
        name, is_given = QInputDialog.getText(
            self, "Name of the result", "Behind the name of each of its layers:", text=label_of(viewer, pair.folder)
        )
        if is_given:
            rename(viewer, pair.folder, name)

    def _remove(self, _: Any = None) -> None:
        viewer, pair = self._viewer(), self._stage.pair
        if viewer is not None and pair is not None:
            for layer in pair.made:
                viewer.layers.remove(layer)

    def _open(self, _: Any = None) -> None:
        if self._stage.pair is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(self._stage.pair.folder).parent)))
