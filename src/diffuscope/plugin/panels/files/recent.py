"""The results that were made last: open one again, or see where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QGroupBox, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout

from diffuscope.plugin.settings.recent import recent
from diffuscope.plugin.widgets.rows import side_by_side

#: Rows that are seen without scrolling.
_SEEN = 6


def show_in_folder(path: Path) -> None:
    """Show the folder that something lies in, in the file manager of the system."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


class RecentResults(QGroupBox):
    """Hidden as long as there are none: who shows it has it `look` when there may be others."""

    #: Path of a result that is to be opened.
    asked = Signal(str)

    def __init__(self) -> None:
        super().__init__("Recent results")
        self._listed: list[Path] | None = None
        self.list = QListWidget()
        self.open, self.folder = QPushButton("Open"), QPushButton("Show in folder")
        layout = QVBoxLayout(self)
        layout.addWidget(self.list)
        layout.addWidget(side_by_side(self.open, self.folder))
        self.list.itemDoubleClicked.connect(self._open)
        self.open.clicked.connect(self._open)
        self.folder.clicked.connect(self._show_folder)
        self.list.currentItemChanged.connect(self._show_choice)
        self.look()

    def look(self) -> None:
        """List what there is; what was chosen stays so where that is as before."""
        found = recent()
        if self._listed == found:
            return
        self._listed = found
        self.list.clear()
        for path in found:
            item = QListWidgetItem(path.name)
            item.setToolTip(str(path))
            item.setData(Qt.ItemDataRole.UserRole, str(path))
            self.list.addItem(item)
        self.list.setFixedHeight(min(len(found), _SEEN) * max(self.list.sizeHintForRow(0), 1) + 8)
        self.setVisible(bool(found))
        self._show_choice()

    def _chosen(self) -> str:
        item: QListWidgetItem | None = self.list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def _open(self, _: Any = None) -> None:
        if self._chosen():
            self.asked.emit(self._chosen())

    def _show_folder(self) -> None:
        if self._chosen():
            show_in_folder(Path(self._chosen()))

    def _show_choice(self, _: Any = None) -> None:
        for button in (self.open, self.folder):
            button.setEnabled(bool(self._chosen()))
