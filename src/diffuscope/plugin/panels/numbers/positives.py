"""The positive objects of a stain: outlined, counted anew as a slider moves, and looked at one by one."""

from __future__ import annotations

from html import escape
from typing import Any
from weakref import ref

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QGroupBox, QHBoxLayout, QPushButton, QSlider, QVBoxLayout, QWidget

from diffuscope.measurement.table import value_of
from diffuscope.measurement.threshold import chosen_threshold, threshold_of
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.links import result_layers_of
from diffuscope.plugin.layers.live import keep_active
from diffuscope.plugin.layers.objects.outlines import OUTLINES, Outlines
from diffuscope.plugin.layers.objects.places import look_at
from diffuscope.plugin.layers.objects.threshold import set_threshold, threshold_set
from diffuscope.plugin.layers.placement import layer_placement
from diffuscope.plugin.panels.numbers.cells import CellsRow
from diffuscope.plugin.panels.numbers.counting import Counted, Latest, Place, as_measured, count, find
from diffuscope.plugin.panels.numbers.dialog import open_numbers
from diffuscope.plugin.panels.numbers.rows import keep_cells, results_in, rows_of
from diffuscope.plugin.panels.views.stage import stage_of
from diffuscope.plugin.widgets.pieces import weakly
from diffuscope.plugin.widgets.rows import combo, fill, quiet, small_text
from diffuscope.ports.stains import Stain, find_stains
from diffuscope.results.result import Result

#: Steps of the slider an OD, and the highest OD; that of a result may be higher.
_STEPS, _HIGHEST = 100, 1.5
#: Who drags is not done yet: counted when nothing has moved for so long, ms.
_PAUSE = 150
NEXT_KEY = "n"


class PositivesPanel(QGroupBox):
    """Shows what of a complete stain counts as positive; hidden where there is none with a map of its DAB.

    Parameters
    ----------
    viewer : napari.Viewer
        Where outlines are shown.

    Attributes
    ----------
    counted : Counted or None
        What the slider's threshold makes of the stain; None while it is counted.
    """

    #: The table of a result whenever it was counted, as of `Result.table`.
    recounted = Signal(object)

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("Positive objects", parent)
        viewer = getattr(viewer, "__wrapped__", viewer)
        self._viewer = ref(viewer)
        self._result: Result | None = None
        self._stains: dict[str, Stain] = {}
        self._outlines: Outlines | None = None
        self._layer: Any = None
        self._at = -1
        self.counted: Counted | None = None
        self._counter, self._finder = Latest(count, self._show_counted), Latest(find, self._show_found)
        self._lister = Latest(rows_of, self._show_rows)
        self._places: tuple[Place, ...] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._count)
        self._build()
        viewer.bind_key(NEXT_KEY, weakly(self.show_next), overwrite=True)
        self.hide()

    def _build(self) -> None:
        self.stain = combo()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, round(_HIGHEST * _STEPS))
        self.slider.setToolTip(
            "DAB above which a px counts as positive, here and in what is exported; the result on disk stays as it is"
        )
        self.slider.setAccessibleName("Threshold of DAB, OD")
        self.threshold, self.numbers = small_text(), small_text()
        self.outlined = QCheckBox("Outlines")
        self.outlined.setToolTip("Draw round each object that is counted, as a layer")
        self.next = QPushButton("Next object")
        self.next.setToolTip(f"Look at one object after the other. Key {NEXT_KEY.upper()}")
        row = QHBoxLayout()
        row.addWidget(self.outlined, 1)
        row.addWidget(self.next)
        layout = QVBoxLayout(self)
        self.cells = CellsRow()
        for widget in (self.stain, self.threshold, self.slider, self.numbers, self.cells):
            layout.addWidget(widget)
        layout.addLayout(row)
        self.all = QPushButton("Numbers of all results…")
        self.all.setToolTip("A table over all results in this window, to copy or to write as CSV")
        layout.addWidget(self.all)
        self.cells.measured.connect(weakly(self._keep_cells))
        self.stain.activated.connect(weakly(self._begin))
        self.slider.valueChanged.connect(weakly(self._move))
        self.outlined.toggled.connect(weakly(self._outline))
        self.next.clicked.connect(weakly(self.show_next))
        self.all.clicked.connect(weakly(self._list))

    def show_result(self, result: Result | None) -> None:
        """Begin with another result, at the threshold that was set for it, else the one that it was measured with."""
        self._counter.drop()
        self._finder.drop()
        self._result = result
        is_measured = result is not None and result.complete and result.tissue is not None
        stains = find_stains(result.ports) if is_measured and result is not None else []
        self._stains = {stain.name: stain for stain in stains if stain.dab is not None}
        self.setVisible(bool(self._stains))
        if not self._stains:
            return
        fill(self.stain, {name: name for name in self._stains}, next(iter(self._stains)))
        self.stain.setVisible(len(self._stains) > 1)
        self._begin()

    @property
    def od(self) -> float:
        """The slider's threshold, OD: the result's own to the last digit, where the slider is at it."""
        own = threshold_of(self._result.record) if self._result is not None else 0.0
        return own if round(own * _STEPS) == self.slider.value() else self.slider.value() / _STEPS

    def show_next(self, _: Any = None) -> None:
        """Look at the next object that is counted; where they are is found when it is first asked for."""
        viewer = self._viewer()
        if viewer is None or self._result is None or not self._stains:
            return
        if self._places is None:
            self._finder.ask(self._result, str(self.stain.currentData()), self.od)
            return
        layers = result_layers_of(viewer, self._result)
        if layers and self._places:
            self._at = (self._at + 1) % len(self._places)
            look_at(viewer, next(iter(layers.values())), self._places[self._at])
            self._tell()

    def _list(self, _: Any = None) -> None:
        viewer = self._viewer()
        if viewer is not None:
            self._lister.ask(results_in(viewer))

    def _keep_cells(self, cells: Any) -> None:
        """Let them be among the numbers of all results."""
        viewer = self._viewer()
        if viewer is not None and self._result is not None:
            keep_cells(viewer, str(self._result.path), str(self.stain.currentData()), cells)

    def _show_rows(self, rows: list[dict[str, str]]) -> None:
        if self._result is not None:
            open_numbers(rows, self._result.path.parent, self.window())

    def _begin(self, _: Any = None) -> None:
        viewer = self._viewer()
        if viewer is None or self._result is None:
            return
        own = threshold_of(self._result.record)
        was_set = threshold_set(viewer, str(self._result.path))
        with quiet(self.slider):
            # a result is shown at its own threshold, whatever that is
            self.slider.setRange(min(1, round(own * _STEPS)), max(round(_HIGHEST * _STEPS), round(own * _STEPS)))
            self.slider.setValue(round((own if was_set is None else was_set) * _STEPS))
        with quiet(self.outlined):
            self.outlined.setChecked(False)
        self._outlines = None
        self.cells.show_stain(self._result, self._stains[str(self.stain.currentData())])
        self._move()
        known = as_measured(self._result, str(self.stain.currentData())) if self.od == own else None
        if known is not None:
            self._timer.stop()  # what is known is not counted
            self._show_counted(known)

    def _move(self, _: Any = None) -> None:
        viewer = self._viewer()
        if viewer is None or self._result is None:
            return
        record = self._result.record
        own, is_own = threshold_of(record), self.od == threshold_of(record)
        set_threshold(viewer, str(self._result.path), chosen_threshold(record) if is_own else self.od)
        told = "as the result was measured" if is_own else f"the result: {own:g} OD"
        self.threshold.setText(f"Positive above <b>{self.od:g} OD</b> ({told})")
        self.counted, self._places, self._at = None, None, -1
        self._finder.drop()
        if self._outlines is not None:
            self._outlines.cut.threshold = self.od
        self._timer.start()

    def _count(self) -> None:
        if self._result is None:
            return
        self._counter.ask(self._result, str(self.stain.currentData()), self.od)
        viewer = self._viewer()
        if viewer is not None:
            stage_of(viewer).changed.emit()  # what a map means is told beside it
        if self._outlines is not None and viewer is not None and self._layer in viewer.layers:
            self._outlines.draw()
            self._layer.refresh()

    def _show_counted(self, counted: Counted | None) -> None:
        self.counted = counted
        if counted is not None:
            self.recounted.emit(list(counted.table))
        self._tell()

    def _show_found(self, places: tuple[Place, ...]) -> None:
        self._places = places
        self.show_next()

    def _tell(self) -> None:
        counted = self.counted
        if counted is None:
            self.numbers.setText("This result cannot be counted anew.")
            return
        self.cells.show_threshold(counted.threshold, counted.tissue_mm2)
        words = [f"{counted.objects:,} object{'s' if counted.objects != 1 else ''}"]
        if counted.tissue_mm2 and counted.percent is not None:
            density = value_of("positive_per_mm2", counted.objects / counted.tissue_mm2)
            percent = value_of("dab_positive_percent", counted.percent)
            words += [f"{density} per mm²", f"{percent} % of the tissue's area"]
        if counted.alone is not None:
            samples, fewest, most = counted.alone
            words.append(f"each of {samples} samples alone: {fewest:,} to {most:,} objects")
        if self._at >= 0:
            words.append(f"at object {self._at + 1:,}")
        self.numbers.setText(escape(" · ".join(words)))

    def _outline(self, is_wanted: bool) -> None:
        viewer = self._viewer()
        if viewer is None or self._result is None:
            return
        stain = self._stains[str(self.stain.currentData())]
        for layer in [layer for layer in viewer.layers if self._is_ours(layer, stain)]:
            viewer.layers.remove(layer)
        self._outlines = self._layer = None
        if not is_wanted:
            return
        assert stain.dab is not None
        shown = result_layers_of(viewer, self._result).get(stain.dab.key)
        from diffuscope.measurement.stain_image import MIN_OBJECT_UM2  # its room brings scipy

        self._outlines = Outlines(self._result, stain, None, threshold=self.od, min_object_um2=MIN_OBJECT_UM2)
        about = self._outlines.about
        if shown is not None:
            about = about | layer_placement(shown).about  # where the user may have moved it
        with keep_active(viewer):
            self._layer = viewer.add_image(self._outlines.data, **about)

    def _is_ours(self, layer: Any, stain: Stain) -> bool:
        own = own_metadata(layer)
        folder = str(self._result.path) if self._result is not None else ""
        return bool(own.get("result") == folder and own.get(OUTLINES) == stain.name)
