"""The dock "Many slides": a model over a folder, a table or a QuPath project, and one table of what came out."""

from __future__ import annotations

import csv
from html import escape
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from diffuscope.errors import InputError
from diffuscope.exports.summary.folder import PAGE, TABLE
from diffuscope.measurement.table import line_of, name_of
from diffuscope.plugin.docks.frame.assemble import assemble
from diffuscope.plugin.docks.kinds import STAINING
from diffuscope.plugin.forms.many import ManyFields
from diffuscope.plugin.forms.rows.lead import Wrong
from diffuscope.plugin.forms.rows.sample import SampleButton
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.given.samples import write_slides
from diffuscope.plugin.jobs.job import Job, verb
from diffuscope.plugin.jobs.run_session import known_models
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.panels.jobs import JobPanel
from diffuscope.plugin.settings.fields import keep_fields, take_up_fields
from diffuscope.plugin.widgets.rows import side_by_side, small_text

_TITLE = "Many slides"
# Rows that are seen without scrolling.
_SEEN = 8
_COLUMNS = ("Slide", "Status", "Figures, or what went wrong")
# Of a row of the summary: what is no figure.
_WORDS = {"slide", "files", "status", "error", "region", "notices", "result", "use"}


class ManyDock(QWidget):
    """Run a model over many slides, one after the other.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the dock belongs to.
    child : Child, optional
        As of `Session`.

    Attributes
    ----------
    session : Session
        Its jobs.
    """

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session = Session(napari_viewer, _TITLE, child)
        self._folder: Path | None = None
        self._build()
        # Of the models most are for volumes or cases: those that the dock is named for come first.
        self.fields.add_models(sorted(known_models(), key=lambda model: not STAINING.lists(model)))
        take_up_fields(_TITLE, self.fields.kept)

    def _build(self) -> None:
        self.fields, self.sample = ManyFields(), SampleButton()
        self.table = _table()
        self.hint = small_text()
        self.page, self.show_folder = QPushButton("Open the page"), QPushButton("Show the folder")
        self.page.setToolTip("All results on one page, in the browser")
        self.jobs = JobPanel(self.session)
        self.found = QWidget()
        below = QVBoxLayout(self.found)
        below.setContentsMargins(0, 0, 0, 0)
        for part in (self.table, self.hint, side_by_side(self.page, self.show_folder)):
            below.addWidget(part)
        self.found.hide()
        assemble(self, _TITLE, (self.sample, self.fields, self.found), jobs=self.jobs)
        self.wrong = Wrong(self.session.state, self.fields, self.fields.field_of)
        self.sample.clicked.connect(self._open_sample)
        self.fields.slides.textChanged.connect(self._show_empty)
        self._show_empty()
        self.fields.folder.clicked.connect(self._choose_folder)
        self.fields.file.clicked.connect(self._choose_file)
        self.fields.place.clicked.connect(self._choose_place)
        self.table.cellDoubleClicked.connect(self._open)
        self.page.clicked.connect(lambda: self._show_outside(PAGE))
        self.show_folder.clicked.connect(lambda: self._show_outside(""))
        self.jobs.run.clicked.connect(self._run)

    # --- what the user does ---

    def _open_sample(self) -> None:
        try:
            self.fields.slides.setText(str(write_slides()))
        except OSError as error:
            self.session.state.complain(f"The sample cannot be written: {error.strerror}.")

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of slides", self.fields.slides.text())
        if folder:
            self.fields.slides.setText(folder)

    def _choose_file(self) -> None:
        kinds = "Tables and QuPath projects (*.csv *.xlsx *.qpproj)"
        file, _ = QFileDialog.getOpenFileName(self, "Table or project", self.fields.slides.text(), kinds)
        if file:
            self.fields.slides.setText(file)

    def _choose_place(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of results", self.fields.out.text())
        if folder:
            self.fields.out.setText(folder)

    def _run(self) -> None:
        try:
            arguments = self.fields.arguments()
            self.session.check_free(arguments["out"])
        except InputError as error:
            self.wrong.tell(error)
            return
        self.session.submit(self._job(arguments))
        keep_fields(_TITLE, self.fields.kept)
        # It was said of this run; a next one would lose what this one makes.
        self.fields.again.setChecked(False)

    def _job(self, arguments: dict[str, Any]) -> Job:
        out: Path = arguments["out"]

        def again() -> Job | None:
            goes_on = {**arguments, "overwrite": False, "resume": True}
            return self._job(goes_on) if (out / TABLE).is_file() else None

        def show(_: Any = None) -> None:
            self._show(out)

        return Job(
            text=f"{arguments['model']} over {Path(arguments['slides']).name}",
            doing="Looking for slides…",
            work=verb("run_many", **arguments),
            out=out,
            again=again,
            stopped="Cancelled: what is done is kept, and Continue goes on with the others.",
            on_event=show,
            on_end=lambda done: self._end(out, done),
        )

    def _show_empty(self, _: Any = None) -> None:
        """Say what to do while nothing is chosen."""
        is_empty = not self.fields.slides.text().strip()
        self.sample.setVisible(is_empty)
        self.jobs.show_hint("Choose the slides first: a folder, a table or a QuPath project." if is_empty else "")

    # --- what came out ---

    def _end(self, out: Path, done: tuple[int, int, int] | None) -> str | None:
        self._show(out)
        if done is None:
            return None
        whole, failed, of = done
        bad = f", {failed} could not be run over: see why in the table" if failed else ""
        return f"{whole} of {of} slides are done{bad}. A model's guesses, not for diagnosis."

    def _show(self, out: Path) -> None:
        """Show the table that is on disk, where it is another one than is shown."""
        try:
            with (out / TABLE).open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except OSError:
            return
        self._folder = out
        self.table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate((row["slide"], row["status"], row["error"] or _figures(row))):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                item.setData(Qt.ItemDataRole.UserRole, row["result"])
                self.table.setItem(number, column, item)
        head = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(head + min(len(rows), _SEEN) * self.table.rowHeight(0) + 4)
        how = " Double-click a slide to open its result." if any(row["result"] for row in rows) else ""
        self.hint.setText(f"{escape(out.name)}.{how}")
        self.found.setVisible(bool(rows))

    def _open(self, row: int, _column: int) -> None:
        item = self.table.item(row, 0)
        name = item.data(Qt.ItemDataRole.UserRole) if item is not None else ""
        if self._folder is None or not name or not (self._folder / name).is_dir():
            self.session.state.complain("There is no result of this slide: see why in its row.")
            return
        try:
            self.viewer.open(str(self._folder / name), plugin="diffuscope")
        except InputError as error:
            self.session.state.complain(str(error))

    def _show_outside(self, name: str) -> None:
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder / name)))


def _figures(row: dict[str, str]) -> str:
    """Return the figures of a row on one line, under the names and with the digits that people read."""
    told = {name: text for name, text in row.items() if text and name not in _WORDS}
    return " · ".join(f"{name_of(name)} {text}" for name, text in zip(told, line_of(told), strict=True))


def _table() -> QTableWidget:
    table = QTableWidget(0, len(_COLUMNS))
    table.setHorizontalHeaderLabels(_COLUMNS)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.verticalHeader().hide()
    for column, mode in enumerate((QHeaderView.ResizeMode.Interactive, QHeaderView.ResizeMode.ResizeToContents)):
        table.horizontalHeader().setSectionResizeMode(column, mode)
    table.horizontalHeader().setStretchLastSection(True)
    return table
