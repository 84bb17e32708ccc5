"""What is set in napari's preferences holds for docks and for where results go."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from diffuscope.plugin.forms.out import suggest_out
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.layers.facts import SlideFacts
from diffuscope.plugin.settings import preferences as module
from diffuscope.plugin.settings.preferences import Preferences, fill_in, preferences

pytest.importorskip("napari")


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


def test_what_is_no_preference_is_the_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_group", lambda: SimpleNamespace(device=3, beside="no", results=None))
    assert preferences() == Preferences()
    monkeypatch.setattr(module, "_group", lambda: None)
    form = RunForm(device="cuda")
    fill_in(form)
    assert form.device == "cuda"  # the dock's own stays
