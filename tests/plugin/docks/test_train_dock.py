"""The dock "Train" in a real viewer: a tiny model trained in a real child process, looked at, stopped, gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from patience import MILLISECONDS
from user_pairs import write_pairs

from diffuscope.errors import InputError
from diffuscope.events import finish
from diffuscope.plugin.forms.train import SCRATCH, TrainForm
from diffuscope.training.recipe import Recipe

pytest.importorskip("napari")
pytest.importorskip("pytestqt")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("user")) / "pairs"


class TestForm:
    def test_it_makes_a_recipe(self, pairs: Path, tmp_path: Path):
        form = TrainForm(data=str(pairs), mpp=0.5, model="stain-cd3-demo", steps=7, out=str(tmp_path / "a" / "mine"))
        written = form.write()
        assert written == tmp_path / "a" / "mine.yaml"
        recipe = Recipe.model_validate(yaml.safe_load(written.read_text()))
        assert (recipe.init_from, recipe.optimisation.steps, recipe.data.mpp) == ("stain-cd3-demo", 7, 0.5)
        form.model, form.stain = SCRATCH, "CD8"
        recipe = Recipe.model_validate(form.recipe())
        assert recipe.init_from is None and recipe.config["stain"] == "CD8"

    def test_data_is_looked_at_for_the_model_that_it_is_to_train(self, pairs: Path):
        from diffuscope.plugin.jobs import verbs

        fresh, tuned = TrainForm(), TrainForm(model="stain-cd3-demo")
        assert (fresh.needs(), tuned.needs()) == ({"keys": ("he", "ihc")}, {"model": "stain-cd3-demo"})
        lines = [
            finish(verbs.check_data(data=pairs, assumed_mpp=0.5, cancelled=lambda: False, **form.needs()))
            for form in (fresh, tuned)
        ]
        assert all(any("cases" in line for line in some) for some in lines)
        with pytest.raises(InputError, match="vessels"):
            finish(verbs.check_data(data=pairs, keys=("vessels",), assumed_mpp=0.5, cancelled=lambda: False))

    @pytest.mark.parametrize(
        ("missing", "words"), [({"data": ""}, "your pairs"), ({"out": " "}, "folder"), ({"stain": ""}, "which stain")]
    )
    def test_it_says_what_is_missing(self, pairs: Path, tmp_path: Path, missing, words: str):
        given = {"data": str(pairs), "out": str(tmp_path / "m"), "stain": "CD3"} | missing
        with pytest.raises(InputError, match=words):
            TrainForm(**given).write()
        assert not list(tmp_path.iterdir())


@pytest.fixture
def dock(make_napari_viewer: Callable[..., Any], qtbot: Any, pairs: Path, tmp_path: Path, monkeypatch, compute) -> Any:
    from diffuscope.plugin.docks.train import TrainDock

    # The child has little time: a network that is as small as there is.
    small = {"system": "staindiffuser", "config": {"stain": "CD3", "size": "tiny", "T": 20, "patch": 32}}
    whole = TrainForm.recipe
    monkeypatch.setattr(
        TrainForm,
        "recipe",
        lambda form: {k: v for k, v in whole(form).items() if k != "init_from"} | small,
    )
    viewer = make_napari_viewer()
    dock = TrainDock(viewer, compute)
    viewer.window.add_dock_widget(dock, name="Train", area="right")
    viewer.window._qt_window.resize(1280, 720)
    dock.until = lambda condition: qtbot.waitUntil(condition, timeout=MILLISECONDS)
    dock.fields.data.setText(str(pairs))
    dock.fields.mpp.setValue(0.5)
    dock.fields.out.setText(str(tmp_path / "mine"))
    return dock


@pytest.mark.gui
@pytest.mark.slow
def test_from_pairs_to_a_model_stopped_and_gone_on_with(dock: Any, tmp_path: Path):
    from diffuscope.model.folder import load_model

    assert dock.form.model == "stain-cd3-demo" and dock.fields.model.count() == 4
    dock.check.click()
    dock.until(lambda: dock.session.state.is_idle)
    assert "4" in dock.report.toPlainText() and "he" in dock.report.toPlainText()

    dock.fields.steps.setValue(20)
    dock.jobs.run.click()
    assert dock.session.state.is_at_work and dock.jobs.run.text() == "Add to queue"
    left: list[str] = []
    dock.session.state.events.progress_text.connect(left.append)
    dock.until(lambda: dock.session.state.is_idle)
    assert left[0].startswith("0 of 4 cases, reading the data")
    assert any("of 20 steps, loss" in text and text.endswith(" left") for text in left), left
    # what comes behind the last step is told, without a time that nobody knows; and nothing stays
    assert "20 of 20 steps, validating · finishing" in left
    assert left[-2:] == ["Measuring the new model on what validates", ""] and dock.jobs.progress.isHidden()
    assert [step for step, _ in dock.curve.validation] == list(range(2, 21, 2))
    assert dock.curve.training and not dock.picture.pixmap().isNull() and not dock.curve.grab().isNull()
    assert dock.viewer.window._qt_window.height() <= 800  # what a small screen has, with picture and report
    assert dock.session.state.message.startswith(f"Done: {tmp_path / 'mine'}")
    assert load_model(tmp_path / "mine").card.figures["validation crops"] >= 1
    dock.jobs.run.click()
    dock.until(lambda: dock.session.state.is_idle)
    assert "mine.training exists already" in dock.session.state.message

    dock.fields.out.setText(str(tmp_path / "stopped"))
    dock.fields.steps.setValue(300)
    dock.jobs.run.click()
    dock.until(lambda: len(dock.curve.validation) > 0)
    dock.jobs.cancel.click()
    dock.until(lambda: dock.session.state.is_idle)
    assert dock.session.state.message.startswith("Stopped at step")
    assert "Training was stopped" in load_model(tmp_path / "stopped").card.what_it_is
    assert dock.fields.resume.isVisibleTo(dock.fields) and dock.jobs.go_on.isVisibleTo(dock)
    dock.jobs.go_on.click()
    assert not dock.jobs.go_on.isVisibleTo(dock)
    dock.until(lambda: dock.session.state.phase == "running" and len(dock.curve.training) > 0)
    assert dock.curve.training[0][0] > 30
    dock.jobs.cancel.click()
    dock.until(lambda: dock.session.state.is_idle)


@pytest.mark.gui
@pytest.mark.slow
def test_a_wrong_folder_is_one_sentence(dock: Any, tmp_path: Path):
    dock.fields.data.setText(str(tmp_path / "nowhere"))
    dock.jobs.run.click()
    assert "Choose the folder of your pairs" in dock.session.state.message and dock.session.state.is_idle
    (tmp_path / "empty").mkdir()
    dock.fields.data.setText(str(tmp_path / "empty"))
    dock.jobs.run.click()
    dock.until(lambda: dock.session.state.is_idle)
    assert "has no folder he" in dock.session.state.message
    # On the way to a path it is the root at times, where nothing is trained.
    for typed in ("/", "..", "."):
        dock.fields.out.setText(typed)
    assert dock.session.state.message == ""  # what was wrong goes with the next change
    dock.fields.out.setText("/")
    dock.jobs.run.click()
    assert "which folder the model is to be written to" in dock.session.state.message
    dock.fields.data.clear()
    assert dock.fields.data.placeholderText() == "folder with he/ and ihc/, or cases.csv"
    dock.fields.model.setCurrentIndex(dock.fields.model.findData("nanoparticles-demo"))
    assert dock.fields.data.placeholderText() == "folder with vessels/, nuclei/ and nanoparticles/, or cases.csv"
    # It trains on pictures: of volumes it would ask for he/ and ihc/.
    offered = [dock.fields.model.itemData(number) for number in range(dock.fields.model.count())]
    assert "stain-cd3-demo" in offered and not any("mr" in str(name) or "flair" in str(name) for name in offered)
