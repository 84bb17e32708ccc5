"""The command line as a user has it: a process, its exit status, one sentence, and what it leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from patience import SECONDS
from PIL import Image
from typer.testing import CliRunner

from diffuscope.cli import app
from diffuscope.results.result import open_result

REGION = "60,40,300,200"


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def sentence(outcome) -> str:
    """Return the one line that a failed command prints, after checking that it is one."""
    assert outcome.exit_code == 2, outcome.output
    lines = outcome.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("Error: ") and lines[0][-1] in ".?)"
    return lines[0].removeprefix("Error: ")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_slide_is_stained_looked_at_and_exported(inside: Path, tiny_model: Path, small_slide: Path):
    done = call("run", tiny_model, small_slide, "-o", "out.ome.zarr", "--region", REGION, "--steps", 2, "--seed", 3)
    assert done.exit_code == 0, done.output
    assert "Tissue area (mm²)" in done.stdout
    assert "Wrote out.ome.zarr\nResearch use only; not for diagnosis." in done.stdout
    result = open_result("out.ome.zarr")
    assert result.complete and result.record["parameters"]["seed"] == 3

    told = call("info", "out.ome.zarr").stdout
    assert "complete, 2 of 2 tiles" in told and "not for diagnosis" in told and "diffuscope run" in told
    assert call("export", "out.ome.zarr", "-o", "out.ome.tif").exit_code == 0
    with tifffile.TiffFile("out.ome.tif") as file:
        np.testing.assert_array_equal(file.series[0].levels[0].asarray(), np.asarray(result.images["ihc"][0]))
    assert call("export", "out.ome.zarr", "-o", "dab.ome.tif", "--layer", "dab").exit_code == 0
    np.testing.assert_array_equal(tifffile.imread("dab.ome.tif"), np.asarray(result.images["dab"][0])[..., 0])


def test_the_record_s_command_makes_the_result_again(inside: Path, tiny_model: Path, small_slide: Path):
    import shlex

    assert call("run", tiny_model, small_slide, "-o", "a.ome.zarr", "--region", REGION, "--steps", 2).exit_code == 0
    first = open_result("a.ome.zarr")
    words = shlex.split(first.record["command"])
    # names stand in the record, not paths: put the files where a user would, beside each other
    words = [
        {"a.ome.zarr": "b.ome.zarr", small_slide.name: str(small_slide), tiny_model.name: str(tiny_model)}.get(w, w)
        for w in words
    ]
    assert words[0] == "diffuscope"
    assert call(*words[1:]).exit_code == 0
    second = open_result("b.ome.zarr")
    for key, levels in first.images.items():
        np.testing.assert_array_equal(np.asarray(levels[0]), np.asarray(second.images[key][0]))


def test_of_a_model_info_says_what_shows_it(tiny_model: Path):
    done = CliRunner().invoke(app, ["info", str(tiny_model)])
    assert done.exit_code != 0
    assert f"untrained is a model: diffuscope models {tiny_model} shows it." in " ".join(done.output.split())
    shown = " ".join(call("models", tiny_model).stdout.split())
    assert "qualities fast (sde-dpmsolver++, steps 10); mean (sde-dpmsolver++, steps 1); reference" in shown
    told = " ".join(re.sub(r"[│|]", " ", call("run", "--help").stdout).split())
    assert "One of the model's, see diffuscope models NAME." in told


def test_info_tells_of_a_slide(small_slide: Path):
    told = call("info", small_slide).stdout
    assert "512 x 512 px, 0.255 x 0.255 mm" in told and "0.499" in told and "OME-TIFF" in told


def test_models_says_what_each_is_not():
    told = call("models").stdout
    assert "stain-cd3-demo" in told and "what it is not" in told and "antibody" in told


def test_models_shows_the_card_of_one():
    told = call("models", "stain-cd3-demo").stdout
    assert "virtual staining" in told and "slide dice" in told and "antibody" in told
    assert "looks of he" in told and "hue of what absorbs" in told
    other = call("models", "stain-cd4-demo")
    assert other.exit_code == 2 and "did you mean stain-cd3-demo?" in other.stderr


def test_models_says_where_it_is_not_known_how_inputs_look(tiny_model: Path):
    assert "cannot tell an input that is unlike" in " ".join(call("models", tiny_model).stdout.split())


def test_models_are_listed_without_torch_or_a_reader_of_files():
    code = (
        "import sys, diffuscope.cli\n"
        "try: diffuscope.cli.app(['models'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'scipy', 'skimage', 'zarr', 'dask', 'tifffile', 'diffusers', 'napari'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "stain-cd3-demo" in done.stdout


def test_help_answers_without_loading_torch():
    code = "import sys, diffuscope.cli; sys.exit('torch' in sys.modules or 'napari' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert "demo" in call("--help").stdout


def bad_files(folder: Path, slide: Path) -> dict[str, Path]:
    (folder / "notes.svs").write_text("not a slide")
    (folder / "half.ome.tif").write_bytes(slide.read_bytes()[: slide.stat().st_size // 2])
    white = {"metadata": {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}}
    tifffile.imwrite(folder / "white.ome.tif", np.full((300, 300, 3), 255, np.uint8), photometric="rgb", **white)
    tifffile.imwrite(folder / "deep.ome.tif", np.zeros((300, 300), np.uint16), **white)
    tifffile.imwrite(folder / "colours.ome.tif", np.zeros((300, 300, 3), np.uint16), photometric="rgb", **white)
    Image.new("RGB", (300, 300), (200, 80, 150)).save(folder / "unscaled.png")
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("gone.svs", [], "gone.svs"),
        ("notes.svs", [], "notes.svs"),
        ("half.ome.tif", [], "half.ome.tif"),
        ("white.ome.tif", [], "no tissue found in white.ome.tif"),
        ("deep.ome.tif", [], "is an image of 1 channel of type uint16, but model untrained needs 8-bit RGB"),
        ("colours.ome.tif", [], "of type uint16, but model untrained needs 8-bit RGB: save it with 8 bits a colour"),
        ("unscaled.png", [], "unscaled.png does not say its µm/px; give it with --mpp"),
        ("slide", ["--region", "9000,0,100,100"], "outside"),
        ("slide", ["--region", "a,b"], "region"),
        ("slide", ["--mpp", "0"], "µm/px must be a positive number"),
        ("slide", ["--mpp", "4000"], "4000 µm/px, which no slide has"),
        ("slide", ["--device", "mps"], "MPS was asked for"),
        ("slide", ["--sampler", "euler"], 'no sampler "euler"'),
        ("slide", ["--quality", "best"], 'no quality "best": choose one of fast, mean, reference'),
        ("slide", ["--steps", "0"], "steps must be at least 1"),
        ("slide", ["--samples", "0"], "samples must be at least 1"),
        ("slide", ["--seed", "-1"], "seed must be at least 0"),
        ("slide", ["--seed", "9" * 30], "seed must be at most"),
        ("slide", ["--steps", "1000000000"], "steps must be at most 100000"),
        ("slide", ["--samples", "100000000"], "samples must be at most 1000"),
        ("slide", ["--batch", "1000000"], "batch must be at most 1024"),
        ("slide", ["--threads", "1000000"], "threads must be at most 1024"),
        ("slide", ["--workers", "1000000"], "workers must be at most"),
        ("slide", ["--precision", "fp8"], 'no precision "fp8"'),
    ],
)  # fmt: skip
@pytest.mark.skipif(sys.platform == "darwin", reason="MPS may be there")
def test_bad_input_is_one_sentence_and_leaves_nothing(
    inside: Path, tiny_model: Path, small_slide: Path, name: str, options: list[str], words: str
):
    files = bad_files(inside, small_slide)
    before = sorted(inside.iterdir())
    source = small_slide if name == "slide" else files.get(name, inside / name)
    assert words in sentence(call("run", tiny_model, source, "-o", "out.ome.zarr", *options))
    assert sorted(inside.iterdir()) == before


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("slide", ["--steps", "0"], "steps must be at least 1"),
        ("slide", ["--mpp", "nan"], "µm/px must be a positive number"),
        ("gone.svs", [], "gone.svs does not exist"),
        ("slide", [], "out.ome.zarr exists already"),
    ],
)
def test_what_is_in_the_way_is_told_after_what_is_wrong(
    inside: Path, tiny_model: Path, small_slide: Path, source: str, options: list[str], words: str
):
    """Told first, whoever gave way to it would only then hear of the rest."""
    assert call("run", tiny_model, small_slide, "-o", "out.ome.zarr", "--region", REGION, "--steps", 1).exit_code == 0
    given = small_slide if source == "slide" else source
    assert words in sentence(call("run", tiny_model, given, "-o", "out.ome.zarr", *options))


@pytest.mark.parametrize("name", ["out.tif", "out.OME.TIF", "out.v05.ome.zarr", "out.png", "out.nii.gz", "out.qupath"])
def test_a_result_is_no_file(inside: Path, tiny_model: Path, small_slide: Path, name: str):
    ending = name.removeprefix("out").lower()
    told = sentence(call("run", tiny_model, small_slide, "-o", name))
    assert told == (
        f"{name} would be a folder of results, and no {ending}: call it out.ome.zarr; `diffuscope export` makes files "
        "of a result."
    )
    (inside / "slides").mkdir()
    shutil.copy(small_slide, inside / "slides")
    assert f"no {ending}: call it out; " in sentence(call("run", tiny_model, inside / "slides", "-o", name))
    assert not (inside / name).exists()


@pytest.mark.parametrize("words", [["-o", ""], ["--out", " "], ["--out="]])
def test_a_place_that_is_empty_is_no_place(inside: Path, words: list[str]):
    """As a path it is the folder that the shell is in."""
    assert sentence(call("run", "model", "slide.svs", *words)) == "-o is empty: say where to write."


def test_a_white_slide_runs_where_a_region_is_given(inside: Path, tiny_model: Path, small_slide: Path):
    white = bad_files(inside, small_slide)["white.ome.tif"]
    done = call("run", tiny_model, white, "-o", "out.ome.zarr", "--region", "0,0,200,200", "--steps", 1)
    assert done.exit_code == 0, done.output


def test_what_stands_in_the_way_is_kept(inside: Path, tiny_model: Path, small_slide: Path):
    (inside / "out.ome.zarr").mkdir()
    (inside / "out.ome.zarr" / "thesis.txt").write_text("mine")
    run = ("run", tiny_model, small_slide, "-o", "out.ome.zarr", "--region", REGION, "--steps", 1)
    assert "exists already" in sentence(call(*run))
    assert "never overwritten" in sentence(call(*run, "--overwrite"))
    assert (inside / "out.ome.zarr" / "thesis.txt").read_text() == "mine"


def test_an_unknown_model_is_named_with_the_nearest(inside: Path, small_slide: Path):
    assert "did you mean stain-cd3-demo" in sentence(call("run", "stain-cd3", small_slide, "-o", "out.ome.zarr"))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ctrl_c_keeps_what_is_done_and_says_so(inside: Path, tiny_model: Path, small_slide: Path, name: str):
    command = [sys.executable, "-m", "diffuscope", "run", str(tiny_model), str(small_slide), "-o", "out.ome.zarr"]
    process = subprocess.Popen(
        [*command, "--steps", "16"], stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    try:
        # `done` is written last, when a tile is on disk
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and not list(inside.glob("out.ome.zarr/tiles/*.npy")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(getattr(signal, name))
        _, told = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 130, told
    assert "tiles are kept in out.ome.zarr, marked incomplete" in told and "Traceback" not in told
    result = open_result("out.ome.zarr")
    assert not result.complete and 0 < result.done < result.tiles
