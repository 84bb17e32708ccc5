"""Which layer goes into which input of the model: a row for each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtWidgets import QComboBox

from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.widgets.rows import RowBlock, combo, quiet


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
    """

    def __init__(self, form: RunForm, rows: Any, first: QComboBox, chosen: Callable[[int, int], None]) -> None:
        self._form, self._chosen = form, chosen
        self._more = RowBlock(rows, first)
        self.boxes = [first]
        first.activated.connect(partial(chosen, 0))

    def set_layers(self, names: list[str], chosen: list[int]) -> None:
        """List layers; `chosen` has a place in them for each input, -1 for none."""
        form = self._form
        form.any_open = bool(names)
        ports = form.model.inputs if form.model else ()
        if len(chosen) != len(self.boxes):
            self._show(len(chosen))
        for place, (box, index) in enumerate(zip(self.boxes, chosen, strict=True)):
            can_miss = place < len(ports) and not ports[place].required
            with quiet(box):
                box.clear()
                box.addItems(names or [f"(no {form.kind.noun.lower()} is open)"])
                if names and can_miss:
                    box.addItem("none")
                box.setCurrentIndex(len(names) if can_miss and index < 0 else index if names else 0)
                box.setPlaceholderText("choose a layer")
                box.setEnabled(bool(names))

    def _show(self, number: int) -> None:
        """Have a row for each input of the model."""
        self.boxes = [self.boxes[0], *(combo() for _ in range(number - 1))]
        ports = self._form.model.inputs if self._form.model else ()
        self._more.show([(port.name, box) for port, box in zip(ports[1:], self.boxes[1:], strict=False)])
        for place, box in enumerate(self.boxes[1:], start=1):
            box.activated.connect(partial(self._chosen, place))
