"""Which outputs are made, of a model that makes what it is not given: a tick each."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from diffuscope.plugin.forms.card_text import short_name
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.widgets.pieces import weakly
from diffuscope.plugin.widgets.rows import begun, quiet, small_text
from diffuscope.ports.port import Port

# A name of more characters has half of the width to itself, a shorter one a third.
_LONG = 8


class GoalRows(QWidget):
    """Shows a tick for each output that can be chosen, and writes what the user says into the form.

    What is given is not made: its tick is grey. Hidden where a model makes what it makes.

    Parameters
    ----------
    form : RunForm
        Where it is kept.

    Attributes
    ----------
    ticks : dict of str to QCheckBox
        By key of the output.
    note : QLabel
        What is wrong with the ticks.
    """

    def __init__(self, form: RunForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form = form
        self._shown: tuple[Port, ...] = ()
        self.ticks: dict[str, QCheckBox] = {}
        self.note = small_text()
        self._grid = QGridLayout()
        self._grid.setContentsMargins(10, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(QLabel("Make"))
        layout.addLayout(self._grid)
        layout.addWidget(self.note)
        form.events.connect(self._refresh)
        self._refresh()

    def _refresh(self, _: Any = None) -> None:
        form = self._form
        goals = form.model.goals if form.model else ()
        if goals != self._shown:
            self._build(goals)
        for key, tick in self.ticks.items():
            with quiet(tick):
                tick.setChecked(key in form.wanted)
            tick.setEnabled(key not in form.keys)
            tick.setToolTip("Given above, so that it is not made" if key in form.keys else "")
        self.note.setText("" if form.wanted else "Nothing is ticked: tick what shall be made.")
        self.note.setVisible(bool(self.note.text()))
        self.setVisible(bool(goals))

    def _build(self, goals: tuple[Port, ...]) -> None:
        """Have a tick for each output of another model."""
        for old in self.ticks.values():
            self._grid.removeWidget(old)
            old.deleteLater()
        self._shown = goals
        names = {port.key: begun(short_name(port)) for port in goals}
        columns = 2 if any(len(name) > _LONG for name in names.values()) else 3
        self.ticks = {}
        for number, (key, name) in enumerate(names.items()):
            tick = self.ticks[key] = QCheckBox(name.replace("&", "&&"))
            tick.toggled.connect(weakly(self._set, key))
            self._grid.addWidget(tick, number // columns, number % columns)

    def _set(self, key: str, is_ticked: bool) -> None:
        self._form.ticked = {**self._form.ticked, key: is_ticked}
