"""A hand with a mouse and a keyboard at a napari window, which counts its clicks.

It presses what is seen, where it is seen: what is hidden, grey, or under something else cannot be pressed. No method of
the window is called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEventLoop, QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QScrollArea,
    QTabBar,
    QWidget,
)

Until = Callable[[Callable[[], bool]], None]
_LEFT, _NO_BUTTON = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
_NO_KEY, _NO_PHASE = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
#: Of one notch of a wheel, as Qt counts it.
_NOTCH = 120
#: Milliseconds until a menu or a layout has come to rest.
_REST = 60
#: Milliseconds between two looks at a window that is waited for: a look costs time that it needs itself.
_LOOK = 100


class Hand:
    """Mouse and keyboard.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose window, which is on the screen.
    until : callable
        Keeps the window alive until something is so.
    picture : callable, optional
        Called with the words of each step.

    Attributes
    ----------
    clicks : int
        How often a button of the mouse was pressed.
    steps : list of str
        What was done, in words.
    """

    def __init__(self, viewer: Any, until: Until, picture: Callable[[str], None] = lambda _: None) -> None:
        self.viewer, self.until, self._picture = viewer, until, picture
        self.window: Any = viewer.window._qt_window
        self.clicks = 0
        self.steps: list[str] = []

    def step(self, words: str) -> None:
        """Say what was done, and let a picture be taken of it."""
        self.steps.append(words)
        self._picture(words)

    # --- the mouse ---

    def press(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Click on a widget, in its middle unless told otherwise."""
        self._bring_into_sight(widget)
        at = at or widget.rect().center()
        assert widget.isEnabled(), f"{_called(widget)} is grey"
        found: Any = None

        def is_hit() -> bool:
            nonlocal found
            found = QApplication.widgetAt(widget.mapToGlobal(at))
            return found is widget or (found is not None and widget.isAncestorOf(found))

        try:
            self.until(is_hit)  # a window that was just shown may not have settled yet
        except TimeoutError as error:
            raise AssertionError(f"{_called(widget)} lies under {_called(found)}") from error
        self.clicks += 1
        QTest.mouseMove(found, found.mapFrom(widget, at) if found is not widget else at)
        QTest.mouseClick(found, _LEFT, pos=found.mapFrom(widget, at) if found is not widget else at)
        rest(_REST)

    def menu(self, *names: str) -> None:
        """Go through the menus of the window: a click on the first and on the last, the others open under the mouse."""
        bar = self.window.menuBar()
        action = _action(bar, names[0])
        self.clicks += 1
        QTest.mouseClick(bar, _LEFT, pos=bar.actionGeometry(action).center())
        for name in names[1:]:
            menu: Any = action.menu()
            self.until(menu.isVisible)
            action = _action(menu, name)
            place = menu.actionGeometry(action).center()
            QTest.mouseMove(menu, place - QPoint(2, 0))
            QTest.mouseMove(menu, place)
        self.clicks += 1
        QTest.mouseClick(menu, _LEFT, pos=place)
        rest(_REST)

    def choose(self, box: QComboBox, text: str) -> None:
        """Open a list and click on the entry that begins with a text."""
        self.press(box)
        view = box.view()
        self.until(view.isVisible)
        row = next(row for row in range(box.count()) if box.itemText(row).startswith(text))
        place = view.visualRect(box.model().index(row, 0)).center()
        self.clicks += 1
        QTest.mouseClick(view.viewport(), _LEFT, pos=place)
        rest(_REST)

    def tab(self, name: str) -> None:
        """Click on a tab."""
        bars = [bar for bar in self.window.findChildren(QTabBar) if bar.isVisible()]
        bar, number = next((bar, n) for bar in bars for n in range(bar.count()) if bar.tabText(n) == name)
        self.press(bar, bar.tabRect(number).center())

    def roll(self, widget: QWidget, notches: int) -> None:
        """Turn the wheel over the middle of a widget; upwards is positive."""
        for _ in range(abs(notches)):
            at = QPointF(widget.rect().center())
            turn = QPoint(0, _NOTCH if notches > 0 else -_NOTCH)
            on_screen = QPointF(widget.mapToGlobal(at.toPoint()))
            event = QWheelEvent(at, on_screen, QPoint(), turn, _NO_BUTTON, _NO_KEY, _NO_PHASE, False)
            QApplication.sendEvent(widget, event)
        rest(_REST)

    # --- the keyboard ---

    def write(self, field: Any, text: str) -> None:
        """Click into a field and write over what is there."""
        self.press(field.lineEdit() if hasattr(field, "lineEdit") else field)
        focus: Any = QApplication.focusWidget() or field
        QTest.keyClick(focus, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(focus, text)
        QTest.keyClick(focus, Qt.Key.Key_Tab)

    @contextmanager
    def answering(self, path: Path) -> Iterator[None]:
        """Write a path into the file dialog that what follows opens, and press Return."""
        written: list[str] = []

        def answer() -> None:
            dialog: Any = QApplication.activeModalWidget()
            if isinstance(dialog, QFileDialog):
                name: Any = dialog.findChild(QLineEdit, "fileNameEdit")
                if not written:
                    name.selectAll()
                    QTest.keyClicks(name, str(path))
                    written.append(str(path))
                name.completer().popup().hide()  # as Escape does: what it proposes is not meant
                QTest.keyClick(name, Qt.Key.Key_Return)
            if not written or isinstance(QApplication.activeModalWidget(), QFileDialog):
                clock.start()

        clock = QTimer(self.window)
        clock.setSingleShot(True)
        clock.setInterval(_REST)
        clock.timeout.connect(answer)
        clock.start()
        yield
        assert written, "no file dialog came"

    # --- what is seen ---

    def button(self, text: str, inside: QWidget | None = None) -> Any:
        """Return the button that is seen with a text."""
        return self._one(QAbstractButton, lambda button: button.text().replace("&", "") == text, text, inside)

    def field(self, tip: str, kind: Any = QLineEdit) -> Any:
        """Return the field that is seen whose tip begins so."""
        return self._one(kind, lambda field: field.toolTip().startswith(tip), tip, None)

    def beside(self, label: str) -> Any:
        """Return the field at the right of a label that is seen."""
        found = self._one(QLabel, lambda one: one.text().replace("&&", "&") == label, label, None)
        form: Any = found.parentWidget().layout()
        row = form.getWidgetPosition(found)[0]
        return form.itemAt(row, form.ItemRole.FieldRole).widget()

    def reads(self, text: str) -> bool:
        """Whether a label that is seen has a text in it."""
        return any(text in label.text() for label in self.window.findChildren(QLabel) if label.isVisible())

    def _one(self, kind: Any, is_meant: Callable[[Any], bool], name: str, inside: QWidget | None) -> Any:
        found = [one for one in (inside or self.window).findChildren(kind) if one.isVisible() and is_meant(one)]
        found = [one for one in found if not one.visibleRegion().isEmpty()] or found
        assert len(found) == 1, f"{len(found)} of “{name}” are seen"
        return found[0]

    def _bring_into_sight(self, widget: QWidget) -> None:
        """Turn the wheel over what scrolls until a widget is seen whole, as one does before one clicks."""
        area: Any = widget.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is None:
            return
        for _ in range(200):
            top = widget.mapTo(area.viewport(), QPoint(0, 0)).y()
            bar = area.verticalScrollBar()
            if top < 0 and bar.value() > bar.minimum():
                self.roll(area.viewport(), 1)
            elif top + widget.height() > area.viewport().height() and bar.value() < bar.maximum():
                self.roll(area.viewport(), -1)
            else:
                return


def rest(milliseconds: int) -> None:
    """Let a window live for a while and sleep meanwhile; instead of qWait vispy has a loop that never does."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def keep_alive(seconds: float) -> Until:
    """Return what keeps a window alive until something is so, at most for so long."""

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds} s in vain")
            rest(_LOOK)

    return until


def _action(menu: Any, name: str) -> Any:
    # napari names the plugin behind the name of each widget
    found = [action for action in menu.actions() if action.text().replace("&", "").partition(" (")[0] == name]
    assert len(found) == 1, f"“{name}” is not one of {[action.text() for action in menu.actions()]}"
    return found[0]


def _called(widget: Any) -> str:
    text = getattr(widget, "text", None)
    return f"{type(widget).__name__} “{text() if callable(text) else ''}”"
