"""To judge a registration by eye: the veil of the registered slide, moved by a slider."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGroupBox, QSlider, QVBoxLayout

from diffuscope.errors import InputError
from diffuscope.plugin.forms.regions import view_region
from diffuscope.plugin.layers.veil import CURTAIN, SQUARES, WHOLE, VeiledSlide
from diffuscope.plugin.widgets.rows import combo, small_text
from diffuscope.results.result import Result

_KINDS = {CURTAIN: "Curtain", SQUARES: "Checkerboard", WHOLE: "All of it"}
#: Steps of the slider; squares along the longer side of what is in view, from the slider's left to its right.
_STEPS, _MOST, _FEWEST = 1000, 32, 2


class VeilWidget(QGroupBox):
    """Figures of a registration, and what is seen of the registered slide; hidden until there is one.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the slides are.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__("Registered")
        self._viewer = viewer
        self._layer: Any = None
        self._slide: VeiledSlide | None = None
        self.figures = small_text()
        self.kind = combo()
        for key, name in _KINDS.items():
            self.kind.addItem(name, key)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setToolTip("Curtain: H&E left of the edge, restain right of it. Checkerboard: size of the squares")
        layout = QVBoxLayout(self)
        for widget in (self.figures, self.kind, self.slider):
            layout.addWidget(widget)
        self.kind.currentIndexChanged.connect(self._move)
        self.slider.valueChanged.connect(self._move)
        self.hide()

    def show_result(self, result: Result, layer: Any, slide: VeiledSlide) -> None:
        """Show the figures of a registration, and draw the curtain before half of what is in view."""
        self._layer, self._slide = layer, slide
        self.figures.setText(figures_text(result.record["figures"]))
        self.kind.setCurrentIndex(0)
        self.slider.setValue(_STEPS // 2)
        self.show()
        self._move()

    def _move(self, _: Any = None) -> None:
        self.slider.setVisible(self.kind.currentData() != WHOLE)
        if self._slide is None or self._layer not in self._viewer.layers:
            return
        veil, place = self._slide.veil, self.slider.value() / _STEPS
        veil.kind = self.kind.currentData()
        # the part in view, so that a step of the slider is as fine as what is looked at
        with suppress(InputError):  # out of sight or in 3D: the veil stays where it is
            seen = view_region(self._viewer, self._layer)
            veil.edge = seen.x + place * seen.width
            veil.square = max(1.0, max(seen.width, seen.height) / (_MOST * (_FEWEST / _MOST) ** place))
        self._slide.draw()
        self._layer.refresh()


def figures_text(figures: dict[str, Any]) -> str:
    """Return the figures of a registration as a table, one row a quantity and one column a stage, in rich text."""
    stages = {name: values for name, values in figures.items() if isinstance(values, dict)}
    quantities = next(iter(stages.values()))
    head = "".join(f"<th align='right'>&nbsp;{name}</th>" for name in stages)
    lines = [[name, *(f"&nbsp;{at[name]:.3g}" for at in stages.values())] for name in quantities]
    body = "".join(f"<tr><td>{'</td><td align=right>'.join(line)}</td></tr>" for line in lines)
    measured = "" if len(quantities) > 1 else " Its error is measured at landmarks only: none were given, so look."
    said = f"Haematoxylin correlates with {figures['correlation']:.2f} after the affine stage.{measured}"
    return f"<table><tr><th></th>{head}</tr>{body}</table>{said}"
