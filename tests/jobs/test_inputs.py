"""Runs of models with several inputs over fluorescence slides: channels, ranges, the record, resuming, workers."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
from standins import NUCLEI, SYSTEMS, VESSELS, row
from typer.testing import CliRunner

import diffuscope as verbs
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.jobs.compute import ComputeRequest
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.jobs.input_text import parse_inputs, parse_ranges
from diffuscope.jobs.inputs import Frame, PortInput, open_inputs
from diffuscope.jobs.prepare import prepare
from diffuscope.model.folder import save_model
from diffuscope.ports.raster import Raster
from diffuscope.results.result import open_result
from diffuscope.scans import open_scan
from diffuscope.scans.intensity import PERCENTILES
from diffuscope.systems import registry
from diffuscope.tiling.plan import Tile

CARD = {
    "title": "a stand-in",
    "what_it_is": "A test.",
    "what_it_is_not": "Anything else.",
    "data": "none",
    "licence": "CC0-1.0",
    "trained_on": "nothing",
    "simulated": True,
}
RANGES = {"vessels": (100.0, 4100.0), "nuclei": (0.0, 2000.0)}


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(registry._ROWS, "fluorescence", row(SYSTEMS["fluorescence"]))
    return save_model(tmp_path / "load", SYSTEMS["fluorescence"](), "fluorescence", {}, CARD)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Three channels (c, y, x) of 150 x 170 px: a bright half of 16-bit texture, an empty half."""
    rng = np.random.default_rng(0)
    found = rng.integers(0, 30, (3, 150, 170)).astype(np.uint16)
    found[:, 20:130, 10:90] += rng.integers(500, 4000, (3, 110, 80)).astype(np.uint16)
    return found


def write(path: Path, pixels: np.ndarray, names: list[str], *, mpp: float = 0.5) -> Path:
    about = {"axes": "CYX", "Channel": {"Name": names}, "PhysicalSizeX": mpp, "PhysicalSizeY": mpp}
    tifffile.imwrite(path, pixels, photometric="minisblack", tile=(64, 64), metadata=about)
    return path


@pytest.fixture
def slide(tmp_path: Path, pixels: np.ndarray) -> Path:
    return write(tmp_path / "slide.ome.tif", pixels, ["CD3", "DAPI (405)", "anti-CD31"])


def go(model: Path, source, out: Path, **options) -> np.ndarray:
    list(verbs.run(model, source, out, **{"device": "cpu", "threads": 1, "region": "0,0,170,150", **options}))
    return np.asarray(open_result(out).images["load"][0])[..., 0]


def expected(vessels: np.ndarray, nuclei: np.ndarray, ranges=RANGES) -> np.ndarray:
    parts = [
        np.clip((image.astype(np.float64) - low) / (high - low), 0, 1)
        for image, (low, high) in ((vessels, ranges["vessels"]), (nuclei, ranges["nuclei"]))
    ]
    return parts[0] + 2 * parts[1]


def computed(image: np.ndarray) -> np.ndarray:
    return image != -1


def test_channels_are_told_by_their_names_and_ranges_are_those_given(tmp_path, model, slide, pixels):
    image = go(model, slide, tmp_path / "out", ranges=RANGES)
    shown = computed(image)
    assert shown[20:130, 10:90].all()
    np.testing.assert_allclose(image[shown], expected(pixels[2], pixels[1])[shown], atol=1e-5)
    record = open_result(tmp_path / "out").record
    assert [(key, one["channel"], one["values"]) for key, one in record["inputs"].items()] == [
        ("vessels", "anti-CD31", [100.0, 4100.0]),
        ("nuclei", "DAPI (405)", [0.0, 2000.0]),
    ]
    assert any("channel anti-CD31 of slide.ome.tif" in notice for notice in record["notices"])


def test_without_a_range_percentiles_of_the_foreground_are_one_scale_for_the_slide(tmp_path, model, slide, pixels):
    image = go(model, slide, tmp_path / "out")
    stated = {key: tuple(one["values"]) for key, one in open_result(tmp_path / "out").record["inputs"].items()}
    # The bright half is the foreground, but for the rim that the coarse mask blurs.
    inside = np.percentile(pixels[2, 20:130, 10:90], PERCENTILES)
    assert stated["vessels"][1] == pytest.approx(inside[1], rel=0.01)
    assert stated["vessels"][0] < inside[0]
    shown = computed(image)
    np.testing.assert_allclose(image[shown], expected(pixels[2], pixels[1], stated)[shown], atol=1e-5)
    # A region has the numbers of the whole slide, and so the same pixels.
    part = go(model, slide, tmp_path / "part", region="30,40,50,60")
    np.testing.assert_array_equal(part, image[40:100, 30:80])


def test_an_annotation_of_a_file_is_the_region_that_it_outlines(tmp_path, model, slide, pixels):
    drawn = {"type": "Polygon", "coordinates": [[[30, 40], [80, 40], [80, 100], [30, 100], [30, 40]]]}
    file = tmp_path / "a.geojson"
    file.write_text(json.dumps([{"geometry": drawn, "properties": {"name": "Core"}}]), encoding="utf-8")
    part = go(model, slide, tmp_path / "part", ranges=RANGES, region=f"{file}#Core")
    np.testing.assert_array_equal(part, go(model, slide, tmp_path / "out", ranges=RANGES, region="30,40,50,60"))
    record = open_result(tmp_path / "part").record
    assert record["parameters"]["region"] == "30,40,50,60" and "--region=30,40,50,60" in record["command"]
    assert "The region is “Core” of a.geojson." in record["notices"]


def test_a_file_for_each_port_is_the_same_as_one_for_both(tmp_path, model, slide, pixels):
    for name, number in (("a.ome.tif", 2), ("b.ome.tif", 1)):
        write(tmp_path / name, pixels[number : number + 1], ["x"])
    both = go(model, slide, tmp_path / "both", ranges=RANGES)
    for number, source in enumerate(
        (
            {"vessels": tmp_path / "a.ome.tif", "nuclei": tmp_path / "b.ome.tif"},
            {"vessels": f"{slide}#anti-cd31", "nuclei": f"{slide}#1"},
        )
    ):
        np.testing.assert_array_equal(go(model, source, tmp_path / f"out{number}", ranges=RANGES), both)


def test_a_copy_of_a_layer_is_recorded_as_the_layer_without_a_command(tmp_path, model, pixels):
    tifffile.imwrite(tmp_path / "mine.ome.tif", pixels[2], photometric="minisblack", tile=(64, 64))
    write(tmp_path / "b.ome.tif", pixels[1:2], ["x"])
    source = {"vessels": LayerCopy(path=tmp_path / "mine.ome.tif", layer="mine"), "nuclei": tmp_path / "b.ome.tif"}
    go(model, source, tmp_path / "out", ranges=RANGES, mpp=0.5)
    record = open_result(tmp_path / "out").record
    about = record["inputs"]["vessels"]
    assert (about["name"], about["format"]) == ("mine", "copy of a layer") and record["command"] == ""
    assert "mine.ome.tif" not in json.dumps(record, ensure_ascii=False)
    told = "A copy of the layer “mine” was run, not a file: no command makes this result again."
    assert record["notices"][:2] == [told, "mine does not say its µm/px; 0.5 µm/px is used, as given."]


def test_the_command_of_the_record_makes_the_result_again(tmp_path, model, slide, monkeypatch):
    image = go(model, slide, tmp_path / "out")
    words = shlex.split(open_result(tmp_path / "out").record["command"])
    assert words[:3] == ["diffuscope", "run", "load"] and "--input" in words and "--range" in words
    words[2], words[words.index("-o") + 1] = str(model), "again"
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, words[1:])
    assert found.exit_code == 0, found.output
    np.testing.assert_array_equal(np.asarray(open_result("again").images["load"][0])[..., 0], image)


def test_a_resumed_run_keeps_the_ranges_it_was_begun_with(tmp_path, model, slide, monkeypatch):
    whole = go(model, slide, tmp_path / "whole")
    done: list[object] = []
    events = verbs.run(model, slide, tmp_path / "out", device="cpu", threads=1, region="0,0,170,150",
                       cancelled=lambda: len(done) > 8)  # fmt: skip
    done.extend(events)
    assert not open_result(tmp_path / "out").complete

    def never(*_, **__):
        raise AssertionError("measured again")

    monkeypatch.setattr("diffuscope.scans.Scan.percentiles", never)
    np.testing.assert_array_equal(go(model, slide, tmp_path / "out", resume=True), whole)
    with pytest.raises(InputError, match="complete"):
        go(model, slide, tmp_path / "out", resume=True)


def test_a_worker_computes_the_same_from_what_it_is_sent(tmp_path, model, slide):
    image = go(model, slide, tmp_path / "out")
    job = prepare(
        model, slide, tmp_path / "other", request=ComputeRequest(device="cpu", threads=1), seed=0,
        overwrite=False, resume=False,
        region="0,0,170,150", **dict.fromkeys(("mpp", "quality", "sampler", "steps", "samples")),
    )  # fmt: skip
    tile = job.plan.at(1, 1)
    [answer] = job.work((tile,)).computed
    inner = answer.outputs["load"][0, 8:24, 8:24]
    np.testing.assert_allclose(inner, image[tile.y + 8 : tile.y + 24, tile.x + 8 : tile.x + 24], atol=1e-5)


@pytest.mark.parametrize(
    ("port", "values", "beside"),
    [
        ({"kind": "rgb", "channels": ("R", "G", "B"), "range": (0.0, 255.0)}, None, 255),
        ({"kind": "map", "channels": ("CD31",), "range": (0.0, 255.0)}, None, 0),
        ({"kind": "map", "channels": ("CD31",), "range": (0.0, 1.0), "scale": "percentile"}, (20.0, 120.0), 0),
        ({"kind": "map", "channels": ("phase",), "range": (0.0, 255.0), "fill": 128.0}, None, 128),
        (
            {"kind": "map", "channels": ("light",), "range": (0.0, 2.0), "fill": 2.0, "dtype": "float32"},
            (0.0, 200.0),
            2,
        ),
    ],
    ids=["glass", "dark", "dark of a free scale", "its own", "its own, scaled"],
)
def test_beside_a_slide_a_network_sees_what_its_port_is_filled_with(tmp_path, port, values, beside):
    colour = port["kind"] == "rgb"
    pixels = np.full((20, 24, 3) if colour else (20, 24), 77, np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb" if colour else "minisblack")
    one = PortInput(
        port=Raster(name="a", key="a", mpp=0.5, **port), scan=open_scan(tmp_path / "a.tif", mpp=0.5), values=values
    )
    seen = one.read(Tile((0, 0), (10, 8)), Frame(shape=(16, 32), factors=(1.0, 1.0)))
    inside = np.zeros((16, 32), bool)
    inside[:10, :16] = True
    assert (seen[~inside] == beside).all()
    assert (seen[inside] == one.scaled(np.full(1, 77, np.uint8) if not colour else pixels[:1, :1])).all()


def test_what_cannot_be_an_input_is_refused_in_one_sentence(tmp_path, model, slide, pixels):
    unnamed = write(tmp_path / "unnamed.ome.tif", pixels, ["a", "b", "c"])
    other = write(tmp_path / "other.ome.tif", pixels[:1, :-1], ["x"])
    finer = write(tmp_path / "finer.ome.tif", pixels[:1], ["x"], mpp=0.25)
    single = write(tmp_path / "single.ome.tif", pixels[:1], ["x"])
    vessels = {"vessels": f"{slide}#2"}
    for source, words in (
        (unnamed, r"which channels of unnamed.ome.tif \(0 a, 1 b, 2 c\) are Vessels, Nuclei cannot be told"),
        (single, r"single.ome.tif is an image of 1 channel\(s\): say --input vessels=FILE#CHANNEL"),
        (vessels, r"nuclei is not given: say --input nuclei=FILE"),
        (vessels | {"nuclei": (slide, slide)}, "input nuclei is given twice"),
        (vessels | {"dapi": slide}, r"has no input “dapi”: its inputs are vessels \(Vessels\), nuclei \(Nuclei\)"),
        (vessels | {"nuclei": f"{slide}#lectin"}, r'has no channel "lectin" of its own: choose .* 1 DAPI \(405\)'),
        (
            vessels | {"nuclei": unnamed},
            r"unnamed.ome.tif is an image of 3 channels \(a, b, c\) .* unnamed.ome.tif#NAME",
        ),
        (vessels | {"nuclei": other}, r"do not lie on one lattice"),
        (vessels | {"nuclei": finer}, r"0.5 µm/px\) and Nuclei .* 0.25 µm/px\) do not lie on one lattice"),
    ):
        with pytest.raises(InputError, match=words):
            verbs.run(model, source, tmp_path / "out")
    for options, words in (
        ({"ranges": {"dapi": (0, 1)}}, "no input “dapi”"),
        ({"ranges": {"nuclei": (1.0, 1.0)}}, "is empty"),
        ({"slices": "1:2"}, "no volume and has no slices"),
    ):
        with pytest.raises(InputError, match=words):
            verbs.run(model, slide, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_command_line_names_inputs_and_ranges_by_port():
    assert parse_inputs(["vessels=a=b.tif#CD31", "nuclei=c.tif"]) == {"vessels": "a=b.tif#CD31", "nuclei": "c.tif"}
    assert parse_ranges(["vessels=0:4e3"]) == {"vessels": (0.0, 4000.0)}
    assert parse_inputs(["mask=t.nii", "ct=c.nii", "mask=n.nii"]) == {"mask": ("t.nii", "n.nii"), "ct": "c.nii"}
    with pytest.raises(InputError, match="range a is given twice"):
        parse_ranges(["a=0:1", "a=0:2"])
    for wrong in (["vessels"], ["=a.tif"]):
        with pytest.raises(InputError):
            parse_inputs(wrong)
    for wrong in (["vessels=0-4000"], ["vessels=0:1:2"], ["vessels=low:high"]):
        with pytest.raises(InputError, match="not understood"):
            parse_ranges(wrong)


def test_real_fields_of_one_stain_each_go_in_together(shared):
    folder = shared / "data/breast-mibi"
    source = {"vessels": folder / "CD31.tif", "nuclei": folder / "HH3.tif"}
    first, second = open_inputs(source, (VESSELS, NUCLEI), "load", mpp=0.5)
    assert first.scan.shape == second.scan.shape == (1024, 1024)
