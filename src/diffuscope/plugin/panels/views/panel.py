"""The part of a dock by which a result is held against what it was made from."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QButtonGroup, QGroupBox, QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.reading.meaning import meaning
from diffuscope.plugin.layers.views.pair import Pair
from diffuscope.plugin.panels.views.group import GroupRow
from diffuscope.plugin.panels.views.stage import (
    BLINK,
    CURTAIN,
    FADE_KEY,
    HIDE_KEY,
    KEYS,
    OVER,
    SIDE,
    UNSURE_KEY,
    stage_of,
)
from diffuscope.plugin.widgets.pieces import weakly
from diffuscope.plugin.widgets.rows import quiet, small_text

_MODES = {
    OVER: ("Over", "The result over its input"),
    CURTAIN: ("Curtain", "Left of a line the input, right of it the result: drag the line"),
    SIDE: ("Side by side", "The input at the left, the result at the right, moved and zoomed together"),
    BLINK: ("Blink", "The result comes and goes"),
}
_STEPS = 100


class ComparePanel(QGroupBox):
    """Chooses how a result and its input are seen; hidden while no result is in sight.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers.

    Attributes
    ----------
    stage : Stage
        Of the viewer.
    buttons : dict of str to QPushButton
        By mode.
    opacity : QSlider
        Of the result, in per cent.
    legend, note : QLabel
        What the map means that is seen; what to do.
    """

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__("Compare", parent)
        self.stage = stage = stage_of(viewer)
        self._keys = {mode: key for key, mode in KEYS.items()}
        self.buttons: dict[str, QPushButton] = {}
        self._group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(2)
        for mode, (text, tip) in _MODES.items():
            row.addWidget(self._button(mode, text, tip), 1)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, _STEPS)
        self.opacity.setToolTip(f"How much of the result is seen. Key {FADE_KEY.upper()}: half, or all")
        self.opacity.setAccessibleName("Opacity of the result")
        faded = QHBoxLayout()
        faded.addWidget(QLabel("Opacity"))
        faded.addWidget(self.opacity, 1)
        self.note, self.legend = small_text(), small_text()
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addLayout(faded)
        layout.addWidget(self.legend)
        layout.addWidget(self.note)
        self.unsure = QPushButton("Next uncertain place")
        self.unsure.setToolTip(f"Look where the model was least sure, place by place. Key {UNSURE_KEY.upper()}")
        self.unsure.clicked.connect(stage.show_unsure)
        layout.addWidget(self.unsure)
        self.group = GroupRow(viewer, stage)
        layout.addWidget(self.group)
        self._group.idClicked.connect(weakly(self._choose))
        self.opacity.valueChanged.connect(weakly(self._fade))
        stage.changed.connect(self._show)
        self._fill()

    def _button(self, mode: str, text: str, tip: str) -> QPushButton:
        button = QPushButton()
        button.setText(text)
        button.setCheckable(True)
        key = self._keys.get(mode)
        button.setToolTip(f"{tip}. Key {key.upper()}" if key else tip)
        self._group.addButton(button, list(_MODES).index(mode))
        self.buttons[mode] = button
        return button

    def _choose(self, number: int) -> None:
        self.stage.show(list(_MODES)[number])

    def _fade(self, value: int) -> None:
        self.stage.fade(value / _STEPS)

    def _show(self) -> None:
        with suppress(RuntimeError):  # the dock may be gone, and the viewer still tells
            self._fill()

    def _fill(self) -> None:
        stage, pair = self.stage, self.stage.pair
        self.setVisible(pair is not None)
        if pair is None:
            return
        self.buttons[stage.mode].setChecked(True)
        with quiet(self.opacity):
            self.opacity.setValue(round(stage.share * _STEPS))
        self.unsure.setVisible(stage.spread is not None)
        legend = meaning_in_sight(pair)
        self.legend.setText(legend)
        self.legend.setVisible(bool(legend))
        self.note.setText(
            f"Open {escape(' and '.join(pair.missing))} to compare with it."
            if pair.missing
            else f"Keys: K curtain, G side by side, Q blink, {FADE_KEY.upper()} half opacity, "
            f"{HIDE_KEY.upper()} hides and shows the result."
        )


def meaning_in_sight(pair: Pair) -> str:
    """Say, as rich text, what the topmost map of a result means that is seen; nothing where only its colours are."""
    for layer in reversed(pair.seen):
        own = own_metadata(layer)
        text = meaning(str(own.get("port") or own.get("value") or ""), own.get("record", {}))
        if text:
            return f"<b>{escape(layer.name)}</b>: {escape(text)}"
    return ""
