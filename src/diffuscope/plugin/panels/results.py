"""The part of the dock that is about a result: numbers, record, export."""

from __future__ import annotations

from html import escape
from math import prod

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGroupBox, QPushButton, QVBoxLayout, QWidget

from diffuscope.exports.multiplex import multiplex_port
from diffuscope.exports.shown import shown_ports
from diffuscope.exports.table import ALL, QUPATH, Format, formats_of
from diffuscope.jobs.scaling import CUT_UM2
from diffuscope.measurement.table import readable, with_density
from diffuscope.plugin.panels.files.export_choices import default_layer, note, offered
from diffuscope.plugin.panels.files.export_dialog import ask_path
from diffuscope.plugin.panels.files.recent import show_in_folder
from diffuscope.plugin.widgets.pieces import FiguresTable
from diffuscope.plugin.widgets.rows import combo, show_warning, side_by_side, small_text, warning_text
from diffuscope.results.result import Result
from diffuscope.stains import StainStatistics

# µm/px of a slide; what is coarser is a flat image of a body, in which QuPath has nothing to count.
_COARSEST = 50.0
_UNTIL = "What is incomplete is not exported: continue this run to its end first."
_BUSY = "Nothing is exported while a job of this dock goes on, or one writes this result: wait, or cancel it."


class ResultsWidget(QGroupBox):
    """Shows one result; hidden until there is one.

    Attributes
    ----------
    says_outcome : bool
        Whether it says in words what there is beside images, and what the run told; a dock may have a panel for that.
    told : QLabel
        What the run told, and its record keeps.
    """

    export_asked = Signal(str, str)
    record_asked = Signal()
    resume_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Result", parent)
        self._result: Result | None = None
        self._is_idle = True
        self.says_outcome = True
        self.heading = small_text()
        self.told = warning_text()
        self.table = FiguresTable()
        self.layer = combo()
        self.export = QPushButton("Export…")
        self.qupath = QPushButton("For QuPath…")
        self.qupath.setToolTip(
            "Write a folder with all images, every object that was counted as an outline with its measurements, and a "
            "script that brings them into QuPath"
        )
        self.report = QPushButton("Report…")
        self.report.setToolTip(
            "Write a page: pictures with colour and scale bars, the figures, the model and what not to believe"
        )
        self.anonymous = QCheckBox("Anonymous")
        self.anonymous.setToolTip(
            "Leave out of the file what tells of the input: names, patient, series, command and notices of the run; "
            "its own name is yours to choose"
        )
        self.note = small_text()
        self.record, self.folder = QPushButton("Show run record"), QPushButton("Show in folder")
        self.resume = QPushButton("Continue this run")
        layout = QVBoxLayout(self)
        export = side_by_side(self.anonymous, self.export)
        more = side_by_side(self.report, self.qupath)
        for widget in (
            self.heading,
            self.told,
            self.table,
            self.layer,
            export,
            more,
            self.note,
            side_by_side(self.record, self.folder),
            self.resume,
        ):
            layout.addWidget(widget)
        self.layer.currentIndexChanged.connect(self._show_formats)
        self.export.clicked.connect(self._ask_export)
        self.qupath.clicked.connect(self._ask_qupath)
        self.report.clicked.connect(self._ask_report)
        self.record.clicked.connect(self.record_asked)
        self.folder.clicked.connect(self._show_folder)
        self.resume.clicked.connect(self.resume_asked)
        self.hide()

    def show_result(self, result: Result | None) -> None:
        """Fill in everything from a result."""
        self._result = result
        self.setVisible(result is not None)
        if result is None:
            return
        of_all = f": {result.done} of {result.tiles} {result.unit}" if result.tiles > 1 else ""
        state = "" if result.complete else f" (incomplete{of_all})"
        told = [*_given(result), *_taken(result), *(_outcome(result) if self.says_outcome else ())]
        self.heading.setText("<br>".join([f"<b>{result.path.name}</b>{state}", *told]))
        show_warning(self.told, result.record.get("notices", ()) if self.says_outcome else ())
        self.resume.setVisible(not result.complete)
        for widget in (self.layer, self.anonymous, self.export):
            widget.setVisible(_can_export(result))
        self._enable()
        self.qupath.setVisible(bool(_for_qupath(result)))
        self.report.setVisible(bool(_reports(result)))
        self.layer.clear()
        if result.ports or result.scores:
            self.layer.addItem("All layers" if result.ports else "Report", ALL)
        for port in shown_ports(result):
            self.layer.addItem(port.name, port.key)
        for written in result.others:
            if written.key in result.texts:
                self.layer.addItem(written.name, written.key)
        multiplex = multiplex_port(result.ports)
        if multiplex is not None:
            self.layer.addItem(multiplex.name, multiplex.key)
        if _can_export(result):
            self.layer.setCurrentIndex(self.layer.findData(default_layer(result)))
        self.show_table(result.table)

    def set_idle(self, is_idle: bool) -> None:
        """Offer what begins a job, or not: while the dock is at work it is not."""
        self._is_idle = is_idle
        self._enable()

    def _enable(self) -> None:
        # as `export` refuses what is incomplete
        can_export = self._is_idle and self._result is not None and self._result.complete
        for button in (self.export, self.qupath, self.report):
            button.setEnabled(can_export)
        self.resume.setEnabled(self._is_idle)
        self._show_note()

    def show_table(self, rows: list[dict[str, str]]) -> None:
        """Show figures: those of the result on disk, or what another threshold makes of it."""
        header, lines = readable(with_density(rows))
        # from the lowest sample to the highest is a long figure
        self.table.show_lines(["Region", *header], lines, narrow=len(header) == 1 and "samples" in rows[0])

    def _show_formats(self) -> None:
        layer = self.layer.currentData()
        if self._result is None or not _can_export(self._result) or layer is None:
            return  # while the list is filled, and of a result that cannot be exported
        names = [form.name for form in offered(self._result, layer)]
        self.export.setToolTip(f"Write a file for other programs: {', '.join(names)}")
        self._show_note()

    def _show_note(self) -> None:
        """Say why nothing is exported, or not as every format."""
        layer = self.layer.currentData()
        if self._result is None or not _can_export(self._result) or layer is None:
            text = ""
        elif not self._result.complete:
            text = _UNTIL
        else:
            text = note(self._result, layer) if self._is_idle else _BUSY
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _ask_export(self) -> None:
        if self._result is not None:
            layer = self.layer.currentData()
            self._ask(layer, offered(self._result, layer))

    def _ask_qupath(self) -> None:
        if self._result is not None:
            self._ask(ALL, _for_qupath(self._result))

    def _ask_report(self) -> None:
        if self._result is not None:
            self._ask(ALL, _reports(self._result))

    def _show_folder(self) -> None:
        if self._result is not None:
            show_in_folder(self._result.path)

    def _ask(self, layer: str, formats: tuple[Format, ...]) -> None:
        assert self._result is not None  # the buttons are seen with one only
        path = ask_path(self, "Export", self._result, layer, formats, anonymous=self.anonymous.isChecked())
        if path:
            self.export_asked.emit(path, layer)


def _can_export(result: Result) -> bool:
    return bool(result.ports or result.scores or result.texts)


def _for_qupath(result: Result) -> tuple[Format, ...]:
    """Return the folder for QuPath where it can hold all of a result of a slide, else nothing."""
    forms = tuple(form for form in formats_of(result, ALL) if QUPATH in form.endings)
    return forms if forms and result.place.mpp <= _COARSEST else ()


def _reports(result: Result) -> tuple[Format, ...]:
    """Return the formats of a report, PDF first."""
    return tuple(form for form in formats_of(result, ALL) if form.name.startswith("Report"))


def _given(result: Result) -> list[str]:
    """Say which µm/px of inputs were the user's: what the form says now may be another."""
    told: dict[str, None] = {}
    for one in result.record["inputs"].values():
        if (used := one.get("mpp")) is not None and used != (stated := one.get("mpp_stated", used)):
            told[f"At {used:.4g} µm/px, as given" + (f" (the file says {stated:.4g})" if stated else "")] = None
    return list(told)


def _taken(result: Result) -> list[str]:
    """Say of inputs that were normalised what became of their stains, and by what they were measured."""
    inputs = result.record["inputs"].values()
    told = []
    for stated in (one for one in inputs if "stains" in one):
        stains = StainStatistics.from_json(stated["stains"])
        told.append(f"H&amp;E normalised: {stains.summary} OD")
        if not stains.measured_on and prod(stated["shape"][:2]) * stated["mpp"] ** 2 < CUT_UM2:
            told.append(
                "<b>Measured on this small cut alone</b>, which shows badly how its slide is stained: choose that "
                "slide under “by the stains of”."
            )
    if result.record.get("parameters", {}).get("normalise") and not told:
        told.append("<b>H&amp;E not normalised</b>: no nucleus was found to measure its stains by.")
    return told


def _outcome(result: Result) -> list[str]:
    """Return what there is beside images, as lines."""
    return [f"<b>{escape(name)}</b>: {escape(words)}" for name, words in result.summaries]
