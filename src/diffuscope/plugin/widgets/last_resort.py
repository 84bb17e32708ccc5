"""An error that nobody foresaw: one sentence, and a report that a button copies."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from diffuscope.errors import DiffuscopeError, InputError
from diffuscope.plugin.jobs.process import Failed

COPY = "Copy report"
Given = ParamSpec("Given")
Found = TypeVar("Found")


def copy_button(report: Callable[[], str]) -> Any:
    """Return a button that puts a report on the clipboard, hidden until there is one."""
    from qtpy.QtWidgets import QPushButton

    button = QPushButton(COPY)
    button.setToolTip("Where it went wrong and with which versions; no names, paths or data of yours")
    button.clicked.connect(lambda: _copy(report()))
    button.hide()
    return button


def told(reader: Callable[Given, Found], doing: str = "open") -> Callable[Given, Found]:
    """Make of a reader or writer one whose every error is a sentence; a notice offers a report on what nobody foresaw.

    `doing` is its verb.
    """

    @functools.wraps(reader)
    def guarded(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        try:
            return reader(*args, **kwargs)
        except DiffuscopeError:
            raise
        except Exception as error:  # noqa: BLE001  whatever a file does to a library, the window hears a sentence
            failed = Failed.by(error, doing)
            _offer(failed)
            raise InputError(failed.sentence) from None

    return guarded


def _offer(failed: Failed) -> None:
    from napari.utils.notifications import Notification, NotificationSeverity, notification_manager

    actions = ((COPY, lambda _: _copy(failed.report)),)
    notification_manager.dispatch(Notification(failed.sentence, NotificationSeverity.ERROR, actions=actions))


def _copy(report: str) -> None:
    from qtpy.QtGui import QGuiApplication

    if QGuiApplication.instance() is not None:
        QGuiApplication.clipboard().setText(report)
