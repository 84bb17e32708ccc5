"""The form without widgets: what is said about resolution, what is missing, where results go."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest

from diffuscope.errors import InputError
from diffuscope.jobs.settings import choose_settings
from diffuscope.model.find import model_info
from diffuscope.plugin.forms.out import suggest_out, unused
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.layers.facts import ModelFacts, SlideFacts, model_facts
from diffuscope.ports.raster import Raster
from diffuscope.sample_data import sample_path

MODEL = ModelFacts(
    name="stain",
    title="Stain",
    what_it_is="a.",
    what_it_is_not="b.",
    task="virtual staining",
    inputs=(Raster(name="H&E", key="he", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0)),),
    presets={"fast": ("dpmsolver++", 10)},
)
SLIDE = SlideFacts(name="slide.svs", path=Path("/slides/slide.svs"), mpp=0.25)


def form(**changes: object) -> RunForm:
    return RunForm(**{"slide": SLIDE, "model": MODEL, "out": "/tmp/out.ome.zarr", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "given", "words"),
    [
        (0.25, 0.0, "Found: 0.25 µm/px; the model needs 0.5: reduced 2.00×."),
        (0.499, 0.0, "Found: 0.499 µm/px; the model needs 0.5: used as it is."),
        (1.0, 0.0, "Found: 1 µm/px; the model needs 0.5: enlarged 2.00×, which adds no detail."),
        (0.25, 1.0, "Given: 1 µm/px (the file says 0.25); the model needs 0.5: enlarged 2.00×, which adds no detail."),
        (None, 0.25, "Given: 0.25 µm/px; the model needs 0.5: reduced 2.00×."),
    ],
)
def test_the_resolution_is_told(found: float | None, given: float, words: str):
    assert form(slide=replace(SLIDE, mpp=found), mpp=given).resolution_text() == words


def test_a_slide_without_resolution_is_asked_about():
    asked = form(slide=replace(SLIDE, mpp=None))
    assert "does not state its µm/px" in asked.resolution_text()
    with pytest.raises(InputError, match="Give the slide's µm/px"):
        asked.settings()
    asked.mpp = 0.25
    assert asked.settings()["mpp"] == 0.25


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"slide": None}, "Open a slide first"), ({"model": None}, "Choose a model"), ({"out": "  "}, "output folder")],
)
def test_what_is_missing_is_one_sentence(changes: dict[str, object], sentence: str):
    with pytest.raises(InputError, match=sentence):
        form(**changes).settings()


def test_settings_are_the_run_s_arguments_and_nothing_is_overridden_unasked():
    assert form(quality="fast", samples=3, seed=7).settings() == {
        "model": "stain",
        "out": Path("/tmp/out.ome.zarr"),
        "mpp": None,
        "quality": "fast",
        "sampler": None,
        "steps": None,
        "samples": 3,
        "seed": 7,
        "device": "auto",
        "scheduler": None,
    }
    advanced = form(quality="fast", sampler="ddim", steps=50).settings()
    assert (advanced["sampler"], advanced["steps"]) == ("ddim", 50)
    # a quality that draws several samples does so
    assert advanced["samples"] is None


@pytest.mark.parametrize("name", ["stain-cd3-demo", "mr-to-ct-sarcoma"])
def test_as_many_evaluations_are_foretold_as_are_run(name: str):
    """Against what a run chooses, of every quality with every sampler, with and without steps of one's own."""
    info = model_info(name)
    model, declared = model_facts(info, name), info.declared
    system = SimpleNamespace(presets=declared.presets, samplers=declared.samplers, options=(), check=lambda _: None)
    for quality, sampler, steps in product(declared.presets, ("", *declared.samplers), (0, 7)):
        asked = form(model=model, quality=quality, sampler=sampler, steps=steps)
        run = choose_settings(system, quality=quality, sampler=sampler or None, steps=steps or None)
        assert asked.evaluations == run.steps * run.samples, (quality, sampler, steps)


def test_normalisation_is_switched_off_for_a_model_that_normalises_alone():
    normalising = replace(MODEL, inputs=(replace(MODEL.inputs[0], scale="stain"),))
    assert normalising.normalises and not MODEL.normalises
    assert "normalise" not in form(model=normalising).settings()
    assert form(model=normalising, normalise=False).settings()["normalise"] is False
    assert "normalise" not in form(normalise=False).settings()


def test_a_small_cut_is_brought_there_by_the_stains_of_its_slide(tmp_path: Path):
    normalising = replace(MODEL, inputs=(replace(MODEL.inputs[0], scale="stain"),))
    (tmp_path / "slide.svs").touch()
    named = str(tmp_path / "slide.svs")
    assert form(model=normalising, stains_of=named).settings()["stains_of"] == (tmp_path / "slide.svs",)
    assert "stains_of" not in form(model=normalising).settings()
    # of what is not normalised nothing is measured
    for other in (form(stains_of=named), form(model=normalising, normalise=False, stains_of=named)):
        assert "stains_of" not in other.settings()
    assert form(model=normalising, stains_of="/no/such.svs").problem() == (
        "/no/such.svs is not there: choose the slide that this was cut from, or a folder of its cuts."
    )


def test_a_result_goes_beside_the_slide_under_a_name_of_its_own(tmp_path: Path):
    slide = replace(SLIDE, path=tmp_path / "A 1.ome.tif")
    first = suggest_out(slide, "stain-cd3")
    assert first == tmp_path / "A_1.stain-cd3.ome.zarr"
    first.mkdir()
    second = suggest_out(slide, "stain-cd3")
    assert second == tmp_path / "A_1.stain-cd3-2.ome.zarr"
    second.mkdir()
    assert unused(first).name == "A_1.stain-cd3-3.ome.zarr"


def test_results_never_go_into_the_package_nor_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sample = replace(SLIDE, path=sample_path("CMU-1-Small-Region.svs"))
    assert sample_path() not in suggest_out(sample, "stain").parents
    below = replace(SLIDE, path=sample_path("oesophagus-simulated/ct/P0000.nii.gz"))
    assert sample_path() not in suggest_out(below, "score").parents
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert tmp_path not in suggest_out(replace(SLIDE, path=tmp_path / "a.svs"), "stain").parents


def test_a_model_folder_gives_its_name_not_its_path(tmp_path: Path):
    out = suggest_out(replace(SLIDE, path=tmp_path / "a.svs"), "/models/mine")
    assert out == tmp_path / "a.mine.ome.zarr"


def test_changes_are_told():
    changed, told = form(), []
    changed.events.seed.connect(told.append)
    changed.seed = 5
    assert told == [5]
