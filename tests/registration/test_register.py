"""The verb and the command: what they write, what they say, and that a failure leaves nothing behind."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from known_pair import MPP, write_slide
from PIL import Image
from typer.testing import CliRunner

import diffuscope as verbs
from diffuscope.api.register import bend_notices
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.events import finish
from diffuscope.registration import load_transform, read_warped
from diffuscope.results.result import open_result


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def landmarks(tmp_path, affine_pair):
    """Return a CSV file of known pairs that lie on both slides."""
    moving, fixed = affine_pair.points()
    rows = np.concatenate([fixed, moving], axis=1)[::40] / MPP
    path = tmp_path / "points.csv"
    np.savetxt(path, rows, delimiter=",", header="x_fixed,y_fixed,x_moving,y_moving", comments="")
    return path


@pytest.mark.slow
def test_a_pair_is_registered_measured_and_pictured(tmp_path, affine_pair, landmarks):
    out, board = tmp_path / "new" / "ihc.ome.zarr", tmp_path / "board.png"
    words = [affine_pair.fixed.path, affine_pair.moving.path, "-o", out, "--affine-only", "--landmarks", landmarks]
    done = call("register", *words, "--checkerboard", board, "--window", "100,200,800,640")
    assert done.exit_code == 0, done.output
    assert "Affine" in done.stderr and "Writing" in done.stderr
    header, information, median = done.stdout.splitlines()[:3]
    assert header.split() == ["before", "affine"]
    assert information.startswith("mutual information") and median.startswith("median error (µm)")
    before, after = map(float, median.split()[-2:])
    assert before > 20 and after < 1
    assert "rotation -" in done.stdout and f"Wrote {out}" in done.stdout

    result = open_result(out)
    record = result.record
    assert list(record["inputs"]) == ["fixed", "moving"]
    assert record["inputs"]["moving"]["fingerprint"] == affine_pair.moving.fingerprint
    assert record["figures"]["affine"]["median error (µm)"] == pytest.approx(after, rel=0.01)
    assert record["versions"]["SimpleITK"] != "not installed" and "not for diagnosis" in record["note"]
    assert "diffuscope register he.ome.tif turned.ome.tif" in call("info", out).stdout
    transform, same = load_transform(out / "transform.json")
    assert same == json.loads(json.dumps(record))
    whole = read_warped(affine_pair.moving, transform, mpp=MPP, y=0, x=0, height=1200, width=1200)
    assert np.abs(np.asarray(result.images["registered"][0]).astype(int) - whole).max() <= 1
    with Image.open(board) as picture:
        assert picture.width == 3 * 640 + 4 * 12 and picture.height == 512 + 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["board.png", "new", "points.csv"]

    # The record's command makes the same transform again.
    command = shlex.split(record["command"])
    assert command[:2] == ["diffuscope", "register"] and "--affine-only" in command
    assert command[command.index("--landmarks") + 1] == "points.csv"
    # What is told of the table is told, and kept.
    text = landmarks.read_text().replace(",", ";").splitlines()
    landmarks.write_text("\n".join([text[0], "100,125;100,5;103,25;104", *text[1:]]))
    again = call("register", *words, "--overwrite")
    assert again.exit_code == 0, again.output
    commas = "points.csv has decimal commas: 100,125 is read as 100.125."
    assert commas in again.stderr and open_result(out).record["notices"] == [commas]
    np.testing.assert_array_equal(load_transform(out / "transform.json")[0].matrix, transform.matrix)


def refused(tmp_path, pair, said: str, **options):
    before = sorted(tmp_path.rglob("*"))
    options = {"fixed": pair.fixed.path, "moving": pair.moving.path, "out": tmp_path / "out.ome.zarr", **options}
    with pytest.raises(InputError, match=said) as told:
        finish(verbs.register(**options))
    assert "\n" not in str(told.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_input_is_told_before_the_work(tmp_path, affine_pair, he):
    unknown = write_slide(tmp_path / "unknown.ome.tif", he[:300, :300], mpp=None)
    grey = tmp_path / "grey.png"
    Image.fromarray(he[:300, :300, 0]).save(grey)
    taken = tmp_path / "taken.ome.zarr"
    taken.mkdir()
    (taken / "thesis.tex").touch()
    (tmp_path / "there.png").touch()
    for said, options in (
        (r"unknown.ome.tif does not say its µm/px; .*--moving-mpp", {"moving": unknown}),
        ("does not say its µm/px", {"fixed": unknown}),
        ("must be a positive number", {"fixed": unknown, "fixed_mpp": -1}),
        ("is no 8-bit RGB image", {"moving": grey, "moving_mpp": 0.5}),
        ("does not exist", {"moving": tmp_path / "gone.svs"}),
        ("exists already", {"out": taken}),
        ("is not a Diffuscope result and is never overwritten", {"out": taken, "overwrite": True}),
        ("cannot be read", {"out": taken, "landmarks": tmp_path / "gone.csv"}),
        ("out.ome.tif would be a folder of results", {"out": tmp_path / "out.ome.tif"}),
        ("end in .png", {"picture": tmp_path / "board.jpg"}),
        ("lies in .*out.ome.zarr", {"picture": tmp_path / "out.ome.zarr" / "board.png"}),
        ("exists already", {"picture": tmp_path / "there.png"}),
        ("--checkerboard", {"window": "0,0,10,10"}),
        ("no rectangle inside he.ome.tif", {"window": "900,0,400,100", "picture": tmp_path / "board.png"}),
        ("no rectangle inside", {"window": "0,0 5,0 5,5", "picture": tmp_path / "board.png"}),
        ("is not understood", {"window": "all", "picture": tmp_path / "board.png"}),
        ("cannot be read", {"landmarks": tmp_path / "gone.csv"}),
    ):
        refused(tmp_path, affine_pair, said, **options)


def test_slides_that_do_not_match_leave_nothing_behind(tmp_path, affine_pair, he):
    refused(tmp_path, affine_pair, "are the same slide", moving=affine_pair.fixed.path)
    blank = write_slide(tmp_path / "blank.ome.tif", np.full((600, 600, 3), 243, np.uint8))
    refused(tmp_path, affine_pair, "blank.ome.tif has no tissue", moving=blank)


@pytest.mark.slow
def test_a_fault_while_writing_leaves_nothing_behind(tmp_path, affine_pair, monkeypatch):
    import diffuscope.registration as room

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "write_warped", fail)
    refused(tmp_path, affine_pair, "the disk is full", affine_only=True)


def test_without_the_library_the_way_to_it_is_told(tmp_path, affine_pair, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    refused(tmp_path, affine_pair, r"pip install \"diffuscope\[register\]\"")


def test_bad_input_is_one_sentence_and_exit_status_2(tmp_path, affine_pair):
    done = call("register", affine_pair.fixed.path, affine_pair.fixed.path, "-o", tmp_path / "out.ome.zarr")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith("Error: he.ome.tif and he.ome.tif are the same slide")


def test_a_bend_after_which_less_is_shared_is_told_and_no_other():
    stages = {"before": 0.0894, "affine": 1.21, "B-spline": 1.09}
    (said,) = bend_notices(stages)
    assert "mutual information 1.09 after 1.21 nats" in said and "--affine-only" in said
    assert not bend_notices({**stages, "B-spline": 1.21}) and not bend_notices({"before": 0.1, "affine": 1.21})
