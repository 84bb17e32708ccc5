"""What a form needs for who has no mouse, or has it read out: fields in the order of their rows, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QFormLayout, QLabel, QScrollArea, QTableWidget, QTabWidget, QWidget

_LABEL, _FIELD = QFormLayout.ItemRole.LabelRole, QFormLayout.ItemRole.FieldRole


def arrange(widget: Any) -> None:
    """Let Tab go through all fields of a widget as they stand, and name those that have no name of their own.

    Qt's own order is that in which they were made, and its names are those of rows of one field.
    """
    in_order(stops(widget))
    for rows in widget.findChildren(QFormLayout):
        _name_rows(rows)
    for button in widget.findChildren(QAbstractButton):
        if not any(letter.isalpha() for letter in button.text()) and not button.accessibleName():
            button.setAccessibleName(button.toolTip())


def in_order(fields: Iterable[QWidget]) -> None:
    """Let Tab go from each of some fields to the next."""
    for first, second in pairwise(fields):
        QWidget.setTabOrder(first, second)


def stops(widget: Any) -> Iterator[QWidget]:
    """Yield where Tab stops in a widget, seen or hidden, from its top to its bottom."""
    if isinstance(widget, QTabWidget):
        inner: list[Any] = [widget.tabBar(), widget.cornerWidget()]
        inner += [widget.widget(number) for number in range(widget.count())]
    elif isinstance(widget, QScrollArea):
        inner = [widget.widget()]
    elif isinstance(widget, QTableWidget):
        yield from [widget] if widget.focusPolicy() & Qt.FocusPolicy.TabFocus else []
        places = ((row, column) for row in range(widget.rowCount()) for column in range(widget.columnCount()))
        inner = [widget.cellWidget(*place) for place in places]
    elif widget.layout() is None or widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield from [widget] if widget.focusPolicy() & Qt.FocusPolicy.TabFocus else []
        return
    else:
        inner = list(_widgets(widget.layout()))
    for one in inner:
        if one is not None:
            yield from stops(one)


def _widgets(layout: Any) -> Iterator[Any]:
    """Yield the widgets of a layout, a form's by its rows: they may have been put in later."""
    if isinstance(layout, QFormLayout):
        roles = (_LABEL, _FIELD, QFormLayout.ItemRole.SpanningRole)
        # of a row of one widget it is both field and all of the row
        items = dict.fromkeys(layout.itemAt(row, role) for row in range(layout.rowCount()) for role in roles)
    else:
        items = dict.fromkeys(layout.itemAt(number) for number in range(layout.count()))
    for item in items:
        if item is None:
            continue
        if item.widget() is not None:
            yield item.widget()
        elif item.layout() is not None:
            yield from _widgets(item.layout())


def _name_rows(rows: Any) -> None:
    for row in range(rows.rowCount()):
        label, field = rows.itemAt(row, _LABEL), rows.itemAt(row, _FIELD)
        if label is None or field is None or not isinstance(label.widget(), QLabel) or field.widget() is None:
            continue
        stop = next((one for one in stops(field.widget()) if not isinstance(one, QAbstractButton)), None)
        if stop is not None and not stop.accessibleName():
            stop.setAccessibleName(label.widget().text().replace("&&", "&"))
