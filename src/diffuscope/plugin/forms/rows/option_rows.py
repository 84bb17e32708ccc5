"""A system's own numbers as rows of the form: made of what the system declares."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QSizePolicy, QWidget

from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.widgets.rows import RowBlock, quiet
from diffuscope.plugin.widgets.still import StillDoubleSpin
from diffuscope.ports.numbers import Option


class OptionRows:
    """Shows the options of the form's model below a row, and writes what the user changes into the form.

    Parameters
    ----------
    form : RunForm
        Where they are kept.
    rows : QFormLayout
        Where they are shown.
    after : QWidget
        The field of the row above.

    Attributes
    ----------
    fields : dict of str to QDoubleSpinBox
        By the option's key.
    """

    def __init__(self, form: RunForm, rows: QFormLayout, after: QWidget) -> None:
        self._form = form
        self._block = RowBlock(rows, after)
        self._shown: tuple[Option, ...] = ()
        self.fields: dict[str, QDoubleSpinBox] = {}
        form.events.connect(self._refresh)

    def _refresh(self, _: Any = None) -> None:
        declared = self._form.model.options if self._form.model else ()
        if declared != self._shown:
            self._shown = declared
            self.fields = {option.key: _field(option) for option in declared}
            for option in declared:
                self.fields[option.key].valueChanged.connect(partial(self._set, option))
            self._block.show([(_label(option), self.fields[option.key]) for option in declared])
        for option in declared:
            with quiet(self.fields[option.key]):
                self.fields[option.key].setValue(self._form.options.get(option.key, option.default))

    def _set(self, option: Option, value: float) -> None:
        others = {key: kept for key, kept in self._form.options.items() if key != option.key}
        is_default = abs(value - option.default) < 1e-9
        self._form.options = others if is_default else {**others, option.key: value}


def _label(option: Option) -> str:
    """Return the part of an option's name that a narrow column has room for; the whole is in the tooltip."""
    return option.name.partition(":")[0]


def _field(option: Option) -> QDoubleSpinBox:
    low, high = option.range
    box = StillDoubleSpin()
    # γ is set to the width of what d differs by
    box.setDecimals(3 if high - low <= 1 else 2)
    box.setRange(low, high)
    box.setSingleStep(0.05 if high - low <= 1 else 0.25)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    box.setToolTip(f"{option.name}. {option.about} From {low:g} to {high:g}; {option.default:g} by default.")
    return box
