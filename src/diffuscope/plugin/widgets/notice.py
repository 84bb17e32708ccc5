"""What is told on the desktop: that something has ended for which somebody waits in another window."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QSystemTrayIcon

# How long the sign of a notice stands among those of the system, ms: desktops show the notice for less.
_STANDS = 30_000


def tell_desktop(window: Any, title: str, text: str) -> None:
    """Tell on the desktop what has ended, unless its window is in front, where it is told anyway.

    Parameters
    ----------
    window : QWidget
        Whose place in the task bar calls for attention, and which a click on the notice brings to the front.
    title, text : str
        Of the notice.
    """
    if window.isActiveWindow():
        return
    QApplication.alert(window)
    if not QSystemTrayIcon.isSystemTrayAvailable() or not QSystemTrayIcon.supportsMessages():
        return
    sign = QSystemTrayIcon(window.windowIcon(), window)
    sign.messageClicked.connect(window.activateWindow)
    sign.show()
    sign.showMessage(title, text)
    QTimer.singleShot(_STANDS, sign, sign.deleteLater)
