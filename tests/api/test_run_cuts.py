"""Small cuts of a slide: their H&E is measured on the slide, or on all cuts of it, and else the user is told."""

from __future__ import annotations

import csv
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from model_card import CARD
from PIL import Image
from standins import SYSTEMS, row
from typer.testing import CliRunner

import diffuscope as verbs
from diffuscope import stains
from diffuscope.api.evaluate import Settings, evaluate
from diffuscope.cases import find_cases
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.features import RandomConvFeatures
from diffuscope.events import finish
from diffuscope.model.folder import save_model
from diffuscope.results.result import open_result
from diffuscope.stains import StainStatistics, measure_stains, normalise
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system
from diffuscope.training.data.crops import crops_of
from diffuscope.training.recipe_data import Cases
from tests.conftest import MPP

SIDE = 256
CORNERS = [(y, x) for y in (0, SIDE) for x in (0, SIDE)]
TAKEN = f" (taken for {MPP:.4g} µm/px)"
HOW = ("--device", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def pixels(small_slide: Path) -> np.ndarray:
    return tifffile.imread(small_slide)


@pytest.fixture(scope="module")
def statistics(pixels: np.ndarray) -> StainStatistics:
    """Of the whole slide."""
    found = measure_stains([pixels[y : y + SIDE, x : x + SIDE] for y, x in CORNERS], mpp=MPP)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def cuts(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The slide in four pictures that do not say their µm/px, each with a brown one, and tables of them."""
    folder = tmp_path_factory.mktemp("cuts")
    for key in ("he", "ihc"):
        (folder / key).mkdir()
        for number, (y, x) in enumerate(CORNERS):
            picture = Image.fromarray(pixels[y : y + SIDE, x : x + SIDE])
            picture.save(folder / key / f"c{number}.png")
    for name, slide in (("of-a-slide.csv", "s"), ("of-nothing.csv", "")):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["case", "part", "slide", "he", "ihc"])
            for number, part in enumerate(("train", "train", "validation", "test")):
                table.writerow([f"c{number}", part, slide, f"he/c{number}.png", f"ihc/c{number}.png"])
    return folder


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that gives back the H&E that it was given."""
    monkeypatch.setitem(registry._ROWS, "echo", row(SYSTEMS["echo"]))
    return save_model(tmp_path / "echo", SYSTEMS["echo"](), "echo", {}, CARD)


def go(model: Path, cut: Path, out: Path, **options) -> np.ndarray:
    how = {"device": "cpu", "threads": 1, "mpp": MPP, "region": f"0,0,{SIDE},{SIDE}"}
    list(verbs.run(model, cut, out, **{**how, **options}))
    return main_of(out)


def main_of(out: Path) -> np.ndarray:
    result = open_result(out)
    return np.asarray(result.images[result.ports[0].key][0])


def told(out: Path) -> str:
    [notice] = [notice for notice in open_result(out).record["notices"] if "stains" in notice]
    return notice


@pytest.mark.parametrize("beside", ["slide", "folder"])
def test_a_cut_has_the_pixels_of_its_slide(tmp_path, echo, cuts, small_slide, pixels, statistics, beside):
    named = small_slide if beside == "slide" else cuts / "he"
    found = go(echo, cuts / "he" / "c0.png", tmp_path / "out", stains_of=[named])
    np.testing.assert_array_equal(found, normalise(pixels, statistics)[:SIDE, :SIDE])
    stated = open_result(tmp_path / "out").record["inputs"]["he"]["stains"]
    # What does not say its µm/px is named with those that it is taken for.
    names = ["small.ome.tif"] if beside == "slide" else [f"c{number}.png{TAKEN}" for number in range(4)]
    assert stated["measured_on"] == names
    assert f"by the stains of {names[0]}" in told(tmp_path / "out")
    alone = go(echo, cuts / "he" / "c0.png", tmp_path / "alone")
    assert np.abs(alone.astype(int) - found).mean() > 2
    assert "so small a cut" in told(tmp_path / "alone") and "--stains-of" in told(tmp_path / "alone")


def test_a_large_picture_stands_for_itself(tmp_path, echo, pixels):
    large = tmp_path / "large.png"
    Image.fromarray(np.concatenate([np.concatenate([pixels] * 2)] * 2, axis=1)).save(large)  # 511 µm
    go(echo, large, tmp_path / "out")
    assert "of the whole slide" in told(tmp_path / "out")


def test_the_command_of_the_record_makes_it_again_and_a_resumed_run_needs_not_be_told(
    tmp_path, echo, cuts, monkeypatch
):
    cut = cuts / "he" / "c1.png"
    whole = go(echo, cut, tmp_path / "out", stains_of=[cuts / "he" / "c0.png", cuts / "he" / "c3.png"])
    words = shlex.split(open_result(tmp_path / "out").record["command"])
    assert [words[at + 1] for at, word in enumerate(words) if word == "--stains-of"] == ["c0.png", "c3.png"]
    words[2], words[words.index("-o") + 1] = str(echo), str(tmp_path / "again")
    monkeypatch.chdir(cuts / "he")
    found = CliRunner().invoke(app, [*words[1:]])
    assert found.exit_code == 0, found.output
    np.testing.assert_array_equal(main_of(tmp_path / "again"), whole)
    done: list[object] = []
    how = {"device": "cpu", "threads": 1, "mpp": MPP, "region": f"0,0,{SIDE},{SIDE}"}
    both = {"stains_of": [cuts / "he" / "c0.png", cuts / "he" / "c3.png"]}
    done.extend(verbs.run(echo, cut, tmp_path / "half", **how, **both, cancelled=lambda: len(done) > 8))
    assert not open_result(tmp_path / "half").complete
    with pytest.raises(InputError, match="was begun with input"):
        go(echo, cut, tmp_path / "half", resume=True, stains_of=[cuts / "he" / "c2.png"])
    np.testing.assert_array_equal(go(echo, cut, tmp_path / "half", resume=True), whole)


def test_many_cuts_are_run_by_the_stains_of_one_slide(tmp_path, echo, cuts, small_slide, pixels, statistics):
    words = ["run", str(echo), str(cuts / "he"), "-o", str(tmp_path / "many"), "--mpp", str(MPP), *HOW]
    found = CliRunner().invoke(app, [*words, "--stains-of", str(small_slide), "--region", f"0,0,{SIDE},{SIDE}"])
    assert found.exit_code == 0, found.output
    for number, (y, x) in enumerate(CORNERS):
        wanted = normalise(pixels, statistics)[y : y + SIDE, x : x + SIDE]
        np.testing.assert_array_equal(main_of(tmp_path / "many" / f"c{number}.ome.zarr"), wanted)
    assert "--stains-of small.ome.tif" in (tmp_path / "many" / "summary.json").read_text(encoding="utf-8")


def test_what_is_measured_together_is_measured_once_and_anew_where_a_picture_changed(
    tmp_path, echo, cuts, pixels, monkeypatch
):
    measured = []
    monkeypatch.setattr(stains, "measure_stains", lambda *of, **how: measured.append(of) or measure_stains(*of, **how))
    beside = shutil.copytree(cuts / "he", tmp_path / "he")
    first, second = (go(echo, cuts / "he" / "c0.png", tmp_path / name, stains_of=[beside]) for name in "ab")
    np.testing.assert_array_equal(first, second)
    assert len(measured) == 1
    Image.fromarray(pixels[SIDE:, SIDE:] // 2).save(beside / "c3.png")
    third = go(echo, cuts / "he" / "c0.png", tmp_path / "c", stains_of=[beside])
    assert len(measured) == 2 and (third != first).any()
    go(echo, cuts / "he" / "c0.png", tmp_path / "d", stains_of=[beside], mpp=2 * MPP)
    assert len(measured) == 3


def test_what_cannot_be_measured_on_is_refused_in_a_sentence(tmp_path, echo, tiny_model, cuts):
    cut, out = cuts / "he" / "c0.png", tmp_path / "out"
    (tmp_path / "empty").mkdir()
    for name, value, shape in (("grey", 200, (64, 64)), ("pink", (225, 150, 190), (64, 64, 3))):
        Image.fromarray(np.broadcast_to(np.uint8(value), shape).copy()).save(tmp_path / f"{name}.png")
    for model, options, said in (
        (echo, {"stains_of": [tmp_path / "empty"]}, "holds no picture"),
        (echo, {"stains_of": [tmp_path / "grey.png"]}, "no 8-bit colour picture"),
        (echo, {"stains_of": [tmp_path / "pink.png"]}, "shows no nucleus"),
        (echo, {"stains_of": [tmp_path / "gone.png"]}, "gone.png"),
        (echo, {"stains_of": [cut], "normalise": False}, "leave out --stains-of"),
        (tiny_model, {"stains_of": [cut]}, "leave out --stains-of"),
    ):
        with pytest.raises(InputError, match=said):
            go(model, cut, out, **options)
    assert not out.exists()


@pytest.mark.parametrize(("table", "alone"), [("of-a-slide.csv", False), ("of-nothing.csv", True)])
def test_cuts_of_one_slide_train_by_its_stains(cuts, pixels, statistics, table, alone):
    system = build_system("staindiffuser", {"stain": "CD3", "size": "tiny", "T": 20, "normalise": True})
    cases = find_cases(cuts / table, ["he", "ihc"])
    parts = {part: [case for case in cases if case.part == part] for part in ("train", "validation", "test")}
    settings = Cases(path=".", mpp=MPP, stain_augmentation=False, tissue=0.0)
    data = crops_of(parts, settings, system, seed=0, batch=2, side=SIDE)
    [held] = data.validation
    wanted = normalise(pixels, statistics)[SIDE:, :SIDE].transpose(2, 0, 1)
    assert np.array_equal(held["he"][0].numpy(), wanted) is not alone
    assert ["3 pictures, c0.png first" in notice for notice in data.notices] == [True] * alone


def test_an_evaluation_runs_cuts_of_one_slide_by_its_stains(tmp_path, cuts, statistics, monkeypatch):
    monkeypatch.setattr(RandomConvFeatures, "_CHANNELS", (3, 4, 4, 4, 4))
    monkeypatch.setattr(RandomConvFeatures, "dimension", 32)
    config = {"stain": "CD3", "size": "tiny", "T": 1000, "normalise": True}
    model = save_model(tmp_path / "tiny", build_system("staindiffuser", config), "staindiffuser", config, CARD)
    how = Settings(steps=1, device="cpu", threads=1)
    [case] = finish(evaluate(model, cuts / "of-a-slide.csv", tmp_path / "out", settings=how, mpp=MPP)).report["cases"]
    stated = StainStatistics.from_json(case["run"]["inputs"]["he"]["stains"])
    assert stated.measured_on == tuple(f"c{number}.png{TAKEN}" for number in range(4))
    assert stated.summary == statistics.summary
