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
# Dialogs that are not read yet: where no window is in front they have no parent that would keep them.
_TOLD: set[Any] = set()


def copy_button(report: Callable[[], str]) -> Any:
    """Return a button that puts a report on the clipboard, hidden until there is one."""
    from qtpy.QtWidgets import QPushButton

    button = QPushButton(COPY)
    button.setToolTip("Where it went wrong and with which versions; no names, paths or data of yours")
    button.clicked.connect(lambda: _copy(report()))
    button.hide()
    return button


class UnforeseenError(InputError):
    """What nobody foresaw, as a sentence.

    Parameters
    ----------
    sentence, report : str
        As of `diffuscope.plugin.jobs.process.Failed`.
    """

    def __init__(self, sentence: str, report: str) -> None:
        super().__init__(sentence)
        self.report = report


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
            if doing != "open" or not in_window():  # what is opened there has a dialog, which offers the report
                _offer(failed)
            raise UnforeseenError(failed.sentence, failed.report) from None

    return guarded


def _offer(failed: Failed) -> None:
    from napari.utils.notifications import Notification, NotificationSeverity, notification_manager

    actions = ((COPY, lambda _: _copy(failed.report)),)
    notification_manager.dispatch(Notification(failed.sentence, NotificationSeverity.ERROR, actions=actions))


def in_window() -> bool:
    """Whether what is done now was asked for in the window, not by a script, which wants its errors."""
    from qtpy.QtCore import QThread
    from qtpy.QtWidgets import QApplication

    app = QApplication.instance()
    here = QThread.currentThread()
    return app is not None and here is app.thread() and here.loopLevel() > 0


def tell(error: DiffuscopeError) -> None:
    """Show an error in a dialog that stays until it was read, and keeps nobody from going on."""
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication, QMessageBox

    box = QMessageBox(QApplication.activeWindow())
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setModal(False)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("Diffuscope")
    box.setText(str(error))
    box.addButton(QMessageBox.StandardButton.Ok)
    if isinstance(error, UnforeseenError):
        report = error.report
        copy = box.addButton(COPY, QMessageBox.ButtonRole.ActionRole)
        copy.clicked.connect(lambda: _copy(report))
    _TOLD.add(box)
    box.finished.connect(lambda _: _TOLD.discard(box))
    box.show()


def _copy(report: str) -> None:
    from qtpy.QtGui import QGuiApplication

    if QGuiApplication.instance() is not None:
        QGuiApplication.clipboard().setText(report)
