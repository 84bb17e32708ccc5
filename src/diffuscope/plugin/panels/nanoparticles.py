"""What DAMM-Diffusion decided in a result: divergence and branch, and what another γ would have decided."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGroupBox, QPushButton, QSlider, QVBoxLayout, QWidget

from diffuscope.plugin.layers.decisions import Decisions, summary, what_changes
from diffuscope.plugin.panels.divergence_plot import DivergencePlot
from diffuscope.plugin.widgets.rows import quiet, side_by_side, small_text

# Steps of the slider from 0 to 1: d of one result often differs by hundredths only.
_STEPS = 1000


class NanoparticleResults(QGroupBox):
    """Shows the decisions of one result; hidden where there are none.

    Attributes
    ----------
    decisions : Decisions or None
        Those that are shown.
    """

    gamma_moved = Signal(float)
    gamma_wanted = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Divergence", parent)
        self.decisions: Decisions | None = None
        self.summary, self.effect = small_text(), small_text()
        self.meaning = small_text()
        self.meaning.setText(
            "d, from 0 to 1, says of each tile and step how little the model trusts its inputs together. Where d is at "
            "most γ they are used together, else the first alone."
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setToolTip("γ from 0 (never multi-modal) to 1 (always): what it would have decided in this result")
        self.use = QPushButton("Use this γ")
        self.use.setToolTip("Put γ into the form above, for the next Run")
        self.plot = DivergencePlot()
        layout = QVBoxLayout(self)
        self.exploring = side_by_side(self.slider, self.use)
        for widget in (self.meaning, self.summary, self.exploring, self.effect, self.plot):
            layout.addWidget(widget)
        self.slider.valueChanged.connect(self._on_slider)
        self.use.clicked.connect(lambda: self.gamma_wanted.emit(self.gamma))
        self.hide()

    @property
    def gamma(self) -> float:
        """Where the slider stands."""
        return self.slider.value() / _STEPS

    def show_decisions(self, decisions: Decisions | None) -> None:
        """Fill in everything from the decisions of a result; the slider begins at the run's γ, if that decided."""
        self.decisions = decisions
        self.setVisible(decisions is not None)
        self.plot.show_decisions(decisions)
        if decisions is None:
            return
        self.summary.setText(summary(decisions))
        self.plot.show_gamma(decisions.gamma)
        for widget in (self.exploring, self.effect):
            widget.setVisible(decisions.gamma is not None)
        if decisions.gamma is not None:
            with quiet(self.slider):
                self.slider.setValue(round(decisions.gamma * _STEPS))
            self._show_gamma(decisions.gamma)

    def _on_slider(self, _: int) -> None:
        self._show_gamma(self.gamma)
        self.gamma_moved.emit(self.gamma)

    def _show_gamma(self, gamma: float) -> None:
        self.plot.show_gamma(gamma)
        if self.decisions is not None:
            self.effect.setText(what_changes(self.decisions, gamma))
