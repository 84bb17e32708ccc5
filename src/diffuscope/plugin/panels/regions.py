"""The part of the nanoparticle dock that measures regions: a button, the table, its export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QLabel, QPushButton, QVBoxLayout, QWidget

from diffuscope.measurement.table import as_text, readable
from diffuscope.plugin.panels.files.table_dialog import ask_csv
from diffuscope.plugin.widgets.pieces import FiguresTable
from diffuscope.plugin.widgets.rows import side_by_side, small_text
from diffuscope.plugin.widgets.still import StillDoubleSpin
from diffuscope.results.result import Result


class RegionWidget(QGroupBox):
    """Shows load and penetration of regions of one result; hidden until there is one.

    Attributes
    ----------
    rows : list of dict
        As measured.
    """

    measure_asked = Signal()
    export_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Regions", parent)
        self.rows: list[dict[str, Any]] = []
        self._suggested = Path("regions.csv")
        self.hint = small_text()
        self.hint.setText(
            "Load (how much the model says is there, per px) and penetration (how it falls with the distance from "
            "vessels) of every drawn shape; where none is drawn, of all tissue that was computed."
        )
        self.measure, self.export = QPushButton("Measure regions"), QPushButton("CSV…")
        self.measure.setToolTip("Vessels are found in the vessel channel, whose layer must be open")
        self.export.setToolTip("Write the table: a row a region, the penetration curve in columns of 10 µm")
        self.above = StillDoubleSpin()
        self.above.setRange(0.0, 65_535.0)
        self.above.setSpecialValueText("automatic")
        self.above.setToolTip("What is brighter in the vessel channel, in its own values, is vessel; 0: Li's threshold")
        self.table = FiguresTable()
        layout = QVBoxLayout(self)
        threshold = side_by_side(QLabel("Vessels above"), self.above)
        for widget in (self.hint, threshold, side_by_side(self.measure, self.export), self.table):
            layout.addWidget(widget)
        self.measure.clicked.connect(self.measure_asked)
        self.export.clicked.connect(self._ask_export)
        self.hide()

    @property
    def threshold(self) -> float | None:
        """What is brighter is vessel; None: found by itself."""
        return self.above.value() or None

    def show_result(self, result: Result | None) -> None:
        """Show what was measured of another result last."""
        self.setVisible(result is not None)
        if result is not None:
            name = result.path.name.removesuffix(".ome.zarr")
            self._suggested = result.path.with_name(f"{name}.regions.csv")
        self.show_rows(list(result.regions) if result is not None else [])

    def show_rows(self, rows: list[dict[str, Any]]) -> None:
        """Show what was measured."""
        self.rows = rows
        header, lines = readable(as_text(rows))
        self.table.show_lines(["Region", *header] if rows else [], lines)
        self.export.setEnabled(bool(rows))

    def _ask_export(self) -> None:
        if path := ask_csv(self, "Export table", self._suggested):
            self.export_asked.emit(path)
