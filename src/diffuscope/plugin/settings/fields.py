"""What a dock that runs no model on layers was last sent off with: its fields, kept beside what other docks keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox, QWidget

from diffuscope.plugin.settings.kept import last, put

#: Of fields the one that the others are chosen for.
MODEL = "model"


def keep_fields(dock: str, fields: Mapping[str, QWidget]) -> None:
    """Keep what stands in fields of a dock, by its title."""
    put(dock, {name: _value(field) for name, field in fields.items()})


def take_up_fields(dock: str, fields: Mapping[str, QWidget]) -> None:
    """Fill fields in as they were last kept, as far as that still holds: of a model that has gone nothing does.

    Parameters
    ----------
    dock : str
        Its title.
    fields : mapping of str to QWidget
        As they are filled in: a model before its qualities.
    """
    found = last(dock)
    for name, field in fields.items():
        _set(field, found.get(name))
        if name == MODEL and _value(field) != found.get(name):
            return


def _value(field: Any) -> Any:
    if isinstance(field, QComboBox):
        return field.currentData()
    if isinstance(field, QCheckBox):
        return field.isChecked()
    return field.value() if isinstance(field, QSpinBox) else field.text()


def _set(field: QWidget, value: Any) -> None:
    """Set a field, where it may have the value."""
    match field:
        case QComboBox():
            of_value = (number for number in range(field.count()) if field.itemData(number) == value)
            field.setCurrentIndex(next(of_value, field.currentIndex()))
        case QCheckBox() if isinstance(value, bool):
            field.setChecked(value)
        case QSpinBox() if type(value) is int and field.minimum() <= value <= field.maximum():
            field.setValue(value)
        case QLineEdit() if isinstance(value, str):
            field.setText(value)
