"""The fields of the dock "Register", bound to a `RegisterForm`."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QToolButton, QWidget

from diffuscope.plugin.forms.out import suggest_out
from diffuscope.plugin.forms.register import NONE, POINTS, TABLE, RegisterForm, SlideChoice
from diffuscope.plugin.layers.facts import slide_facts
from diffuscope.plugin.widgets.elided import PathEdit
from diffuscope.plugin.widgets.pieces import slide_mpp_spin
from diffuscope.plugin.widgets.rows import combo, form_layout, quiet, side_by_side
from diffuscope.scans.formats.table import SHOWN

_LANDMARKS = {NONE: "None", POINTS: "Two Points layers", TABLE: "A table (CSV)"}
_SLIDES = f"Slides ({' '.join(f'*{ending}' for ending in SHOWN if not ending.endswith('.zarr'))})"


class LayerBox:
    """A combo box of layers, which keeps the layer that is chosen while others come and go.

    Parameters
    ----------
    first : int
        Place of the layer that is chosen as soon as there are so many.
    none : str
        What is shown where there is no layer.
    """

    def __init__(self, first: int, none: str) -> None:
        self.box = combo()
        self._first, self._none = first, none
        self._layers: list[Any] = []
        self.chosen: Any = None
        self.box.activated.connect(self._pick)

    def set_layers(self, layers: list[Any]) -> None:
        """List the layers."""
        self._layers = layers
        if self.chosen not in layers:
            self.chosen = layers[self._first] if len(layers) > self._first else None
        with quiet(self.box):
            self.box.clear()
            self.box.addItems([layer.name for layer in layers] or [self._none])
            self.box.setCurrentIndex(layers.index(self.chosen) if self.chosen is not None else -1 if layers else 0)
            self.box.setEnabled(bool(layers))

    def choose(self, layer: Any) -> None:
        """Choose a layer that is listed."""
        self.chosen = layer
        self.set_layers(self._layers)

    def _pick(self, index: int) -> None:
        self.chosen = self._layers[index]


class SlideRows:
    """The rows of one of the two slides: layer, µm/px, Points layer."""

    def __init__(self, choice: SlideChoice, rows: QFormLayout, *, title: str, first: int) -> None:
        self._choice = choice
        self.layer = LayerBox(first, "(no slide is open)")
        self.points = LayerBox(first, "(no Points layer)")
        self.browse = _more("Open a file")
        self.mpp = slide_mpp_spin()
        rows.addRow(title, side_by_side(self.layer.box, self.browse))
        rows.addRow("µm/px", self.mpp)
        self._rows = rows

    @property
    def slide(self) -> QWidget:
        """Where a slide is chosen: while none is open, by its file."""
        return self.layer.box if self.layer.box.isEnabled() else self.browse

    def has(self, sentence: str) -> bool:
        """Whether an error is about this slide, and about its µm/px, which nobody says."""
        layer = self._choice.layer
        return layer is not None and not self.mpp.value() and f"“{slide_facts(layer).name}”" in sentence

    def add_points(self, title: str) -> None:
        """Add the row of the Points layer here."""
        self._rows.addRow(title, self.points.box)

    def read(self) -> None:
        """Take over what is shown."""
        choice, layer = self._choice, self.layer.chosen
        if layer != choice.layer:  # napari wraps a layer anew each time: no identity
            with quiet(self.mpp):
                self.mpp.setValue(0.0)
        choice.layer, choice.mpp, choice.points = layer, self.mpp.value(), self.points.chosen
        stated = slide_facts(layer).mpp if layer is not None else None
        unknown = layer is not None and stated is None
        self.mpp.setSpecialValueText("not stated: give it" if unknown else f"{stated:.4g}" if stated else "–")


class RegisterFields(QWidget):
    """Two slides, landmarks, place to write.

    Attributes
    ----------
    form : RegisterForm
        What is chosen.
    kept : dict of str to QWidget
        What is remembered: not the slides, where they have landmarks, and the place.
    """

    file_chosen = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = RegisterForm()
        self._rows = form_layout(self)
        self.fixed = SlideRows(self.form.fixed, self._rows, title="H&&E", first=0)
        self.moving = SlideRows(self.form.moving, self._rows, title="Restained", first=1)
        self.landmarks = combo()
        for key, name in _LANDMARKS.items():
            self.landmarks.addItem(name, key)
        self.landmarks.setToolTip("The error is measured there; they have no part in the registration")
        self.table = PathEdit("Table of landmarks")
        self.table.setPlaceholderText("x_fixed, y_fixed, x_moving, y_moving in px")
        self.browse_table = _more("Choose a table")
        self._table_row = side_by_side(self.table, self.browse_table)
        self.affine_only = QCheckBox("Affine only")
        self.affine_only.setToolTip("Leave the B-spline out: better where the restain is only turned and shifted")
        self.kept: dict[str, QWidget] = {"affine_only": self.affine_only}
        self.out = PathEdit("Result folder (OME-Zarr)")
        self.browse_out = _more("Choose where the result goes")
        self._suggested = ""
        self._build()
        self._read()

    def set_layers(self, slides: list[Any], points: list[Any]) -> None:
        """List what there is to choose from."""
        for rows in (self.fixed, self.moving):
            rows.layer.set_layers(slides)
            rows.points.set_layers(points)
        self._read()

    def choose(self, rows: SlideRows, layer: Any) -> None:
        """Choose a slide that is listed."""
        rows.layer.choose(layer)
        self._read()

    def field_of(self, sentence: str) -> QWidget:
        """Return the field that an error is about."""
        if "does not state its µm/px" in sentence:
            both = (self.fixed, self.moving)
            return next((rows.mpp for rows in both if rows.has(sentence)), self.fixed.mpp)
        about = {
            "written": self.out,
            "result": self.out,
            "CSV": self.table,
            "Points layer": self.landmarks,
            "restained": self.moving.slide,
            "twice": self.moving.slide,
        }
        return next((field for words, field in about.items() if words in sentence), self.fixed.slide)

    def _build(self) -> None:
        self._rows.addRow("Landmarks", self.landmarks)
        self.fixed.add_points("on H&&E")
        self.moving.add_points("on restain")
        self._rows.addRow("", self._table_row)
        self._rows.addRow("", self.affine_only)
        self._rows.addRow("Result", side_by_side(self.out, self.browse_out))
        for rows in (self.fixed, self.moving):
            for box in (rows.layer.box, rows.points.box):
                box.activated.connect(self._read)
            rows.mpp.valueChanged.connect(self._read)
            rows.browse.clicked.connect(lambda _=False, rows=rows: self._pick_slide(rows))
            rows.points.box.setToolTip("The n-th point of each layer shows the same place")
        self.landmarks.currentIndexChanged.connect(self._read)
        self.affine_only.toggled.connect(self._read)
        for edit in (self.table, self.out):
            edit.textChanged.connect(self._read)
        self.browse_table.clicked.connect(self._pick_table)
        self.browse_out.clicked.connect(self._pick_out)

    def _read(self, _: Any = None) -> None:
        form = self.form
        before = form.moving.layer
        self.fixed.read()
        self.moving.read()
        form.landmarks, form.table = self.landmarks.currentData(), self.table.text()
        form.affine_only = self.affine_only.isChecked()
        if form.moving.layer != before and form.moving.layer is not None and form.out in ("", self._suggested):
            self._suggested = str(suggest_out(slide_facts(form.moving.layer), "registered"))
            with quiet(self.out):
                self.out.setText(self._suggested)
        form.out = self.out.text()
        for rows in (self.fixed, self.moving):
            self._rows.setRowVisible(rows.points.box, form.landmarks == POINTS)
        self._rows.setRowVisible(self._table_row, form.landmarks == TABLE)

    def _pick_slide(self, rows: SlideRows) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Slide", "", _SLIDES)
        if path:
            self.file_chosen.emit(rows, path)

    def _pick_table(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Landmarks", self.form.table, "CSV (*.csv)")
        if path:
            self.table.setText(path)

    def _pick_out(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Result folder",
            self.form.out,
            "OME-Zarr (*.ome.zarr)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if path:
            self.out.setText(path if path.endswith(".zarr") else f"{path}.ome.zarr")


def _more(tip: str) -> QToolButton:
    button = QToolButton()
    button.setText("…")
    button.setToolTip(tip)
    return button
