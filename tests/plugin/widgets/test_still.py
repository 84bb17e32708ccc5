"""Numbers that are typed key by key into a form that is renewed with every key."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDoubleSpinBox

from diffuscope.model.find import model_info
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.forms.run_widget import FormWidget
from diffuscope.plugin.layers.facts import SlideFacts, model_facts
from diffuscope.plugin.widgets.still import StillDoubleSpin, StillSpin

pytestmark = pytest.mark.gui


def form_of(qtbot: Any, model: str) -> FormWidget:
    widget = FormWidget(RunForm(slide=SlideFacts(name="a", path=None, mpp=None), any_open=True))
    qtbot.addWidget(widget)
    widget.add_model(model_facts(model_info(model), model), choose=True)
    widget.show()
    return widget


def typed(qtbot: Any, box: Any, text: str) -> float:
    box.selectAll()
    for key in text:
        qtbot.keyClicks(box, key)
    qtbot.keyClick(box, Qt.Key.Key_Tab)
    return float(box.value())


@pytest.mark.parametrize("text", ["0.25", "0.325", "0.2527", "0.5", "1.05", "0"])
def test_the_um_per_px_of_a_dock_are_those_that_are_typed(qtbot: Any, text: str):
    widget = form_of(qtbot, "stain-cd3-demo")
    assert typed(qtbot, widget.mpp, text) == pytest.approx(float(text)) == pytest.approx(widget.form.mpp)


def test_numbers_of_the_model_are_those_that_are_typed(qtbot: Any):
    widget = form_of(qtbot, "nanoparticles-demo")
    assert typed(qtbot, widget.options.fields["gamma"], "0.4") == pytest.approx(0.4)
    assert widget.form.options["gamma"] == pytest.approx(0.4)


@pytest.mark.parametrize("kind", [StillSpin, StillDoubleSpin])
def test_another_number_and_text_are_shown_at_once(qtbot: Any, kind: type[QDoubleSpinBox]):
    box = kind()
    qtbot.addWidget(box)
    box.setSpecialValueText("none")
    assert box.text() == "none"
    box.setSpecialValueText("not stated")
    assert box.text() == "not stated"
    box.setValue(3)
    assert box.value() == 3 and box.text().startswith("3")
