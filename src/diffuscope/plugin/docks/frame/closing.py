"""A dock that is closed while it works: its job goes on, which is said, and its session outlives it."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

from diffuscope.plugin.jobs.session import Session


class _Watch(QObject):
    """Notices that napari takes a widget out of its dock; Python may keep that widget for a while yet."""

    def __init__(self, widget: QWidget, session: Session) -> None:
        super().__init__(widget)
        self._session = session
        widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802  Qt's name
        if event.type() == QEvent.Type.ParentChange:
            self._session.set_dock(watched.parent() is not None)
        return False


def outlive(widget: QWidget, session: Session) -> None:
    """Let a session go on where its dock is closed, until its jobs are over.

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


def _close(session: Session, _: Any = None) -> None:
    session.close()
