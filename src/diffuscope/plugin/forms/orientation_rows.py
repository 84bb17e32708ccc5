"""How volumes lie in the patient whose layers do not say: a row each, in which nothing is chosen beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qtpy.QtWidgets import QComboBox, QWidget

from diffuscope.plugin.layers.facts import volume_lies
from diffuscope.plugin.layers.inputs.orientation import ENDS, said_orientation, say_orientation
from diffuscope.plugin.widgets.rows import RowBlock, combo, quiet, side_by_side

#: What is asked of the world's axes as napari shows them unrolled: short, and in words.
_ASKED = {
    "slice 0": "Which end of the patient slice 0 lies at",
    "top": "Which side of the patient the top of a slice shows",
    "left": "Which side of the patient the left of a slice shows",
}
#: Of a layer of which nothing is said yet.
_NOTHING = "   "


class OrientationRows:
    """Asks how the chosen volumes lie, where no file of ours says it.

    Parameters
    ----------
    rows : QFormLayout
        Where they are shown.
    after : QWidget
        Field of the row above.
    said : callable
        Called when the user has said something.

    Attributes
    ----------
    boxes : list of list of QComboBox
        For each volume asked for, where slices, rows and columns begin.
    """

    def __init__(self, rows: Any, after: QWidget, said: Callable[[], None]) -> None:
        self._block, self._said = RowBlock(rows, after), said
        self._asked: list[Any] = []
        self.boxes: list[list[QComboBox]] = []

    def show(self, layers: Sequence[Any]) -> None:
        """Ask for those of some layers that do not say it themselves."""
        asked = [layer for layer in layers if layer is not None and layer.ndim == 3 and not volume_lies(layer).placed]
        if asked != self._asked:
            self._asked = asked
            self.boxes = [self._row(layer) for layer in asked]
            self._block.show(
                [(f"“{layer.name}” shows", side_by_side(*row)) for layer, row in zip(asked, self.boxes, strict=True)]
            )
        for layer, row in zip(asked, self.boxes, strict=True):
            for box, letter in zip(row, said_orientation(layer) or _NOTHING, strict=True):
                with quiet(box):
                    box.setCurrentIndex(box.findData(letter))

    def _row(self, layer: Any) -> list[QComboBox]:
        row = []
        for axis, (short, words) in enumerate(_ASKED.items()):
            box = combo()
            box.setMinimumContentsLength(4)
            box.setPlaceholderText(short)
            box.setToolTip(words)
            for letter, end in ENDS.items():
                box.addItem(f"{short}: {end}", letter)
            box.activated.connect(partial(self._say, layer, axis, box))
            row.append(box)
        return row

    def _say(self, layer: Any, axis: int, box: QComboBox, _: int) -> None:
        letters: list[str] = list(said_orientation(layer) or _NOTHING)
        letters[axis] = box.currentData()
        say_orientation(layer, "".join(letters))
        self._said()
