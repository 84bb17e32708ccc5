"""Docks of ours that stand at one side of the window, a tab each: stacked, two would leave no room for a form."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

# Property of the widgets of our docks, by which they know each other; its value is what the tab says.
_OURS = "diffuscope_dock"
# Titles that four tabs have no room for in a window of 1280 px, in a word.
_SHORT = {
    "Virtual staining": "Staining",
    "Nanoparticle distribution": "Particles",
    "Modality translation": "Translation",
    "Lymph-node scoring": "Scoring",
    "Text and images": "Texts",
    "Other models": "Others",
}


class _Watch(QObject):
    """Notices that napari puts a widget into a dock, which is in the window a moment later."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802  Qt's name
        if event.type() == QEvent.Type.ParentChange and isinstance(watched.parent(), QDockWidget):
            QTimer.singleShot(0, self, self._join)
        return False

    def _join(self) -> None:
        widget: Any = self.parent()
        dock: Any = widget.parent() if widget is not None else None
        window = dock.parent() if isinstance(dock, QDockWidget) else None
        if isinstance(window, QMainWindow):
            dock.setWindowTitle(widget.property(_OURS))  # napari's name is too long for one tab of four
            _join(window, dock)


def stand_with_siblings(widget: QWidget, title: str) -> None:
    """Let a dock be a tab beside those of ours that stand at its side, once it is in the window.

    Parameters
    ----------
    widget : QWidget
        What napari puts into the dock.
    title : str
        Of the dock, which its tab says in a word.
    """
    widget.setProperty(_OURS, _SHORT.get(title, title))
    _Watch(widget)


def is_ours(widget: QWidget) -> bool:
    """Whether a widget is a dock of ours."""
    return bool(widget.property(_OURS))


def _join(window: Any, dock: Any) -> None:
    """Put a dock as a tab behind the newest sibling at its side, and bring it to the front."""
    side = window.dockWidgetArea(dock)
    siblings = [
        other
        for other in window.findChildren(QDockWidget)
        if other is not dock
        and other.widget() is not None
        and is_ours(other.widget())
        and not other.isFloating()
        and window.dockWidgetArea(other) == side
    ]
    if siblings and not dock.isFloating():
        window.tabifyDockWidget(siblings[-1], dock)
        dock.show()
        dock.raise_()
