"""A dock that is closed: a job at work goes on, which is said, its session outlives it, and Qt deletes it."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget

from diffuscope.plugin.jobs.session import Session

# How often a dock that was closed at work looks whether its jobs are over, ms.
_PATIENCE = 1000


class _Watch(QObject):
    """Notices that napari takes a widget out of its dock."""

    def __init__(self, widget: QWidget, session: Session) -> None:
        super().__init__(widget)
        self._session = session
        widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802  Qt's name
        if event.type() == QEvent.Type.ParentChange:
            is_there = watched.parent() is not None
            self._session.set_dock(is_there)
            if not is_there:
                # It may be put elsewhere at once. Until then this holds it, and nobody else may: see `_take_apart`.
                QTimer.singleShot(0, partial(_take_apart, watched, self._session))
        return False


def outlive(widget: QWidget, session: Session) -> None:
    """Let a session go on where its dock is closed, until its jobs are over, and the dock go once they are.

    Parameters
    ----------
    widget : QWidget
        The dock's.
    session : Session
        Its jobs.
    """
    _Watch(widget, session)
    # a partial of the session, not a method of the widget, which is gone by then
    widget.destroyed.connect(partial(_close, session))


def _take_apart(widget: Any, session: Session) -> None:
    """Have Qt delete a dock that stands nowhere, once no job is left whose end it hears.

    Python's collector must not: of what goes together it deletes in any order, and where that begins with the items of
    a layout, the layout deletes them again, which ends napari (PySide 6.11, `SbkObject_tp_clear`).
    """
    if session.is_closed or widget.parent() is not None:
        return
    if session.has_jobs:
        QTimer.singleShot(_PATIENCE, partial(_take_apart, widget, session))
    else:
        widget.deleteLater()


def _close(session: Session, _: Any = None) -> None:
    session.close()
