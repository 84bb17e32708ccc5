"""The part of the dock that is about a result: numbers, record, export."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QGroupBox, QPushButton, QVBoxLayout, QWidget

from diffuscope.evaluation.table import readable
from diffuscope.export.multiplex import MULTIPLEX, multiplex_port
from diffuscope.plugin.pieces import FiguresTable
from diffuscope.plugin.rows import combo, side_by_side, small_text
from diffuscope.tiling.result import Result

TIFF_FILTER = "OME-TIFF pyramid (*.ome.tif)"
FILTERS = f"{TIFF_FILTER};;OME-Zarr (*.ome.zarr)"


class ResultsWidget(QGroupBox):
    """Shows one result; hidden until there is one."""

    export_asked = Signal(str, str)
    record_asked = Signal()
    resume_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Result", parent)
        self._result: Result | None = None
        self.heading = small_text()
        self.table = FiguresTable()
        self.layer = combo()
        self.export = QPushButton("Export…")
        self.export.setToolTip("Write a pyramidal OME-TIFF or OME-Zarr for QuPath and others")
        self.record = QPushButton("Show run record")
        self.resume = QPushButton("Continue this run")
        layout = QVBoxLayout(self)
        for widget in (self.heading, self.table, side_by_side(self.layer, self.export), self.record, self.resume):
            layout.addWidget(widget)
        self.export.clicked.connect(self._ask_export)
        self.record.clicked.connect(self.record_asked)
        self.resume.clicked.connect(self.resume_asked)
        self.hide()

    def show_result(self, result: Result | None) -> None:
        """Fill in everything from a result."""
        self._result = result
        self.setVisible(result is not None)
        if result is None:
            return
        state = "" if result.complete else f" (incomplete: {result.done} of {result.tiles} tiles)"
        self.heading.setText(f"<b>{result.path.name}</b>{state}")
        self.resume.setVisible(not result.complete)
        self.layer.clear()
        self.layer.addItem("All layers", "all")
        for port in result.ports:
            self.layer.addItem(port.name, port.key)
        multiplex = multiplex_port(result.ports)
        if multiplex is not None:
            self.layer.addItem(multiplex.name, multiplex.key)
        header, lines = readable(result.table)
        self.table.show_lines(["Region", *header], lines)

    def _ask_export(self) -> None:
        if self._result is None:
            return
        layer = self.layer.currentData()
        name = self._result.path.name.removesuffix(".ome.zarr") + ("" if layer == "all" else f".{layer}")
        path, chosen = QFileDialog.getSaveFileName(
            self,
            "Export",
            str(self._result.path.with_name(f"{name}.ome.tif")),
            TIFF_FILTER if layer == MULTIPLEX else FILTERS,
        )
        if path:
            self.export_asked.emit(str(with_ending(path, chosen)), layer)


def with_ending(path: str, chosen: str) -> Path:
    """Return the path with the ending of the chosen filter where the user typed none that is known."""
    if path.lower().endswith((".tif", ".tiff", ".zarr")):
        return Path(path)
    return Path(path + (".ome.zarr" if "zarr" in chosen else ".ome.tif"))
