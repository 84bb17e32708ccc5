"""The contract: a system of a few lines is run, recorded, repeated, exported and listed by its declaration alone."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import tifffile
import toys
from model_card import CARD
from scipy import stats
from typer.testing import CliRunner

import diffuscope
from diffuscope.cli import app
from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.engine.events import Step
from diffuscope.errors import InputError
from diffuscope.model.folder import save_model
from diffuscope.results.scores import write_scores
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write the model folder of a toy among the user's models."""
    monkeypatch.setattr("diffuscope.model.find.user_folder", lambda: tmp_path / "models")

    def make(name: str) -> str:
        monkeypatch.setitem(registry._ROWS, name, toys.ROWS[name])
        save_model(tmp_path / "models" / f"toy-{name}", build_system(name, {}), name, {}, CARD)
        return f"toy-{name}"

    return make


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """A picture of 100 x 90 px, dark on the left."""
    pixels = np.full((90, 100, 3), 200, np.uint8)
    pixels[:, :40] = (40, 60, 80)
    path = tmp_path / "picture.ome.tif"
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(path, pixels, photometric="rgb", metadata={"axes": "YXS", **size})
    return path


def call(*arguments: object):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def lines_of(source: str, start: str) -> Iterator[str]:
    """The lines of a toy from its comment on, without blank ones."""
    part = source.partition(start)[2].partition("# ---")[0]
    return (line for line in part.splitlines()[1:] if line.strip() and not line.startswith("#"))


def test_a_toy_is_at_most_20_lines_with_its_declaration():
    source = inspect.getsource(toys)
    assert len(list(lines_of(source, "# --- an image in"))) <= 20
    assert len(list(lines_of(source, "# --- a text in"))) <= 20


def test_an_image_and_a_score_come_out_and_the_record_makes_them_again(toy, slide: Path, tmp_path: Path):
    model, out = toy("negative"), tmp_path / "out.ome.zarr"
    done = call("run", model, "--input", f"he={slide}", "--input", "patient=age=30,sex=f", "-o", out,
                "--region", "0,0,100,90", "--device", "cpu")  # fmt: skip
    assert done.exit_code == 0, done.output
    result = diffuscope.open_result(out)
    found = np.asarray(result.images["negative"][0])
    np.testing.assert_array_equal(found, 255 - tifffile.imread(slide))
    score = result.scores["light"]
    # Of each tile its mean over 255 and a quarter for the age, white beyond the picture; of the slide the tiles' mean.
    white = np.full((160, 160, 3), 255.0)
    white[:90, :100] = tifffile.imread(slide)
    tiles = [white[y : y + 64, x : x + 64].mean() / 255 for y in (0, 48) for x in (0, 48, 96)]
    assert score.mean == pytest.approx(np.mean([min(one + 0.25, 1.0) for one in tiles]), abs=1e-6)
    assert score.decision == "bright" and f"{score.mean:.2f}" in done.output
    assert result.record["inputs"]["patient"] == {"row": {"age": 30.0, "sex": "f"}}
    command = shlex.split(result.record["command"])
    again = tmp_path / "again.ome.zarr"
    command[command.index("-o") + 1] = str(again)
    command = [f"he={slide}" if part == f"he={slide.name}" else part for part in command[1:]]
    repeated = call(*command)
    assert repeated.exit_code == 0, repeated.output
    np.testing.assert_array_equal(np.asarray(diffuscope.open_result(again).images["negative"][0]), found)
    assert diffuscope.open_result(again).scores["light"].samples == score.samples


def test_a_result_with_a_score_is_exported_and_listed(toy, slide: Path, tmp_path: Path):
    model, out = toy("negative"), tmp_path / "out.ome.zarr"
    diffuscope.finish(diffuscope.run(model, slide, out, device="cpu", region="0,0,100,90"))
    told = diffuscope.open_result(out).scores["light"].mean
    assert told == pytest.approx(diffuscope.open_result(out).values.arrays["light"][..., -1].mean())
    diffuscope.finish(diffuscope.export(out, tmp_path / "out.ome.tif"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.ome.tif"), 255 - tifffile.imread(slide))
    listed = call("models").output
    assert f"{model}: {CARD['title']}" in listed and "H&E, patient → negative" in listed and "Photography" in listed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("age=old", "is a number, not “old”"),
        ("age=130", "lies between 0 and 120"),
        ("sex=x", "one of f, m"),
        ("weight=70", "no column “weight”"),
        ("nowhere.csv", "is no file"),
    ],
)
def test_a_row_that_is_wrong_is_refused_in_a_sentence(toy, slide: Path, tmp_path: Path, given: str, message: str):
    done = call("run", toy("negative"), "--input", f"he={slide}", "--input", f"patient={given}", "-o", tmp_path / "out")
    assert done.exit_code == 2 and message in done.output and not (tmp_path / "out").exists()


def test_a_row_of_a_file_is_chosen_by_its_first_column(toy, slide: Path, tmp_path: Path):
    table = tmp_path / "cohort.csv"
    table.write_text("case,age,sex\nP1,60,f\nP2,,m\n", encoding="utf-8")
    out = tmp_path / "out.ome.zarr"
    source = {"he": slide, "patient": f"{table}#P2"}
    diffuscope.finish(diffuscope.run(toy("negative"), source, out, device="cpu", region="0,0,64,64"))
    assert diffuscope.open_result(out).record["inputs"]["patient"] == {"row": {"age": None, "sex": "m"}}
    with pytest.raises(InputError, match="has 2 rows: say which one"):
        diffuscope.run("toy-negative", {"he": slide, "patient": table}, tmp_path / "other", device="cpu")


def test_another_package_brings_a_system_as_an_entry_point(slide: Path, tmp_path: Path, monkeypatch):
    point = EntryPoint("negative", "toys:ROW", "diffuscope.systems")
    monkeypatch.setattr(toys, "ROW", toys.ROWS["negative"], raising=False)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    registry._offered.cache_clear()
    try:
        model = save_model(tmp_path / "negative", build_system("negative", {}), "negative", {}, CARD)
        diffuscope.finish(diffuscope.run(model, slide, tmp_path / "out", device="cpu", region="0,0,64,64"))
        assert diffuscope.open_result(tmp_path / "out").complete
        with pytest.raises(InputError, match="there is a system 'negative' already"):
            registry.register_system("negative", toys.ROWS["negative"])
    finally:
        registry._offered.cache_clear()
    with pytest.raises(InputError, match="asks for the system 'nowhere'"):
        build_system("nowhere", {})


def test_only_what_is_wanted_is_written(toy, slide: Path, tmp_path: Path):
    out = tmp_path / "out.ome.zarr"
    events = diffuscope.run(toy("negative"), slide, out, device="cpu", region="0,0,64,64", want=("negative",))
    diffuscope.finish(events)
    result = diffuscope.open_result(out)
    assert list(result.images) == ["negative"] and not result.scores and result.record["parameters"]["wanted"]
    with pytest.raises(InputError, match="there is no output “red”"):
        diffuscope.run("toy-negative", slide, tmp_path / "other", device="cpu", want=("red",))


def test_a_whole_case_a_text_in_a_score_out(toy, tmp_path: Path):
    model, out = toy("mood"), tmp_path / "out.ome.zarr"
    done = call("run", model, "--input", "report=a good day", "-o", out, "--device", "cpu", "--seed", "7")
    assert done.exit_code == 0, done.output
    result = diffuscope.open_result(out)
    drawn = CaseNoise(7)("mood", sample=0, step=0, shape=(3,)).numpy()
    np.testing.assert_allclose(result.scores["mood"].samples, np.clip(0.9 + 0.1 * drawn, 0, 1), atol=1e-6)
    assert result.complete and not result.images and result.scores["mood"].decision == "glad"
    assert "mood: glad" in done.output
    assert result.record["command"].startswith("diffuscope run toy-mood -o out.ome.zarr --input 'report=a good day'")
    exported = call("export", out, "-o", tmp_path / "out.ome.tif")
    assert exported.exit_code == 2 and "no image" in exported.output


def test_scores_that_are_damaged_are_said(toy, tmp_path: Path):
    out = tmp_path / "out.ome.zarr"
    diffuscope.finish(diffuscope.run(toy("mood"), {"report": "a day"}, out, device="cpu"))
    (out / "scores.json").write_text('{"mood": [0.1', encoding="utf-8")
    with pytest.raises(InputError, match=r"out.ome.zarr is damaged"):
        diffuscope.open_result(out)


def test_a_score_that_is_no_probability_is_not_kept(tmp_path: Path):
    write_scores(tmp_path, {"light": [0.0, 1.0, float("nan")]})
    with pytest.raises(ValueError, match=r"'light' is 1.5"):
        write_scores(tmp_path, {"light": [0.2, 1.5]})


def test_a_table_with_a_line_too_long_is_said(toy, slide: Path, tmp_path: Path):
    table = tmp_path / "cohort.csv"
    table.write_text("case,age,sex\nP1,60,f,extra\n", encoding="utf-8")
    with pytest.raises(InputError, match="more values than the first line has names"):
        diffuscope.run(toy("negative"), {"he": slide, "patient": f"{table}#P1"}, tmp_path / "out", device="cpu")


def test_a_whole_case_reports_its_steps_and_is_cancelled_and_resumed(toy, tmp_path: Path):
    model, out = toy("mood"), tmp_path / "out.ome.zarr"
    source = {"report": "a day"}
    seen = list(diffuscope.run(model, source, out, device="cpu"))
    assert [round(one.part, 2) for one in seen if isinstance(one, Step)] == [0.5, 1.0]
    whole = diffuscope.open_result(out).scores["mood"].samples
    cut = tmp_path / "cut.ome.zarr"
    events = diffuscope.run(model, source, cut, device="cpu", cancelled=iter([False, True, True]).__next__)
    assert not diffuscope.finish(events).complete and not diffuscope.open_result(cut).scores
    diffuscope.finish(diffuscope.run(model, source, cut, device="cpu", resume=True))
    assert diffuscope.open_result(cut).scores["mood"].samples == whole
    with pytest.raises(InputError, match="is complete"):
        diffuscope.run(model, source, cut, device="cpu", resume=True)


def test_what_a_whole_case_lacks_is_said(toy, slide: Path, tmp_path: Path):
    model = toy("mood")
    with pytest.raises(InputError, match="report is missing"):
        diffuscope.run(model, {}, tmp_path / "out")
    with pytest.raises(InputError, match="whole cases"):
        diffuscope.run(model, {"report": "x"}, tmp_path / "out", region="0,0,4,4")
    with pytest.raises(InputError, match="takes a case at once"):
        diffuscope.run(model, {"report": "x"}, tmp_path / "out", workers=2)


def test_noise_of_a_case_is_normal_and_a_function_of_its_index():
    noise = CaseNoise(3)
    long = noise("x", sample=1, step=2, shape=(100_003,))
    np.testing.assert_array_equal(noise("x", sample=1, step=2, shape=(7, 11)).ravel(), long[:77])
    assert stats.kstest(long.numpy(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(long[:-1], long[1:])[0, 1]) < 0.015
    for other in (
        CaseNoise(4)("x", sample=1, step=2, shape=(100_003,)),
        noise("y", sample=1, step=2, shape=(100_003,)),
    ):
        assert abs(np.corrcoef(long, other)[0, 1]) < 0.015
