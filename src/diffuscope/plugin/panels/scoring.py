"""A score with all that it says: gauge, decision, intervals, what it rests on, what to know of it, a report."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QLabel, QPushButton, QVBoxLayout, QWidget

from diffuscope.exports.report.hues import AGAINST, FOR, web
from diffuscope.exports.table import ALL
from diffuscope.plugin.panels.files.export_choices import offered
from diffuscope.plugin.panels.files.export_dialog import ask_path
from diffuscope.plugin.widgets.bars import SignedBars
from diffuscope.plugin.widgets.gauge import Gauge
from diffuscope.plugin.widgets.rows import small_text
from diffuscope.results.beside.rows import RowFound
from diffuscope.results.result import Result
from diffuscope.results.scores import Scored

#: Stands with every score.
RESEARCH = "Research use, not for diagnosis."
#: Stands with the score of what the fields do not hold any more.
OTHER = "Of other values than are chosen now: run again to score these."
#: Key of the row of Shapley values among a result's outputs.
SHAPLEY = "shapley"
_WARNING = "padding: 4px; border-radius: 3px; background: rgba(220, 160, 40, 90);"


class ScorePanel(QGroupBox):
    """Shows the score of one result; hidden where there is none.

    Attributes
    ----------
    gauge : Gauge
        The score on its scale.
    bars, legend : SignedBars, QLabel
        What each kind of knowledge adds to it, or takes away, and what the colours mean.
    whose, words, spread, warnings : QLabel
        Of which case; the decision; both intervals; what to know.
    other : QLabel
        Says that the fields of the dock hold something else by now.
    is_anonymous : bool
        Whether a file that it proposes is not to be named after the case.
    report : QPushButton
        Asks where to.
    """

    #: The file of the report.
    report_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Score", parent)
        self._result: Result | None = None
        self.is_anonymous = False
        self.whose, self.words, self.spread = small_text(), small_text(), small_text()
        self.warnings, self.other = small_text(), small_text()
        for label in (self.warnings, self.other):
            label.setStyleSheet(_WARNING)
        self.other.setText(OTHER)
        self.other.hide()
        self.gauge, self.bars = Gauge(), SignedBars()
        self.rests, self.legend = QLabel("What it rests on"), small_text()
        self.rests.setToolTip(
            "Shapley values: what each kind of knowledge adds to the share of the class among the patients of training "
            "(red) or takes away (blue), over all orders in which it could have become known"
        )
        self.bars.setToolTip(self.rests.toolTip())
        self.report = QPushButton("Report…")
        self.report.setToolTip("Write a page on this case, PDF or HTML")
        layout = QVBoxLayout(self)
        for widget in (
            self.whose,
            self.other,
            self.words,
            self.gauge,
            self.spread,
            self.rests,
            self.bars,
            self.legend,
            self.warnings,
            self.report,
        ):
            layout.addWidget(widget)
        self.report.clicked.connect(self._ask)
        self.hide()

    def show_result(self, result: Result | None, patient: str = "") -> None:
        """Fill in everything from a result; of a patient, where the dock knows whose row it was made of."""
        self._result = result
        scored = next(iter(result.scores.values()), None) if result is not None else None
        self.setVisible(scored is not None)
        self.gauge.show_score(scored)
        if result is None or scored is None:
            return
        name = result.path.name.removesuffix(".ome.zarr")
        self.whose.setText(" · ".join(f"<b>{escape(one)}</b>" for one in dict.fromkeys(filter(None, [patient, name]))))
        self.words.setText(_decision(scored))
        self.spread.setText(_spread(scored))
        self.spread.setVisible(bool(self.spread.text()))
        row = result.found.get(SHAPLEY)
        parts = _parts(row) if isinstance(row, RowFound) else []
        self.bars.show_parts(parts)
        self.legend.setText(_legend(scored.port.classes[1]))
        for label in (self.rests, self.legend):
            label.setVisible(bool(parts))
        notices = [escape(one, quote=False) for one in result.record.get("notices", ())]
        self.warnings.setText("<br>".join(notices))
        self.warnings.setVisible(bool(notices))

    def _ask(self) -> None:
        if self._result is None:
            return
        formats = [form for form in offered(self._result, ALL) if form.of == "case"]
        path = ask_path(self, "Report", self._result, ALL, formats, anonymous=self.is_anonymous)
        if path:
            self.report_asked.emit(path)


def _decision(scored: Scored) -> str:
    name = escape(scored.port.classes[1])
    if scored.mean != scored.mean:
        return f"<b>{name}: not known</b>"
    text = f"<b>{name}: {scored.mean:.2f}</b>"
    if not scored.verdict:
        return text
    lead, _, last = scored.verdict.rpartition(": ")
    return f"{text}, {escape(lead)}: <b>{escape(last)}</b>"


def _legend(name: str) -> str:
    """Say what the colours of the bars mean."""
    speaks = ((FOR, f"for {escape(name)}"), (AGAINST, "against it"))
    return " &nbsp; ".join(f'<span style="color: {web(colour)}">■</span> {words}' for colour, words in speaks)


def _spread(scored: Scored) -> str:
    told = []
    if scored.over_guides is not None:
        low, high = scored.over_guides
        told.append(
            f"Models trained on other such patients would say {low:.2f} to {high:.2f} (band). It is made for 90 % of "
            "them, and held about as many where that was measured, on simulated patients."
        )
    if scored.predictive is not None:
        low, high = scored.predictive
        told.append(
            f"90 % of the {len(scored.samples)} draws of the class lie between {low:.2f} and {high:.2f}: how sure the "
            "class of this patient is, not how well its probability is known."
        )
    return "<br>".join(told)


def _parts(row: RowFound) -> list[tuple[str, float]]:
    return [
        (column.title or column.name, value)
        for column, value in zip(row.port.columns, row.values, strict=True)
        if value is not None
    ]
