"""Many slides at once: bad ones among them, cancelled, killed and gone on with, in one table and one page."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import any_toys
import numpy as np
import pytest
import tifffile
from model_card import CARD
from patience import SECONDS
from score_model import write_model, write_patients
from standins import SYSTEMS, row
from typer.testing import CliRunner

from diffuscope import finish, open_result, run, run_many
from diffuscope.api.events import RanMany
from diffuscope.cases.slides import Slide
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.model.folder import save_model
from diffuscope.sample_data import sample_path
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system

HOW = {"device": "cpu", "threads": 1, "normalise": False}


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that gives back the H&E that it was given."""
    monkeypatch.setitem(registry._ROWS, "echo", row(SYSTEMS["echo"]))
    return save_model(tmp_path / "echo", SYSTEMS["echo"](), "echo", {}, CARD)


def write_slides(folder: Path, count: int, side: int = 128) -> Path:
    """Write small slides of tissue, and three that are none."""
    folder.mkdir()
    tissue = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
    options = {"tile": (64, 64), "photometric": "rgb", "compression": "zlib", "metadata": {"axes": "YXS", **size}}
    for number in range(count - 3):
        y = 900 + 10 * number
        tifffile.imwrite(folder / f"s{number:02}.ome.tif", tissue[y : y + side, 900 : 900 + side], **options)
    (folder / "text.svs").write_text("no slide")
    (folder / "empty.tif").write_bytes(b"")
    whole = (folder / "s00.ome.tif").read_bytes()
    (folder / "cut.ome.tif").write_bytes(whole[: len(whole) // 2])
    return folder


def table_of(out: Path) -> list[dict[str, str]]:
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_status(out: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in table_of(out):
        found.setdefault(one["status"], []).append(one["slide"])
    return found


def test_bad_slides_do_not_stop_the_others(tmp_path: Path, echo: Path, assert_same: Callable[[Path, Path], None]):
    slides = write_slides(tmp_path / "slides", 5)
    out = tmp_path / "out"
    events = list(run_many(echo, slides, out, **HOW))
    end = events[-1]
    assert isinstance(end, RanMany)
    assert (end.slides, end.done, end.failed, end.complete) == (5, 2, 3, True)
    assert by_status(out) == {"failed": ["cut", "empty", "text"], "done": ["s00", "s01"]}
    errors = {one["slide"]: one["error"] for one in table_of(out)}
    assert errors["text"].startswith("text.svs is no SVS") and errors["s00"] == ""
    # Told once, as the slide's own.
    told = [event.sentence for event in events if isinstance(event, Notice)]
    assert [sum(one.startswith(f"{name}: ") for one in told) for name in ("cut", "empty", "text")] == [1, 1, 1]
    assert [event.done for event in events if isinstance(event, Progress)][-1] == 5
    # What a run of the slide alone gives.
    finish(run(echo, slides / "s01.ome.tif", tmp_path / "alone.ome.zarr", **HOW))
    assert_same(out / "s01.ome.zarr", tmp_path / "alone.ome.zarr")


def test_the_page_needs_nothing_else_and_says_what_it_is(tmp_path: Path, echo: Path):
    out = tmp_path / "out"
    finish(run_many(echo, write_slides(tmp_path / "<b>slides", 4), out, **HOW))
    page = (out / "summary.html").read_text(encoding="utf-8")
    assert "not for diagnosis" in page and "made by a model" in page
    assert page.count("<img ") == page.count('src="data:image/jpeg;base64,') == 1
    assert not re.search(r"https?:|href=|<script|<link|url\(|<b>", page)
    assert "3 could not be run over: cut, empty, text" in page


def test_what_is_done_stays_as_it_is_and_what_failed_is_tried_again(tmp_path: Path, echo: Path):
    slides, out = write_slides(tmp_path / "slides", 5), tmp_path / "out"
    finish(run_many(echo, slides, out, **HOW))
    before = (out / "s00.ome.zarr" / ".zattrs").stat().st_mtime_ns
    (slides / "text.svs").write_bytes((slides / "s01.ome.tif").read_bytes())
    end = finish(run_many(echo, slides, out, resume=True, **HOW))
    assert (end.done, end.failed) == (3, 2)
    assert (out / "s00.ome.zarr" / ".zattrs").stat().st_mtime_ns == before


def test_a_slide_that_is_another_one_now_is_told(tmp_path: Path, echo: Path):
    slides, out = write_slides(tmp_path / "slides", 5), tmp_path / "out"
    finish(run_many(echo, slides, out, **HOW))
    (slides / "s00.ome.tif").write_bytes((slides / "s01.ome.tif").read_bytes())
    end = finish(run_many(echo, slides, out, resume=True, **HOW))
    assert next(one["error"] for one in end.rows if one["slide"] == "s00").startswith("s00.ome.zarr is of another s00")
    # One that is not at hand any more is no other.
    (slides / "s01.ome.tif").unlink()
    here = [Slide(name="s01", source=slides / "s01.ome.tif")]
    assert finish(run_many(echo, here, out, resume=True, **HOW)).done == 1
    here = [Slide(name="s01", source=slides / "s01.ome.tif", region="0,0,32,32")]
    (told,) = finish(run_many(echo, here, out, resume=True, **HOW)).rows
    assert "is of all tissue, and 0,0,32,32 is asked for" in told["error"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 4, "resume": True}, "out was begun with seed 0 and this run asks for 4"),
        ({"region": "0,0,32,32", "resume": True}, "begun with region None"),
        ({"normalise": True, "resume": True}, "begun with normalise False"),
        ({}, "exists already: say --resume"),
        ({"overwrite": True, "resume": True}, "choose one"),
    ],
)
def test_another_run_is_not_gone_on_with(tmp_path: Path, echo: Path, change: dict[str, object], words: str):
    slides, out = write_slides(tmp_path / "slides", 4), tmp_path / "out"
    finish(run_many(echo, slides, out, **HOW))
    before = (out / "summary.csv").read_text()
    with pytest.raises(InputError, match=words):
        run_many(echo, slides, out, **{**HOW, **change})
    assert (out / "summary.csv").read_text() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": -1}, "seed must be at least 0"),
        ({"want": ["nothing"]}, 'no output "nothing"'),
        ({"region": "here"}, 'region "here" is not understood'),
        ({"device": "abacus"}, "abacus"),
        ({"quality": "none"}, 'no quality "none"'),
        ({"steps": 0}, "steps must be at least 1"),
        ({"mpp": float("nan")}, "µm/px must be a positive number, got nan"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"workers": 1, "scheduler": "tcp://127.0.0.1:1"}, "choose one"),
    ],
)
def test_what_is_wrong_with_all_is_refused_before_anything_is_written(
    tmp_path: Path, echo: Path, change: dict[str, object], words: str
):
    slides, out = write_slides(tmp_path / "slides", 4), tmp_path / "out"
    with pytest.raises(InputError, match=words):
        run_many(echo, slides, out, **{**HOW, **change})
    assert not out.exists()


def test_only_a_folder_of_results_is_replaced(tmp_path: Path, echo: Path):
    slides, out = write_slides(tmp_path / "slides", 4), tmp_path / "out"
    finish(run_many(echo, slides, out, **HOW))
    (out / "s00.ome.zarr" / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match=r"holds s00.ome.zarr/mine.txt, which is no part"):
        run_many(echo, slides, out, overwrite=True, **HOW)
    (out / "s00.ome.zarr" / "mine.txt").unlink()
    end = finish(run_many(echo, [Slide(name="one", source=slides / "s00.ome.tif")], out, overwrite=True, seed=7, **HOW))
    assert end.done == 1
    assert sorted(path.name for path in out.iterdir()) == [
        "one.ome.zarr", "summary.csv", "summary.html", "summary.json",
    ]  # fmt: skip
    (mine := tmp_path / "mine").mkdir()
    (mine / "s00.ome.zarr").write_text("of mine")
    with pytest.raises(InputError, match="is not a folder of results of many slides and is never overwritten"):
        run_many(echo, slides, mine, overwrite=True, **HOW)
    with pytest.raises(InputError, match="which is read for it"):
        run_many(echo, slides, slides, overwrite=True, **HOW)


@pytest.mark.parametrize("by", ["folder", "project"])
def test_a_cancelled_one_goes_on(tmp_path: Path, echo: Path, by: str):
    slides, out = write_slides(tmp_path / "slides", 6), tmp_path / "out"
    if by == "project":
        slides = write_project(slides)
    end = finish(run_many(echo, slides, out, cancelled=(out / "s01.ome.zarr").exists, **HOW))
    assert not end.complete and end.done == 1
    assert by_status(out) == {
        "failed": ["cut", "empty"], "done": ["s00"], "cancelled": ["s01"], "waiting": ["s02", "text"],
    }  # fmt: skip
    assert "--resume goes on" in next(one["error"] for one in table_of(out) if one["status"] == "cancelled")
    end = finish(run_many(echo, slides, out, resume=True, **HOW))
    assert (end.done, end.failed, end.complete) == (3, 3, True)
    assert [one["slide"] for one in table_of(out) if one["error"]] == ["cut", "empty", "text"]


def test_an_error_that_nobody_foresaw_is_one_slides(tmp_path: Path, echo: Path, monkeypatch: pytest.MonkeyPatch):
    import diffuscope.api.run_many as module

    def run_once(model: Path, source: Path, out: Path, **options: object):
        if source.name.startswith("s00"):
            raise ZeroDivisionError
        return run(model, source, out, **options)

    monkeypatch.setattr(module, "run", run_once)
    end = finish(run_many(echo, write_slides(tmp_path / "slides", 5), tmp_path / "out", **HOW))
    assert end.done == 1
    (told,) = [one["error"] for one in end.rows if one["slide"] == "s00"]
    assert told.startswith("something went wrong that nobody foresaw (ZeroDivisionError")


def test_the_command_line_tells_and_leaves_its_status(tmp_path: Path, echo: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_slides(tmp_path / "slides", 4)

    def call(*words: str):
        return CliRunner().invoke(app, ["run", str(echo), *words, "--device", "cpu", "--no-normalise"])

    done = call("slides", "-o", "out")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"Wrote {Path('out/summary.csv')} (1 of 4 done, 3 failed)",
        f"Wrote {Path('out/summary.html')}",
        "Research use only; not for diagnosis.",
    ]
    done = call("slides/*.svs", "-o", "none")
    assert done.exit_code == 2 and "(0 of 1 done, 1 failed)" in done.stdout
    assert "text: text.svs is no SVS" in done.stderr


def write_project(slides: Path, mpp: float = 0.5) -> Path:
    """Write a QuPath project of all files of a folder, in which their px have been given a size."""
    side = {"value": mpp, "unit": "µm"}
    images = [
        {
            "serverBuilder": {
                "builderType": "uri",
                "uri": file.as_uri(),
                "metadata": {"pixelCalibration": {"pixelWidth": side, "pixelHeight": side}},
            },
            "entryID": number,
            "imageName": file.name,
        }
        for number, file in enumerate(sorted(slides.iterdir()), start=1)
    ]
    project = slides.parent / "project.qpproj"
    project.write_text(json.dumps({"version": "0.6.0", "uri": project.as_uri(), "images": images}), encoding="utf-8")
    return project


def test_um_per_px_are_those_of_the_project(tmp_path: Path, echo: Path):
    slides = write_slides(tmp_path / "slides", 4)
    same = finish(run_many(echo, write_project(slides), tmp_path / "same", **HOW))
    assert [one["slide"] for one in same.rows if one["status"] == "done"] == ["s00"]
    assert "µm/px" not in same.rows[2]["notices"]
    finish(run_many(echo, write_project(slides, 0.45), tmp_path / "other", **HOW))
    (row,) = [one for one in table_of(tmp_path / "other") if one["status"] == "done"]
    assert "s00.ome.tif says 0.5 µm/px; 0.45 µm/px is used, as given" in row["notices"]
    record = open_result(tmp_path / "other" / "s00.ome.zarr").record
    assert record["inputs"]["he"]["mpp"] == 0.45 and "--mpp 0.45" in record["command"]
    finish(run_many(echo, write_project(slides, 0.45), tmp_path / "asked", **{**HOW, "mpp": 0.55}))
    assert open_result(tmp_path / "asked" / "s00.ome.zarr").record["inputs"]["he"]["mpp"] == 0.55


@pytest.mark.parametrize(
    ("first", "statuses", "said"),
    [
        ((128, 96), ["failed", "done"], "QuPath shows one with 96 × 128 px and not 160 × 192 px as two.ome.tif has"),
        ((192, 160), ["failed", "failed"], "two.ome.tif holds several images of one size"),
    ],
)
def test_images_of_one_file_are_not_taken_for_each_other(
    tmp_path: Path, echo: Path, first: tuple[int, int], statuses: list[str], said: str
):
    tissue = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))
    file, images = tmp_path / "two.ome.tif", []
    with tifffile.TiffWriter(file, ome=True) as tif:
        for number, (name, (height, width), mpp) in enumerate([("one", first, 0.25), ("other", (192, 160), 0.5)]):
            size = {"PhysicalSizeX": mpp, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": mpp, "PhysicalSizeYUnit": "µm"}
            pixels = tissue[900 : 900 + height, 900 + 160 * number :][:, :width]
            tif.write(pixels, photometric="rgb", tile=(64, 64), metadata={"axes": "YXS", "Name": name, **size})
            side = {"value": mpp, "unit": "µm"}
            about = {"width": width, "height": height, "pixelCalibration": {"pixelWidth": side, "pixelHeight": side}}
            args = ["--series", str(number)]
            builder = {"builderType": "uri", "uri": file.as_uri(), "args": args, "metadata": about}
            images.append({"serverBuilder": builder, "entryID": number, "imageName": name})
    project = tmp_path / "project.qpproj"
    project.write_text(json.dumps({"uri": project.as_uri(), "images": images}), encoding="utf-8")
    done = finish(run_many(echo, project, tmp_path / "out", **HOW))
    assert [one["status"] for one in done.rows] == statuses
    assert said in done.rows[0]["error"] and "Export the image from QuPath as OME-TIFF" in done.rows[0]["error"]
    if "done" in statuses:
        assert open_result(tmp_path / "out" / "other.ome.zarr").record["inputs"]["he"]["mpp"] == 0.5


def test_a_result_at_other_um_per_px_is_not_that_of_a_corrected_table(tmp_path: Path, echo: Path):
    tissue = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))[900:1028, 900:1028]
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "s.ome.tif", tissue, photometric="rgb", metadata={"axes": "YXS", **size})
    table, out = tmp_path / "t.csv", tmp_path / "out"

    def errors(mpp: str) -> list[str]:
        table.write_text(f"file,mpp\ns.ome.tif,{mpp}\n")
        return [one["error"] for one in finish(run_many(echo, table, out, resume=True, **HOW)).rows]

    assert errors("0.45") == [""]
    assert errors("0.45001") == [""]
    way_out = "move that result away, give this slide another name, or say --overwrite to begin all again"
    assert errors("0.25") == [f"s.ome.zarr is of s.ome.tif at 0.45 µm/px, and 0.25 µm/px are asked for: {way_out}."]
    assert errors("") == [f"s.ome.zarr is of s.ome.tif at 0.45 µm/px, and 0.5 µm/px are asked for: {way_out}."]
    assert open_result(out / "s.ome.zarr").record["inputs"]["he"]["mpp"] == 0.45
    (tmp_path / "s.ome.tif").unlink()
    assert errors("0.25") == [""]


def test_a_result_of_another_channel_is_not_that_of_a_corrected_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(registry._ROWS, "fluorescence", row(SYSTEMS["fluorescence"]))
    model = save_model(tmp_path / "fluorescence", SYSTEMS["fluorescence"](), "fluorescence", {}, CARD)
    pixels = np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)
    about = {"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "Channel": {"Name": ["DAPI", "CD3", "CD31"]}}
    tifffile.imwrite(tmp_path / "s.ome.tif", pixels, photometric="minisblack", metadata=about)
    table, out = tmp_path / "t.csv", tmp_path / "out"

    def errors(nuclei: str) -> list[str]:
        table.write_text(f"name,vessels,nuclei\ns,s.ome.tif#CD31,s.ome.tif#{nuclei}\n")
        return [one["error"] for one in finish(run_many(model, table, out, resume=True, **HOW)).rows]

    assert errors("DAPI") == errors("0") == [""]
    (said,) = errors("CD3")
    assert said.startswith("s.ome.zarr is of channel DAPI of s.ome.tif, and channel CD3 is asked for: move that")


def test_a_result_of_another_patient_is_not_that_of_a_corrected_table(tmp_path: Path):
    model = write_model(tmp_path / "model")
    clinical, _ = write_patients(tmp_path)
    table, out = tmp_path / "t.csv", tmp_path / "out"

    def errors(clinical: str, blood: str = "") -> list[str]:
        table.write_text(f"name,clinical,blood\nanna,{clinical},{blood}\n")
        return [one["error"] for one in finish(run_many(model, table, out, device="cpu", resume=True)).rows]

    assert errors("clinical.csv#001") == errors("clinical.csv#001") == [""]
    # The same values, typed; then those of another, then more than there were.
    assert errors('"age=61,sex=1,site=0"') == [""]
    way_out = "move that result away, give this slide another name, or say --overwrite to begin all again"
    other = [f"anna.ome.zarr is of another clinical data than anna has now: {way_out}."]
    assert errors("clinical.csv#002") == errors("sex=1") == other
    both = f"anna.ome.zarr is of clinical data, and one of clinical data, blood is asked for: {way_out}."
    assert errors("clinical.csv#001", "blood.csv#001") == [both]
    (nobody,) = errors("clinical.csv#009")
    assert "has 0 rows whose patient_id is “009”" in nobody
    assert open_result(out / "anna.ome.zarr").record["inputs"] == {
        "clinical": {"row": {"age": 61.0, "sex": "1", "site": "0"}}
    }
    clinical.unlink()
    assert errors("clinical.csv#002") == [""]


def test_a_result_of_another_text_is_not_that_of_a_corrected_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(registry._ROWS, "any", any_toys.ROWS["any"])
    model = save_model(tmp_path / "any", build_system("any", {}), "any", {}, CARD)
    out, file = tmp_path / "out", tmp_path / "said.txt"

    def errors(text: str) -> list[str]:
        slides = [Slide(name="a", source={"report": text})]
        return [one["error"] for one in finish(run_many(model, slides, out, device="cpu", resume=True)).rows]

    file.write_text("a nodule", encoding="utf-8")
    assert errors("a nodule") == errors(f"@{file}") == [""]
    (said,) = errors("no nodule")
    assert said.startswith("a.ome.zarr is of another report than a has now: move that result away")
    file.unlink()
    assert errors(f"@{file}") == [""]


def test_um_per_px_are_assumed_of_slides_that_state_none(tmp_path: Path, echo: Path, monkeypatch: pytest.MonkeyPatch):
    slides = write_slides(tmp_path / "slides", 4)
    tifffile.imwrite(slides / "bare.tif", tifffile.imread(slides / "s00.ome.tif"), photometric="rgb")
    finish(run_many(echo, slides, tmp_path / "out", assumed_mpp=0.4, **HOW))
    used = {
        name: open_result(tmp_path / "out" / f"{name}.ome.zarr").record["inputs"]["he"]["mpp"]
        for name in ("bare", "s00")
    }
    assert used == {"bare": 0.4, "s00": 0.5}
    record = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert record["parameters"]["assumed_mpp"] == 0.4 and "--assumed-mpp 0.4" in record["command"]
    with pytest.raises(InputError, match=r"begun with assumed_mpp 0\.4"):
        run_many(echo, slides, tmp_path / "out", resume=True, **HOW)
    with pytest.raises(InputError, match="positive number, got -1"):
        run_many(echo, slides, tmp_path / "none", assumed_mpp=-1, **HOW)
    monkeypatch.chdir(tmp_path)
    how = ["--device", "cpu", "--threads", "1", "--no-normalise", "--assumed-mpp", "0.4"]
    done = CliRunner().invoke(app, ["run", str(echo), "slides/bare.tif", "-o", "one.ome.zarr", *how])
    assert done.exit_code == 2 and "--assumed-mpp is for many slides: say --mpp of one." in done.stderr


def test_a_slide_without_um_per_px_is_told_a_way_out_that_leaves_the_others_alone(tmp_path: Path, echo: Path):
    slides = write_slides(tmp_path / "slides", 4)
    tifffile.imwrite(slides / "bare.tif", tifffile.imread(slides / "s00.ome.tif"), photometric="rgb")
    finish(run_many(echo, slides, tmp_path / "out", **HOW))
    said = next(one["status"] + ": " + one["error"] for one in table_of(tmp_path / "out") if one["slide"] == "bare")
    assert said == (
        "failed: bare.tif does not say its µm/px; give that of all such slides with --assumed-mpp (in the dock: "
        "µm/px), or a column mpp in a table."
    )


def test_um_per_px_may_be_said_when_slides_that_state_none_have_failed_and_the_rest_stays(tmp_path: Path, echo: Path):
    slides, out = write_slides(tmp_path / "slides", 4), tmp_path / "out"
    tifffile.imwrite(slides / "bare.tif", tifffile.imread(slides / "s00.ome.tif"), photometric="rgb")
    finish(run_many(echo, slides, out, **HOW))
    before = open_result(out / "s00.ome.zarr").record
    done = finish(run_many(echo, slides, out, assumed_mpp=0.4, resume=True, **HOW))
    bare = open_result(out / "bare.ome.zarr").record
    assert [one["status"] for one in done.rows if one["slide"] == "bare"] == ["done"]
    assert bare["inputs"]["he"]["mpp"] == 0.4
    assert open_result(out / "s00.ome.zarr").record == before
    record = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert record["parameters"]["assumed_mpp"] == 0.4 and "--assumed-mpp 0.4" in record["command"]
    with pytest.raises(InputError, match=r"begun with assumed_mpp 0\.4 and this run asks for 0\.5"):
        run_many(echo, slides, out, assumed_mpp=0.5, resume=True, **HOW)


def test_a_pattern_is_recorded_so_that_it_is_found_again(tmp_path: Path, echo: Path, monkeypatch: pytest.MonkeyPatch):
    slides = write_slides(tmp_path / "slides", 4)
    (slides / "b").mkdir()
    (slides / "s00.ome.tif").rename(slides / "b" / "s00.ome.tif")
    for pattern, over in (("**/s*.tif", "**/s*.tif"), ("b/s*.tif", "s*.tif"), ("b", "b")):
        out = tmp_path / f"out{len(over)}"
        finish(run_many(echo, slides / pattern, out, **HOW))
        record = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        words = shlex.split(record["command"])
        assert record["over"] == words[3] == over
        words[2], words[words.index("-o") + 1] = str(echo), str(tmp_path / "again")
        monkeypatch.chdir(slides / "b" if pattern == "b/s*.tif" else slides)
        done = CliRunner().invoke(app, [*words[1:], "--device", "cpu", "--overwrite"])
        assert done.exit_code == 0, done.output
        assert [one["slide"] for one in table_of(tmp_path / "again")] == ["s00"]


def test_several_regions_of_a_slide_are_a_result_each(tmp_path: Path, echo: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_slides(tmp_path / "slides", 4)
    ring = [[64, 0], [128, 0], [128, 64], [64, 64], [64, 0]]
    about = {"objectType": "annotation", "name": "Core"}
    drawn = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": about}
    (tmp_path / "drawn.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [drawn]}))
    both = ["--region", "0,0,64,64", "--region", "drawn.geojson#Core"]
    words = [*both, "-o", "out", "--device", "cpu", "--no-normalise"]
    done = CliRunner().invoke(app, ["run", str(echo), "slides/s00.ome.tif", *words])
    assert done.exit_code == 0, done.output
    first, second = (open_result(tmp_path / "out" / f"s00 {name}.ome.zarr") for name in ("region 1", "Core"))
    assert (first.window[:2], second.window[:2]) == ((0, 0), (0, 64))
    assert [(one["slide"], one["status"]) for one in table_of(tmp_path / "out")] == [
        ("s00 region 1", "done"), ("s00 Core", "done"),
    ]  # fmt: skip
    done = CliRunner().invoke(app, ["run", str(echo), "slides", *words])
    assert done.exit_code == 2 and "several --region are of one slide" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL to send")
@pytest.mark.slow
@pytest.mark.parametrize(("by", "count", "kills"), [("folder", 20, (4, 10)), ("project", 8, (2,))])
def test_many_slides_three_of_them_bad_killed(
    tmp_path: Path, tiny_model: Path, by: str, count: int, kills: tuple[int, ...]
):
    slides, out = write_slides(tmp_path / "slides", count), tmp_path / "out"
    if by == "project":
        slides = write_project(slides)
    words = ["run", str(tiny_model), str(slides), "-o", str(out), "--steps", "1", "--device", "cpu", "--resume"]
    command, environment = [sys.executable, "-m", "diffuscope", *words], os.environ | {"OMP_NUM_THREADS": "1"}
    for least in kills:
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
        deadline = time.monotonic() + 2 * SECONDS
        try:
            while not (out / "summary.csv").is_file() or len(by_status(out).get("done", ())) < least:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
        assert len(by_status(out)["done"]) >= least and by_status(out)["waiting"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    good = count - 3
    assert f"({good} of {count} done, 3 failed)" in done.stdout
    rows = table_of(out)
    assert [one["slide"] for one in rows if one["error"]] == ["cut", "empty", "text"]
    assert len(rows) == count and all(float(one["tissue_area_mm2"]) > 0 for one in rows if one["status"] == "done")
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*(f"s{number:02}.ome.zarr" for number in range(good)), "summary.csv", "summary.html", "summary.json"]
    )
    assert all(open_result(out / f"s{number:02}.ome.zarr").complete for number in range(good))
    assert (out / "summary.html").read_text(encoding="utf-8").count("<section>") == count
