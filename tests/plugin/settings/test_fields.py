"""Train, Many slides, Register and Evaluate are in the next window as they were last run, as far as it still holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox

from diffuscope.plugin.docks.evaluate import EvaluateDock
from diffuscope.plugin.docks.many import ManyDock
from diffuscope.plugin.docks.register import RegisterDock
from diffuscope.plugin.docks.train import TrainDock
from diffuscope.plugin.forms.train import SCRATCH
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.settings import kept
from diffuscope.plugin.settings.fields import keep_fields, take_up_fields
from diffuscope.sample_data import sample_path

pytestmark = pytest.mark.gui
MODEL = "stain-cd3-demo"


def choose(box: QComboBox, data: str) -> None:
    assert box.currentData() != data
    box.setCurrentIndex(box.findData(data))
    assert box.currentData() == data


def test_docks_are_as_they_were_last_run(
    make_napari_viewer: Callable[..., Any], compute: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    viewer = make_napari_viewer()

    def docks() -> list[Any]:
        made = [kind(viewer, compute) for kind in (TrainDock, ManyDock, RegisterDock, EvaluateDock)]
        for dock in made:
            viewer.window.add_dock_widget(dock, area="right")
            monkeypatch.setattr(dock.session, "submit", lambda _job: None)
        return made

    viewer.open([str(sample_path("CMU-1-Small-Region.svs"))] * 2, plugin="diffuscope", stack=False)
    (tmp_path / "pairs").mkdir()
    train, many, register, evaluate = docks()
    train.fields.take(tmp_path / "pairs", 0.5)
    choose(train.fields.model, SCRATCH)
    train.fields.stain.setText("CD8")
    train.fields.steps.setValue(4000)
    many.fields.slides.setText(str(tmp_path))
    choose(many.fields.model, "lnm-demo")
    choose(many.fields.quality, many.fields.quality.itemData(1))
    many.fields.seed.setValue(7)
    register.fields.affine_only.setChecked(True)
    cases = evaluate.cases.fields
    cases.take(tmp_path / "pairs", 0.5)
    choose(cases.model, "nanoparticles-demo")
    quality = cases.quality.itemData(1)
    choose(cases.quality, quality)
    cases.samples.setValue(4)
    # what was not run is not kept
    assert docks()[0].form.model == MODEL
    runs = train.jobs.run, many.jobs.run, register.jobs.run, evaluate.cases.jobs.run
    for dock, run in zip((train, many, register, evaluate), runs, strict=True):
        run.click()
        assert not dock.session.state.failed, dock.session.state.message

    train, many, register, evaluate = docks()
    assert (train.form.model, train.form.stain, train.form.steps) == (SCRATCH, "CD8", 4000)
    assert (train.form.data, train.form.out, train.form.mpp) == ("", "", 0.0)
    assert many.fields.model.currentData() == "lnm-demo"
    assert many.fields.quality.currentData() == many.fields.quality.itemData(1)
    assert (many.fields.slides.text(), many.fields.seed.value()) == ("", 0)
    assert register.form.affine_only
    form = evaluate.cases.form
    assert (form.model, form.quality, form.samples) == ("nanoparticles-demo", quality, 4)
    assert (form.data, form.out, form.mpp) == ("", "", 0.0)

    told = json.loads(kept.kept_file().read_text())
    told["Evaluate"]["quality"], told["Train"]["model"], told["Register"]["affine_only"] = "gone", "gone", "yes"
    kept.kept_file().write_text(json.dumps(told))
    train, _, register, evaluate = docks()
    assert (train.form.model, train.form.stain, train.form.steps) == (MODEL, "", 300)
    assert not register.form.affine_only
    assert (evaluate.cases.form.model, evaluate.cases.form.samples) == ("nanoparticles-demo", 4)
    assert evaluate.cases.form.quality == evaluate.cases.fields.quality.itemData(0)
    viewer.close()


@pytest.mark.parametrize(
    "last",
    [
        {"quality": ["fast"]},
        {"quality": None},
        {"samples": 99},
        {"samples": "3"},
        {"samples": True},
        {"alone": 1},
        {"stain": 8},
    ],
)
def test_what_fields_cannot_be_is_left_as_it_is(qtbot: Any, last: dict[str, object]):
    quality, samples, alone, stain = QComboBox(), QSpinBox(), QCheckBox(), QLineEdit("CD3")
    fields = {"quality": quality, "samples": samples, "alone": alone, "stain": stain}
    for field in fields.values():
        qtbot.addWidget(field)
    quality.addItem("Fast", "fast")
    samples.setRange(1, 64)
    keep_fields("Evaluate", fields)
    whole = json.loads(kept.kept_file().read_text())
    assert whole == {"Evaluate": {"quality": "fast", "samples": 1, "alone": False, "stain": "CD3"}}
    kept.kept_file().write_text(json.dumps({"Evaluate": last}))
    take_up_fields("Evaluate", fields)
    keep_fields("Evaluate", fields)
    assert json.loads(kept.kept_file().read_text()) == whole
