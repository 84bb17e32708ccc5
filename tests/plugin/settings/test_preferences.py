"""What is set in napari's preferences holds for docks and for where results go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.events import Progress, finish
from diffuscope.plugin.docks.asking import glimpse_of, request_of
from diffuscope.plugin.docks.evaluate import EvaluateDock
from diffuscope.plugin.docks.many import ManyDock
from diffuscope.plugin.docks.scoring import ScoringDock
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.docks.train import TrainDock
from diffuscope.plugin.forms.out import suggest_out
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.facts import SlideFacts
from diffuscope.plugin.layers.looks import ORANGE, look
from diffuscope.plugin.layers.results import result_layers
from diffuscope.plugin.settings import preferences as module
from diffuscope.plugin.settings.preferences import Preferences, fill_in, preferences
from diffuscope.ports.raster import Raster
from diffuscope.results.result import open_result
from diffuscope.tiling.region import Region


def test_napari_shows_what_the_manifest_declares_with_these_defaults():
    pytest.importorskip("napari", minversion="0.9")
    from napari.settings import get_plugin_settings

    assert get_plugin_settings("diffuscope").docks.model_dump() == asdict(Preferences())


def test_a_dock_and_its_results_are_as_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    slide = SlideFacts(name="a.svs", path=tmp_path / "a.svs", mpp=0.5)
    assert suggest_out(slide, "stain").parent == tmp_path
    there = tmp_path / "results"
    chosen = {"device": "cpu", "beside": False, "results": str(there), "cluster": " tcp://10.0.0.1:8786 "}
    monkeypatch.setattr(module, "_group", lambda: SimpleNamespace(**chosen))
    assert suggest_out(slide, "stain").parent == there
    form = RunForm()
    fill_in(form)
    assert (form.device, form.scheduler) == ("cpu", "tcp://10.0.0.1:8786")


def test_maps_have_the_colours_that_are_preferred_but_those_whose_colour_means_something(
    result_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    def colours() -> dict[str, str]:
        layers = result_layers(open_result(result_folder))
        return {about["name"]: about["colormap"] for _, about, _ in layers if not about["rgb"]}

    assert colours() == {"DAB": "magma"}
    monkeypatch.setattr(module, "_group", lambda: SimpleNamespace(colours="viridis"))
    assert colours() == {"DAB": "viridis"}
    support = Raster(
        name="support", key="support", kind="map", channels=("support",), mpp=1.0, range=(0.0, 1.0), colormap="gray"
    )
    assert look(support)["colormap"] is ORANGE


@pytest.mark.gui
def test_a_run_takes_as_many_tiles_at_once_as_are_preferred(
    make_napari_viewer: Callable[..., Any], compute: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    viewer = make_napari_viewer()
    dock = StainDock(viewer, compute)
    viewer.window.add_dock_widget(dock, area="right")
    viewer.open_sample("diffuscope", "cmu-1")
    dock.form.out = str(tmp_path / "out.ome.zarr")
    region = Region(x=0, y=0, width=64, height=64)
    assert "batch" not in request_of(dock, region).settings
    monkeypatch.setattr(module, "_group", lambda: SimpleNamespace(tiles=2))
    asked = request_of(dock, region)
    assert asked.settings["batch"] == 2 and asked.settings["out"] == tmp_path / "out.ome.zarr"
    assert glimpse_of(dock, (32, 32), dock.form.settings()).settings["batch"] == 2
    viewer.close()


@pytest.mark.gui
def test_many_slides_trainings_and_evaluations_compute_as_is_preferred(
    make_napari_viewer: Callable[..., Any], compute: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[tuple[Any, ...]] = []

    def verb(name: str, **arguments: Any) -> None:
        asked.append((name, *(arguments.get(key) for key in ("device", "batch", "scheduler"))))

    for place in ("docks.many", "docks.train", "panels.evaluate"):
        monkeypatch.setattr(f"diffuscope.plugin.{place}.verb", verb)
    viewer = make_napari_viewer()
    many, train, evaluate = (kind(viewer, compute) for kind in (ManyDock, TrainDock, EvaluateDock))
    for dock in (many, train, evaluate):
        viewer.window.add_dock_widget(dock, area="right")
        monkeypatch.setattr(dock.session, "submit", lambda _job: None)
    many.fields.slides.setText(str(tmp_path))
    train.fields.take(tmp_path)
    evaluate.cases.fields.take(tmp_path)
    runs = many.jobs.run, train.jobs.run, evaluate.cases.jobs.run

    def press() -> list[tuple[Any, ...]]:
        asked.clear()
        for run in runs:
            run.click()
        return list(asked)

    assert press() == [
        ("run_many", "auto", None, None),
        ("train", "auto", None, None),
        ("evaluate", "auto", None, None),
    ]
    chosen = {"device": "cpu", "tiles": 2, "cluster": " tcp://10.0.0.1:8786 "}
    monkeypatch.setattr(module, "_group", lambda: SimpleNamespace(**chosen))
    assert press() == [
        ("run_many", "cpu", 2, "tcp://10.0.0.1:8786"),
        ("train", "cpu", None, None),  # how many crops a step has is the recipe's
        ("evaluate", "cpu", 2, None),
    ]
    # of a model that takes a case at once there are no tiles
    many.fields.model.setCurrentIndex(many.fields.model.findData("lnm-demo"))
    assert press()[0] == ("run_many", "cpu", None, None)
    viewer.close()


@pytest.mark.gui
def test_a_whole_case_is_not_sent_to_the_cluster_that_is_preferred(
    make_napari_viewer: Callable[..., Any], compute: Child, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_group", lambda: SimpleNamespace(cluster="tcp://10.0.0.1:8786", tiles=2))
    viewer = make_napari_viewer()
    dock = ScoringDock(viewer, compute)
    viewer.window.add_dock_widget(dock, area="right")
    dock.fields.sample.click()
    asked = request_of(dock, None)
    assert (asked.settings["scheduler"], asked.settings.get("batch")) == (None, None)
    dock.form.scheduler = "tcp://10.0.0.2:8786"
    assert request_of(dock, None).settings["scheduler"] == "tcp://10.0.0.2:8786"  # which is refused with a sentence
    viewer.close()


def test_evaluations_are_run_where_and_with_as_many_tiles_as_is_asked(monkeypatch: pytest.MonkeyPatch):
    from diffuscope.plugin.jobs import verbs

    given: dict[str, Any] = {}

    def evaluate(settings: Any) -> Iterator[Progress]:
        given.update(vars(settings))
        yield Progress(done=0, total=1, unit="cases")

    monkeypatch.setattr(verbs.diffuscope.api.evaluate, "evaluate", evaluate)
    finish(verbs.evaluate(quality="fast", samples=2, device="cpu", batch=3, cancelled=lambda: True))
    assert {key: given[key] for key in ("quality", "samples", "device", "batch")} == {
        "quality": "fast",
        "samples": 2,
        "device": "cpu",
        "batch": 3,
    }


def test_what_is_no_preference_is_the_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_group", lambda: SimpleNamespace(device=3, beside="no", results=None, tiles=True))
    assert preferences() == Preferences()
    monkeypatch.setattr(module, "_group", lambda: SimpleNamespace(device="abacus"))
    assert preferences() == Preferences()
    monkeypatch.setattr(module, "_group", lambda: None)
    form = RunForm(device="cuda")
    fill_in(form)
    assert form.device == "cuda"  # the dock's own stays
