"""How volumes lie in the patient whose layers do not say: rows in which nothing is chosen beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qtpy.QtWidgets import QComboBox, QWidget

from diffuscope.plugin.layers.facts import volume_lies
from diffuscope.plugin.layers.inputs.orientation import ENDS, said_orientation, say_orientation
from diffuscope.plugin.widgets.rows import RowBlock, combo, quiet

#: What is asked of the world's axes as napari shows them unrolled: short, and in words.
_ASKED = {
    "slice 0": "Which end of the patient slice 0 lies at",
    "top": "Which side of the patient is at the top of a slice",
    "left": "Which side of the patient is at the left of a slice",
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
            several = len(asked) > 1
            self._block.show(
                [
                    (f"{layer.name}: {short} is" if several else f"{short} is", box)
                    for layer, row in zip(asked, self.boxes, strict=True)
                    for short, box in zip(_ASKED, row, strict=True)
                ]
            )
        for layer, row in zip(asked, self.boxes, strict=True):
            for box, letter in zip(row, said_orientation(layer) or _NOTHING, strict=True):
                with quiet(box):
                    box.setCurrentIndex(box.findData(letter))

    def _row(self, layer: Any) -> list[QComboBox]:
        row = []
        for axis, words in enumerate(_ASKED.values()):
            box = combo()
            box.setPlaceholderText("choose")
            box.setToolTip(words)
            for letter, end in ENDS.items():
                box.addItem(end, letter)
            box.activated.connect(partial(self._say, layer, axis, box))
            row.append(box)
        return row

    def _say(self, layer: Any, axis: int, box: QComboBox, _: int) -> None:
        letters: list[str] = list(said_orientation(layer) or _NOTHING)
        letters[axis] = box.currentData()
        say_orientation(layer, "".join(letters))
        self._said()
