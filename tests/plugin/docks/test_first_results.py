"""A new user in each dock: from an empty napari to a result in six clicks, with mouse and keyboard alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import SECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from diffuscope.plugin.forms import out
from diffuscope.plugin.forms.evaluate import EvaluateForm
from diffuscope.plugin.forms.many import ManyFields
from diffuscope.plugin.forms.train import TrainForm
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.compute import compute_of
from diffuscope.plugin.layers.facts import is_result
from diffuscope.plugin.settings import kept
from diffuscope.plugin.settings.recent import recent
from diffuscope.results.result import open_result
from docs_scripts.first_results.hand import Hand, keep_alive
from docs_scripts.first_results.scripts import SCRIPTS

pytestmark = [pytest.mark.gui, pytest.mark.slow]

#: What is there in the end: files below the folder that is exported to, and below that of results.
LEFT = {
    "Virtual staining": ["stain.ome.tif"],
    "Nanoparticle distribution": ["particles.ome.tif"],
    "Modality translation": ["ct.nii.gz"],
    "Lymph-node scoring": ["report.pdf"],
    "Text and images": ["images.ome.tif"],
    "Many slides": ["Documents/samples/slides-stain-cd3-demo/summary.html"],
    "Train": ["Documents/samples/pairs/pairs-model/model.safetensors"],
    "Register": ["Documents/samples/section/*registered.ome.zarr/transform.json"],
    "Evaluate": ["Documents/samples/pairs/pairs-report/*.html"],
}


@pytest.mark.parametrize("title", SCRIPTS)
def test_a_first_result_takes_six_clicks_at_most(
    title: str,
    make_napari_viewer: Callable[..., Any],
    compute: Child,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(out, "results_folder", lambda: tmp_path / "Documents")
    # How well a picture is drawn is not what is tried here: one evaluation a tile, as who chose that last time has it.
    quickly = {"Virtual staining": "stain-cd3-demo", "Modality translation": "mr-to-ct-sarcoma"}
    chosen = {dock: {"model": model, "quality": "mean"} for dock, model in quickly.items()}
    kept.kept_file().write_text(json.dumps(chosen))
    for form in (ManyFields, EvaluateForm):
        monkeypatch.setattr(form, "arguments", _with_mean(form.arguments))
    monkeypatch.setattr(TrainForm, "recipe", _with_few_crops(TrainForm.recipe))
    viewer = make_napari_viewer()
    viewer.window.show()
    viewer.window._qt_window.resize(1280, 800)
    compute_of(viewer, compute)
    hand = Hand(viewer, keep_alive(SECONDS))
    clicks = SCRIPTS[title](hand, tmp_path)
    assert clicks <= 3 if title == "Welcome" else clicks <= 6, hand.steps
    for name in LEFT.get(title, ()):
        assert list(tmp_path.glob(name)), (name, sorted(tmp_path.rglob("*"))[:30])
    if title == "Virtual staining":
        [result] = recent()
        assert open_result(result).complete and any(is_result(layer) for layer in viewer.layers)
    viewer.close()


def _with_mean(arguments: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """Return what a form says, as of a user who chose that quality."""
    return lambda form: arguments(form) | {"quality": "mean"}


def _with_few_crops(recipe: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """Return a form's recipe with one crop a step, and one validation."""

    def few(form: Any) -> dict[str, Any]:
        whole = recipe(form)
        return whole | {"optimisation": whole["optimisation"] | {"batch": 1, "validations": 1}}

    return few
