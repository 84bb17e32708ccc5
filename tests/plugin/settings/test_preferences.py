"""What is set in napari's preferences holds for docks and for where results go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.plugin.docks.asking import request_of
from diffuscope.plugin.docks.stain import StainDock
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
    viewer.close()


def test_what_is_no_preference_is_the_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_group", lambda: SimpleNamespace(device=3, beside="no", results=None, tiles=True))
    assert preferences() == Preferences()
    monkeypatch.setattr(module, "_group", lambda: None)
    form = RunForm(device="cuda")
    fill_in(form)
    assert form.device == "cuda"  # the dock's own stays
