"""Runs of a model whose H&E is brought to one reference: by the whole slide, told, recorded, repeated, switched off."""

from __future__ import annotations

import pickle
import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from model_card import CARD
from standins import SYSTEMS, row
from typer.testing import CliRunner

import diffuscope as verbs
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.jobs.compute import ComputeRequest
from diffuscope.jobs.prepare import prepare
from diffuscope.model.folder import save_model
from diffuscope.results.result import open_result
from diffuscope.stains import StainStatistics, measure_stains, normalise, separate
from diffuscope.stains.deconvolution import combine, stain_matrix
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system
from tests.conftest import MPP


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that gives back the H&E that it was given."""
    monkeypatch.setitem(registry._ROWS, "echo", row(SYSTEMS["echo"]))
    return save_model(tmp_path / "echo", SYSTEMS["echo"](), "echo", {}, CARD)


@pytest.fixture(scope="module")
def pixels(small_slide: Path) -> np.ndarray:
    return tifffile.imread(small_slide)


@pytest.fixture(scope="module")
def statistics(pixels: np.ndarray) -> StainStatistics:
    """Of the 512 x 512 px of the slide, which are as many windows as a run looks at."""
    corners = [(y, x) for y in (0, 256) for x in (0, 256)]
    found = measure_stains([pixels[y : y + 256, x : x + 256] for y, x in corners], mpp=MPP)
    assert found is not None
    return found


def go(model: Path, slide: Path, out: Path, **options) -> np.ndarray:
    list(verbs.run(model, slide, out, **{"device": "cpu", "threads": 1, "region": "40,60,200,160", **options}))
    return main_of(out)


def main_of(out: Path) -> np.ndarray:
    result = open_result(out)
    return np.asarray(result.images[result.ports[0].key][0])


def write(path: Path, pixels: np.ndarray) -> Path:
    about = {"axes": "YXS", "PhysicalSizeX": MPP, "PhysicalSizeY": MPP}
    tifffile.imwrite(path, pixels, tile=(128, 128), photometric="rgb", metadata=about)
    return path


def inside(pixels: np.ndarray) -> np.ndarray:
    return pixels[60:220, 40:240]


def test_a_slide_goes_in_normalised_by_the_statistics_of_all_of_it(tmp_path, echo, small_slide, pixels, statistics):
    found = go(echo, small_slide, tmp_path / "out")
    np.testing.assert_array_equal(found, inside(normalise(pixels, statistics)))
    assert np.abs(found.astype(int) - inside(pixels)).mean() > 5
    record = open_result(tmp_path / "out").record
    assert StainStatistics.from_json(record["inputs"]["he"]["stains"]) == statistics
    assert record["parameters"]["normalise"] is True
    assert "normalise" not in record["command"]
    [told] = [notice for notice in record["notices"] if "stains" in notice]
    assert told.startswith("H&E: normalised by") and statistics.summary in told


@pytest.mark.slow
def test_a_region_has_the_pixels_of_the_whole_slide(tmp_path, echo, small_slide):
    whole = go(echo, small_slide, tmp_path / "whole", region=None)
    part = go(echo, small_slide, tmp_path / "part")
    np.testing.assert_array_equal(part, inside(whole))


def test_what_lies_beside_the_slide_is_white(tmp_path, echo, small_slide):
    job = prepared(echo, small_slide, tmp_path / "out", region="412,412,100,100")
    [*_, last] = job.plan.tiles()
    over = last.y + 32 - 512
    assert over > 0
    read = job.read(last)["he"]
    assert (read[-over:] == 255).all() and not (read[:-over] == 255).all()


def prepared(model: Path, slide: Path, out: Path, **options):
    asked = dict.fromkeys(("region", "mpp", "quality", "sampler", "steps", "samples")) | options
    return prepare(
        model,
        slide,
        out,
        request=ComputeRequest(device="cpu", threads=1),
        seed=0,
        overwrite=False,
        resume=False,
        **asked,
    )


def test_switched_off_the_slide_goes_in_as_it_is_and_the_record_says_so(tmp_path, echo, small_slide, pixels):
    found = go(echo, small_slide, tmp_path / "out", normalise=False)
    np.testing.assert_array_equal(found, inside(pixels))
    record = open_result(tmp_path / "out").record
    assert record["parameters"]["normalise"] is False
    assert "stains" not in record["inputs"]["he"]
    assert record["command"].endswith(" --no-normalise")
    assert not any("H&E" in notice for notice in record["notices"] if "does not state how H&E looked" not in notice)


@pytest.mark.parametrize("on", [True, False])
def test_the_command_of_the_record_makes_the_result_again(tmp_path, echo, small_slide, monkeypatch, on):
    first = go(echo, small_slide, tmp_path / "out", normalise=on)
    words = shlex.split(open_result(tmp_path / "out").record["command"])
    words[2], words[3], words[words.index("-o") + 1] = str(echo), str(small_slide), "again"
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, words[1:])
    assert found.exit_code == 0, found.output
    np.testing.assert_array_equal(main_of(Path("again")), first)


def test_a_resumed_run_keeps_the_statistics_it_was_begun_with(tmp_path, echo, small_slide, monkeypatch):
    whole = go(echo, small_slide, tmp_path / "whole")
    done: list[object] = []
    options = {"device": "cpu", "threads": 1, "region": "40,60,200,160"}
    done.extend(verbs.run(echo, small_slide, tmp_path / "out", **options, cancelled=lambda: len(done) > 8))
    assert not open_result(tmp_path / "out").complete
    with pytest.raises(
        InputError, match=r"normalised from haematoxylin .* asks for small.ome.tif \(\w+, 0.499 µm/px\)"
    ):
        go(echo, small_slide, tmp_path / "out", resume=True, normalise=False)

    def never(*_, **__):
        raise AssertionError("measured again")

    monkeypatch.setattr("diffuscope.scans.Scan.stains", never)
    np.testing.assert_array_equal(go(echo, small_slide, tmp_path / "out", resume=True), whole)


def test_a_worker_normalises_by_what_it_is_sent(tmp_path, echo, small_slide, pixels, statistics, monkeypatch):
    job = prepared(echo, small_slide, tmp_path / "out")
    monkeypatch.delattr("diffuscope.stains.measure_stains")
    work = pickle.loads(pickle.dumps(job.work))
    tile = job.plan.at(4, 5)
    [answer] = work((tile,)).computed
    window = pixels[tile.y : tile.y + 32, tile.x : tile.x + 32]
    np.testing.assert_array_equal(answer.outputs["echo"].transpose(1, 2, 0), normalise(window, statistics))


def test_a_slide_without_a_nucleus_goes_in_as_it_is_and_the_user_is_told(tmp_path, echo):
    pink = np.full((300, 300, 3), (225, 150, 190), np.uint8)
    slide = write(tmp_path / "pink.ome.tif", pink)
    found = go(echo, slide, tmp_path / "out")
    np.testing.assert_array_equal(found, inside(pink))
    record = open_result(tmp_path / "out").record
    assert any("no nucleus was found" in notice for notice in record["notices"])
    assert record["parameters"]["normalise"] is True and "stains" not in record["inputs"]["he"]


def test_another_laboratorys_stains_change_little(tmp_path, echo, small_slide, pixels, statistics):
    """The same section, with haematoxylin more blue and paler, eosin more orange and darker."""
    other = stain_matrix((0.72, 0.65, 0.22), (0.20, 0.80, 0.55))
    amounts = separate(pixels, statistics.vectors) * np.array([0.8, 1.3, 1.0])
    recoloured = write(tmp_path / "other.ome.tif", combine(amounts, other))
    config = {"stain": "CD3", "size": "tiny", "T": 1000, "normalise": True}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("staindiffuser", config)
        for weight in system.parameters():  # fresh ones do not look at the H&E
            weight.data += 0.1 * torch.randn(weight.shape)
    model = save_model(tmp_path / "tiny", system, "staindiffuser", config, CARD)
    for name, path in (("echo", echo), ("tiny", model)):
        apart = []
        for on in (True, False):
            one, two = (
                go(path, slide, tmp_path / f"{name}-{slide.name}-{on}", normalise=on, steps=1, precision="fp32")
                for slide in (small_slide, recoloured)
            )
            apart.append(np.abs(one.astype(int) - two).mean())
        assert apart[0] < 0.5 * apart[1], (name, apart)


def test_a_model_that_takes_colours_as_they_are_is_not_asked(tmp_path, tiny_model, small_slide):
    go(tiny_model, small_slide, tmp_path / "out", steps=1, normalise=False)
    record = open_result(tmp_path / "out").record
    assert "normalise" not in record["parameters"] and "normalise" not in record["command"]


def test_a_range_of_an_h_and_e_is_refused(tmp_path, echo, small_slide):
    with pytest.raises(InputError, match=r"H&E are brought to one reference by stain: leave out its range"):
        verbs.run(echo, small_slide, tmp_path / "out", ranges={"he": (0.0, 1.0)})


def test_a_slide_says_what_would_become_of_its_stains(small_slide, statistics):
    found = CliRunner().invoke(app, ["info", str(small_slide)])
    assert f"as H&E: {statistics.summary} OD" in found.output
