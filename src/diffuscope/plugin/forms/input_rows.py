"""Which layer goes into which input of the model: a row for each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtWidgets import QComboBox, QLabel

from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.widgets.pieces import weakly
from diffuscope.plugin.widgets.rows import Fold, NarrowLabel, RowBlock, combo, quiet

# More inputs than these, which a model can all do without, are folded until somebody looks.
_OPEN = 4


def first_label() -> QLabel:
    """Return the label of the first input, which says what the chosen model takes."""
    return NarrowLabel("Image")


class InputRows:
    """Lists the layers that can be an input, for each input of the model.

    Parameters
    ----------
    form : RunForm
        Whose model it is.
    rows : QFormLayout
        Where they are shown.
    first : QComboBox
        Of the first input, which stays.
    chosen : callable
        Called with the place of the input among the model's, and of the layer among those listed; beyond them: none.

    Attributes
    ----------
    boxes : list of QComboBox
        One an input, at least one.
    fold : Fold
        Opens and closes them, and tells what is given; shown where there are many.
    """

    def __init__(self, form: RunForm, rows: Any, first: QComboBox, chosen: Callable[[int, int], None]) -> None:
        self._form, self._chosen, self._rows = form, chosen, rows
        self._more = RowBlock(rows, first)
        self._is_needed = True
        self.boxes = [first]
        self.fold = Fold()
        rows.insertRow(rows.getWidgetPosition(first)[0], self.fold)
        self.fold.toggled.connect(weakly(self._show_rows))
        first.activated.connect(partial(chosen, 0))
        form.events.connect(self._tell)

    def set_layers(self, names: list[str], chosen: list[int]) -> None:
        """List layers; `chosen` has a place in them for each input, -1 for none."""
        form, noun = self._form, self._form.kind.noun
        form.any_open = bool(names)
        nothing = f"(no {noun if noun.isupper() else noun.lower()} is open)"
        ports = form.model.inputs if form.model else ()
        if len(chosen) != len(self.boxes):
            self._show(len(chosen))
        for place, (box, index) in enumerate(zip(self.boxes, chosen, strict=True)):
            can_miss = place < len(ports) and not ports[place].required
            with quiet(box):
                box.clear()
                box.addItems(names or [nothing])
                if names and can_miss:
                    box.addItem("none")
                box.setCurrentIndex(len(names) if can_miss and index < 0 else index if names else 0)
                box.setPlaceholderText("choose a layer")
                box.setEnabled(bool(names))

    def show(self, is_needed: bool) -> None:
        """Show the rows, or hide them of a model that takes no image."""
        self._is_needed = is_needed
        self._show_rows()

    def _show(self, number: int) -> None:
        """Have a row for each input of the model."""
        self.boxes = [self.boxes[0], *(combo() for _ in range(number - 1))]
        ports = self._form.model.inputs if self._form.model else ()
        self._more.show([(port.name, box) for port, box in zip(ports[1:], self.boxes[1:], strict=False)])
        for place, box in enumerate(self.boxes[1:], start=1):
            box.activated.connect(partial(self._chosen, place))
        self._show_rows()

    def _show_rows(self, _: Any = None) -> None:
        ports = self._form.model.inputs if self._form.model else ()
        is_folded = len(ports) > _OPEN and not any(port.required for port in ports)
        self.fold.setVisible(is_folded and self._is_needed)
        for box in self.boxes:
            is_shown = self._is_needed and (not is_folded or self.fold.isChecked())
            for part in (box, self._rows.labelForField(box)):
                if part is not None:
                    part.setVisible(is_shown)

    def _tell(self, _: Any = None) -> None:
        """Say what is given, which is not seen while the rows are folded."""
        form = self._form
        ports = form.model.inputs if form.model else ()
        given = [port.name for port, layer in zip(ports, form.inputs, strict=False) if layer is not None]
        noun = f"{form.kind.noun}s"
        self.fold.setText(f"{noun}: {', '.join(given)}" if given else f"{noun}: none of {len(ports)} chosen")
