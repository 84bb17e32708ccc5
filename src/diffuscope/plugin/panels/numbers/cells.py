"""Which part of all cells is positive: of cells that were outlined elsewhere, since the model outlines none."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from diffuscope.errors import InputError
from diffuscope.measurement.table import value_of
from diffuscope.plugin.panels.numbers.counting import Latest
from diffuscope.plugin.widgets.pieces import weakly
from diffuscope.plugin.widgets.rows import small_text
from diffuscope.ports.stains import Stain
from diffuscope.results.result import Result

if TYPE_CHECKING:
    from diffuscope.measurement.cells import Cells

_UNKNOWN = "Part of all cells: <b>not known</b>; the model outlines no cells"


class CellsRow(QWidget):
    """Asks for outlines of cells, and says how many of them are positive above a threshold.

    Attributes
    ----------
    cells : Cells or None
        What was measured in the outlines that were given.
    """

    #: What was measured in outlines that were given.
    measured = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result: Result | None = None
        self._stain: Stain | None = None
        self._file: Path | None = None
        self.cells: Cells | None = None
        self._od = self._area = 0.0
        self._measurer = Latest(_measured, self._show)
        self.told = small_text()
        self.button = QPushButton("Cells…")
        self.button.setToolTip(
            "Outlines of all cells of this slide, as QuPath exports them (GeoJSON). A cell is positive if its mean DAB "
            "is above the threshold"
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.told, 1)
        layout.addWidget(self.button)
        self.button.clicked.connect(weakly(self._ask))

    def show_stain(self, result: Result, stain: Stain) -> None:
        """Begin with another stain; cells of the same result are measured in it as well."""
        if self._result is None or self._result.path != result.path:
            self._file = None
        self._result, self._stain, self.cells = result, stain, None
        self._measurer.drop()
        self._tell()
        if self._file is not None:
            self.measure(self._file)

    def show_threshold(self, od: float, area_mm2: float) -> None:
        """Count above another threshold; `area_mm2` is that of the tissue, 0 where it is not known."""
        self._od, self._area = od, area_mm2
        self._tell()

    def measure(self, file: Path) -> None:
        """Measure the cells of a file, in a thread."""
        self._file = file
        self.told.setText(f"Measuring the cells of {escape(file.name)}…")
        self._measurer.ask(self._result, self._stain, file)

    def _ask(self, _: Any = None) -> None:
        if self._result is None:
            return
        folder = str(self._result.path.parent)
        path, _ = QFileDialog.getOpenFileName(self, "Outlines of cells", folder, "GeoJSON (*.geojson)")
        if path:
            self.measure(Path(path))

    def _show(self, found: Cells | str) -> None:
        if isinstance(found, str):
            self._file = None
            self.told.setText(escape(found))
            return
        self.cells = found
        self._tell()
        self.measured.emit(found)

    def _tell(self) -> None:
        if self.cells is None:
            self.told.setText(_UNKNOWN)
            return
        row = self.cells.row(self._od, area_mm2=self._area)
        if not row["cells"]:
            self.told.setText("None of the cells lies on the measured tissue: is the file of this slide?")
            return
        percent = value_of("positive_cells_percent", row["positive_cells_percent"])
        words = [f"<b>{percent} %</b> of {row['cells']:,} cells positive"]
        if row["positive_cells_per_mm2"] is not None:
            words.append(f"{value_of('positive_cells_per_mm2', row['positive_cells_per_mm2'])} per mm²")
        self.told.setText(" · ".join(words))


def _measured(result: Result, stain: Stain, file: Path) -> Cells | str:
    """Return what was measured, or why nothing was."""
    from diffuscope.measurement.cells import measure_cells, read_cells, without_own  # they bring scipy

    try:
        return measure_cells(result, stain, without_own(read_cells(file), result))
    except InputError as error:
        return str(error)
