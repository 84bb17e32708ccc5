"""What is outlined on an image, a row each with its role: for the masks of the form's model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.layers import Labels, Shapes
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHeaderView,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from diffuscope.errors import InputError
from diffuscope.plugin.forms.cases.mask_facts import MaskFacts
from diffuscope.plugin.forms.cases.open_outlines import open_outlines
from diffuscope.plugin.forms.cases.roles import NONE, Roles
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.jobs.given.outlined import GivenOutlines
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.widgets.access import arrange
from diffuscope.plugin.widgets.pieces import weakly
from diffuscope.plugin.widgets.rows import RowBlock, combo, quiet
from diffuscope.ports.mask import Mask

# Height of a row, and of all rows that are seen without scrolling.
_ROW, _SEEN = 28, 5 * 28
_FILES = "Outlines (*.dcm *.nii *.nii.gz *.nrrd *.mha *.mhd *.tif *.tiff);;All files (*)"
# Who paints is not done yet: looked at when nothing has changed for so long, ms.
_PAUSE = 300
# Of a layer, what tells what it outlines, and where.
_TELLING = ("name", "data", "scale", "translate", "units", "features", "paint", "labels_update")


class OutlineRows:
    """Shows for each mask of the form's model what the viewer's layers outline, and lets the user say the roles.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers.
    form : RunForm
        Gets the roles that something has.
    rows, after : QFormLayout, QWidget
        Where they are shown: below the row of this field.
    image_of : callable
        Returns the layer that is chosen for an image, by its port's key; None where there is none.
    session : Session
        Of the dock: once it is closed the widgets are gone. Is told where a file cannot be taken.

    Attributes
    ----------
    roles : dict of str to Roles
        By key of the mask.
    tables, opens : dict of str to QTableWidget, to QPushButton
        By key of the mask.
    """

    def __init__(
        self,
        viewer: Any,
        form: RunForm,
        rows: Any,
        after: QWidget,
        *,
        image_of: Callable[[str], Any],
        session: Session,
    ) -> None:
        self._viewer, self._form, self._image_of, self._session = viewer, form, image_of, session
        self._block, self._rows = RowBlock(rows, after), rows
        self.roles: dict[str, Roles] = {}
        self.tables: dict[str, QTableWidget] = {}
        self.opens: dict[str, QPushButton] = {}
        self._changes = 0
        self._timer = QTimer(after)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self.look)
        for layer in viewer.layers:
            self._follow(layer)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        form.events.model.connect(self._on_model)

    def look(self) -> None:
        """Take in what is outlined now, and show it."""
        if self._session.is_closed:
            return
        for key, roles in self.roles.items():
            roles.look(list(self._viewer.layers), self._image_of(roles.port.on))
            self._show(key)
        self._tell()

    def given(self) -> tuple[GivenOutlines, ...]:
        """Return what goes into the masks.

        Raises
        ------
        InputError
            As of `Roles.given`.
        """
        return tuple(given for roles in self.roles.values() if (given := roles.given()) is not None)

    # --- what the viewer and the form tell ---

    def _on_model(self, _: Any = None) -> None:
        masks = self._form.model.masks if self._form.model else ()
        if tuple(roles.port for roles in self.roles.values()) == masks:
            return
        self.roles = {port.key: Roles(port) for port in masks}
        self.tables, self.opens = {}, {}
        self._block.show([(port.name, self._field(port)) for port in masks])
        self.look()

    def _on_inserted(self, event: Any) -> None:
        self._follow(event.value)

    def _on_removed(self, event: Any) -> None:
        if isinstance(event.value, Labels | Shapes):
            self._leave(event.value)
            self.look()

    def _follow(self, layer: Any) -> None:
        if isinstance(layer, Labels | Shapes):
            for name in _TELLING:
                if name in layer.events.emitters:
                    layer.events.emitters[name].connect(self._on_layer)
            self.look()

    def _leave(self, layer: Any) -> None:
        for name in _TELLING:
            if name in layer.events.emitters:
                layer.events.emitters[name].disconnect(self._on_layer)

    def _on_layer(self, event: Any) -> None:
        if self._session.is_closed:
            return
        for roles in self.roles.values():
            roles.forget_counts(event.source)
        self._changes += event.type != "name"
        self._timer.start()

    # --- what the user does ---

    def _ask(self, key: str) -> None:
        path, _ = QFileDialog.getOpenFileName(self.opens[key], "Outlines", "", _FILES)
        if path:
            self.open(Path(path), self.roles[key].port)

    def open(self, path: Path, port: Mask) -> None:
        """Show the outlines of a file as Labels layers."""
        try:
            layers = open_outlines(path, self._image_of(port.on))
        except InputError as error:
            self._session.state.complain(str(error))
            return
        for data, about, _ in layers:
            self._viewer.add_labels(data, **about)

    def _say(self, key: str, number: int, box: Any, _: int) -> None:
        self.roles[key].say(number, box.currentData())
        self._show(key)
        self._tell()

    # --- what is shown ---

    def _field(self, port: Mask) -> QWidget:
        field = QWidget()
        layout = QVBoxLayout(field)
        layout.setContentsMargins(0, 0, 0, 0)
        field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.tables[port.key], self.opens[port.key] = _table(), QPushButton("Open outlines…")
        self.opens[port.key].setToolTip(
            "Labels (NIfTI, NRRD, MetaImage, TIFF) or an RTSTRUCT, drawn on the image above"
        )
        self.opens[port.key].clicked.connect(weakly(self._ask, port.key))
        for widget in (self.tables[port.key], self.opens[port.key]):
            layout.addWidget(widget)
        return field

    def _show(self, key: str) -> None:
        roles, table = self.roles[key], self.tables[key]
        # rows that stay keep their boxes: one may be telling right now
        table.setRowCount(len(roles.outlined))
        for number, (one, role) in enumerate(zip(roles.outlined, roles.roles, strict=True)):
            item = QTableWidgetItem(one.name)
            item.setToolTip(f"{one.name}\nlayer “{one.layer.name}”")
            table.setItem(number, 0, item)
            if table.cellWidget(number, 1) is None:
                table.setCellWidget(number, 1, self._box(key, number))
                table.setRowHeight(number, _ROW)
            box: Any = table.cellWidget(number, 1)
            box.setAccessibleName(f"What {one.name} is")
            with quiet(box):
                box.setCurrentIndex(box.findData(role))
        table.setFixedHeight(min(_ROW * len(roles.outlined), _SEEN) + 2 * table.frameWidth())
        table.setVisible(bool(roles.outlined))
        arrange(self._rows.parentWidget())
        self.opens[key].setEnabled(self._image_of(roles.port.on) is not None)

    def _box(self, key: str, number: int) -> QComboBox:
        """Return a box for the role of a row."""
        box = combo()
        box.addItem("not used", NONE)
        for role in self.roles[key].port.roles:
            box.addItem(role, role)
        box.activated.connect(weakly(self._say, key, number, box))
        return box

    def _tell(self) -> None:
        facts = {
            key: MaskFacts(roles.chosen, roles.problem, roles.files, self._changes) for key, roles in self.roles.items()
        }
        if facts != self._form.masks:
            self._form.masks = facts


def _table() -> QTableWidget:
    """Return a list of two columns: a name, and a box for its role."""
    table = QTableWidget(0, 2)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    table.horizontalHeader().hide()
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
    table.setColumnWidth(1, 110)
    return table
