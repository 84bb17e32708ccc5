"""What a dock was last run with is there in the next window, as far as it still holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from diffuscope.plugin.docks.kinds import NANOPARTICLES, STAINING
from diffuscope.plugin.forms.out import folder_text, suggest_out
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.layers.facts import ModelFacts, SlideFacts
from diffuscope.plugin.settings import kept
from diffuscope.sample_data import sample_path

MODEL = ModelFacts(
    name="stain",
    title="Stain",
    what_it_is="",
    what_it_is_not="",
    task="virtual staining",
    inputs=(),
    presets={"fast": ("ddim", 10), "fine": ("ddim", 50)},
)


def test_a_dock_is_as_it_was_last_run():
    kept.keep(RunForm(kind=STAINING, model=MODEL, quality="fine", samples=3, seed=7, device="cpu", region="tissue"))
    kept.keep(RunForm(kind=NANOPARTICLES, model=replace(MODEL, name="nano"), samples=1))
    form = RunForm(kind=STAINING)
    assert kept.last_model(form, [replace(MODEL, name="other"), MODEL]) == MODEL
    form.model = MODEL
    kept.take_up(form)
    assert (form.quality, form.samples, form.device, form.region) == ("fine", 3, "cpu", "tissue")
    assert form.seed == 0  # belongs to one run


@pytest.mark.parametrize(
    "last", [{"quality": "gone"}, {"samples": "3"}, {"device": "abacus"}, {"region": "volume"}, {"quality": 4}]
)
def test_what_no_longer_holds_is_left_as_it_is(last: dict[str, object]):
    form = RunForm(kind=STAINING, model=MODEL, quality="fast")
    kept.kept_file().write_text(json.dumps({STAINING.title: {"model": "stain", **last}}))
    kept.take_up(form)
    assert (form.quality, form.samples, form.device, form.region) == ("fast", 0, "auto", "view")


@pytest.mark.parametrize("text", ["", "[]", '{"Virtual staining": 3}'])
def test_a_file_that_is_none_is_as_if_nothing_was_kept(text: str):
    kept.kept_file().write_text(text)
    assert kept.last_model(RunForm(kind=STAINING), [MODEL]) is None
    kept.keep(RunForm(kind=STAINING, model=MODEL))
    assert kept.last_model(RunForm(kind=STAINING), [MODEL]) == MODEL


def test_results_of_samples_go_to_a_folder_that_lasts_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = sample_path("CMU-1-Small-Region.svs")
    found = suggest_out(SlideFacts(name=path.name, path=path, mpp=0.5), "stain")
    assert found.parent.name == "Diffuscope" and found.parent.parent.name == "Documents"
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    told = folder_text(str(tmp_path / "a & b" / "out.ome.zarr")).replace("\u200b", "")
    assert told == "in ~/a &amp; b" and folder_text(" ") == ""
