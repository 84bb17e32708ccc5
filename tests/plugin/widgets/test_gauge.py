"""What a score is drawn as: the mark, the band and the bars lie where their numbers say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pytestqt")

from qtpy.QtGui import QImage

from diffuscope.plugin.widgets.bars import SignedBars
from diffuscope.plugin.widgets.gauge import Gauge
from diffuscope.ports.score import Score
from diffuscope.results.scores import Scored

pytestmark = pytest.mark.gui

PORT = Score(name="metastasis", key="n", classes=("no", "yes"), threshold=0.5)
WIDTH, SIDE = 332, 16


def drawn(widget: Any, qtbot: Any) -> np.ndarray:
    """Return the pixels of a widget, RGB."""
    qtbot.addWidget(widget)
    widget.resize(WIDTH, widget.height())
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def columns(pixels: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Return the columns in which something is drawn that is not on an empty scale."""
    return np.flatnonzero(np.abs(pixels - empty).max(axis=(0, 2)) > 20)


def place(value: float) -> float:
    return SIDE + value * (WIDTH - 2 * SIDE)


@pytest.mark.parametrize("shift", [-0.2, 0.0, 0.25])
def test_mark_and_band_lie_at_their_probabilities(qtbot: Any, shift: float):
    rng = np.random.default_rng(0)
    draws = rng.binomial(1, 0.5 + shift + rng.normal(0, 0.05, (8, 1)), (8, 50)).astype(float)
    scored = Scored(replace(PORT, threshold=None), tuple(map(tuple, draws.tolist())))
    gauge = Gauge()
    gauge.show_score(scored)
    pixels, empty = drawn(gauge, qtbot), drawn(Gauge(), qtbot)
    # red, blue and orange mean something else
    assert np.ptp(pixels[14:34], axis=2).max() < 40
    # the band in the lower half of the scale, the triangle above it
    assert scored.over_guides is not None
    band = columns(pixels[30:34], empty[30:34])
    assert [band[0], band[-1]] == pytest.approx([place(end) for end in scored.over_guides], abs=2)
    triangle = columns(pixels[17:20], empty[17:20])
    assert triangle.mean() == pytest.approx(place(scored.mean), abs=2)


def test_a_score_that_is_not_known_is_an_empty_scale(qtbot: Any):
    gauge = Gauge()
    gauge.show_score(Scored(PORT, ((float("nan"),),)))
    assert not len(columns(drawn(gauge, qtbot), drawn(Gauge(), qtbot)))


def test_bars_go_to_the_side_of_their_sign_and_as_far_as_their_size(qtbot: Any):
    bars = SignedBars()
    bars.show_parts([("blood", -0.1), ("tumour", 0.2), ("nodes", 0.05)])
    assert [name for name, _ in bars.shown] == ["tumour", "blood", "nodes"] and bars.height() == 66
    pixels = drawn(bars, qtbot)
    red, blue = pixels[..., 0] - pixels[..., 2], pixels[..., 2] - pixels[..., 0]
    widths = [np.flatnonzero(signed[row] > 60) for signed, row in ((red, 11), (blue, 33), (red, 55))]
    assert [len(one) for one in widths[1:]] == pytest.approx([len(widths[0]) / 2, len(widths[0]) / 4], abs=2)
    assert widths[1].max() < widths[0].min() and abs(widths[2].min() - widths[0].min()) <= 1
    bars.show_parts([])
    assert bars.isHidden()
