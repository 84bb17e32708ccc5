"""Load and penetration of regions of a result: against the plain functions, whole and in bands."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from diffuscope.api.measure import measure
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.events import Notice, finish
from diffuscope.measurement import regions as bands
from diffuscope.measurement.penetration import find_vessels, measure_penetration, vessel_threshold
from diffuscope.measurement.regions import check_computed, measure_regions, open_vessels
from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.results.tissue import crop_tissue, save_tissue
from diffuscope.scans import open_scan
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

SIDE, TILE = 600, 100
PORT = Raster(
    name="nanoparticles", key="load", kind="map", channels=("load",), mpp=1.0, range=(0.0, 1.0), dtype="float32", fill=0
)  # fmt: skip


def vessels_image() -> np.ndarray:
    """Bright discs on dark, rare in the lower half: there the nearest vessel is far."""
    y, x = np.mgrid[:SIDE, :SIDE]
    image = np.abs(np.random.default_rng(0).normal(4, 1, (SIDE, SIDE)))
    for cy, cx, r in ((40, 50, 8), (90, 400, 6), (150, 200, 10), (60, 560, 7), (580, 20, 5)):
        image[(y - cy) ** 2 + (x - cx) ** 2 < r**2] = 180
    return image.astype(np.uint16)


def write(folder: Path, *, region: Region | None = None, finish: bool = True) -> tuple[Result, np.ndarray]:
    """Return a result of known load, whose left 30 px are no tissue, and the load on the slide's px."""
    slide = folder / "slide.ome.tif"
    channels = np.stack([np.zeros((SIDE, SIDE), np.uint16), vessels_image()])
    about = {"axes": "CYX", "Channel": {"Name": ["DAPI", "CD31"]}, "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0}
    tifffile.imwrite(slide, channels, photometric="minisblack", tile=(64, 64), metadata=about)
    scan = open_scan(slide)
    stated = {
        "name": slide.name, "fingerprint": scan.fingerprint, "shape": list(scan.shape), "mpp": 1.0, "mpp_stated": 1.0,
        "channel": "CD31", "channel_number": 1,
    }  # fmt: skip
    mask = np.ones((SIDE // 10, SIDE // 10), np.bool_)
    mask[:, :3] = False
    load = np.random.default_rng(1).random((SIDE, SIDE)).astype(np.float32)
    plan = make_plan(shape=(SIDE, SIDE), factors=(1.0, 1.0), tile=TILE, overlap=0, region=region)
    canvas = Canvas(
        folder / "out.ome.zarr",
        plan=replace(plan, spacing=(1.0, 1.0)),
        ports=(PORT,),
        record={"inputs": {"vessels": stated}, "parameters": {"region": str(region) if region else None}},
    )
    save_tissue(canvas.root, crop_tissue(mask, 10.0, factor=1.0, window=plan.window, region=None))
    padded = np.pad(load, TILE)
    for tile in plan.tiles():
        part = padded[tile.y + TILE : tile.y + 2 * TILE, tile.x + TILE : tile.x + 2 * TILE]
        canvas.write_tile(tile, {"load": part[None]})
    assert not finish or canvas.finish()
    return open_result(folder / "out.ome.zarr"), load


def test_regions_are_those_of_the_plain_functions_whole_and_in_bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    result, load = write(tmp_path)
    scan = open_vessels(result, tmp_path / "slide.ome.tif")
    drawn = {
        "box": Region(10, 380, 200, 150),
        "triangle": Region.from_polygon([(100, 20), (500, 40), (300, 330)]),
        "beyond": Region(5000, 5000, 10, 10),
    }
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    tissue = x >= 30
    # a triangle by the signs of its edges
    corners = np.array(drawn["triangle"].polygon)
    sides = [
        (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, 0), strict=True)
    ]
    masks = {
        "box": (x > 10) & (x < 210) & (y > 380) & (y < 530) & tissue,
        "triangle": np.min(sides, axis=0) > 0,
        "beyond": np.zeros(tissue.shape, np.bool_),
    }
    vessels = find_vessels(vessels_image(), mpp=1.0)
    expected = measure_penetration(load, vessels, masks, mpp=1.0)
    assert expected[0]["mean_distance_um"] > 150  # so that small halos must grow
    for band, halo in ((2**23, 300.0), (SIDE, 40.0)):
        monkeypatch.setattr(bands, "_BAND_PX", band)
        monkeypatch.setattr(bands, "_HALO_UM", halo)
        found = finish(measure_regions(result, scan, drawn))
        threshold = found[0].pop("vessel_threshold")
        assert threshold == pytest.approx(vessel_threshold([vessels_image()], mpp=1.0), rel=1e-3)
        for row, truth in zip(found, expected, strict=True):
            for key, value in truth.items():
                assert row[key] == (value if value is None or key == "region" else pytest.approx(value, rel=1e-6)), key
    [whole] = finish(measure_regions(result, scan))
    assert whole["region"] == "all tissue" and whole["area_um2"] == SIDE * (SIDE - 30)
    assert whole["tissue_percent"] == pytest.approx(100 * (SIDE - 30) / SIDE)


def test_vessels_beyond_a_run_s_region_count(tmp_path: Path):
    result, load = write(tmp_path, region=Region(200, 200, 100, 100))
    assert result.window[2:] < (SIDE, SIDE)
    scan = open_vessels(result, f"{tmp_path / 'slide.ome.tif'}#CD31")
    own = vessel_threshold([vessels_image()], mpp=1.0)
    part = np.zeros(load.shape, np.bool_)
    part[220:260, 220:280] = True
    [row] = finish(measure_regions(result, scan, {"part": Region(220, 220, 60, 40)}, threshold=own))
    [truth] = measure_penetration(load, find_vessels(vessels_image(), mpp=1.0), {"part": part}, mpp=1.0)
    assert row["mean_distance_um"] == pytest.approx(truth["mean_distance_um"])
    assert row["total_load"] == pytest.approx(truth["total_load"], rel=1e-6)
    [computed] = finish(measure_regions(result, scan, threshold=own))
    assert computed["region"] == result.record["parameters"]["region"] != "all tissue"


def test_a_region_beyond_what_was_computed_is_told_and_one_outside_is_refused(tmp_path: Path):
    write(tmp_path, region=Region(200, 200, 100, 100))
    slide, out = tmp_path / "slide.ome.tif", tmp_path / "out.ome.zarr"
    inside = {"in": Region(210, 210, 50, 40), "shape": Region.from_polygon([(200, 200), (290, 200), (200, 290)])}
    events = list(measure(out, slide, regions={**inside, "half": Region(250, 250, 100, 100)}))
    assert [event.sentence for event in events if isinstance(event, Notice)] == [
        "“half” reaches beyond what out.ome.zarr computed: only what lies inside is measured."
    ]
    assert [row["area_um2"] for row in events[-1].rows][::2] == [2000, 2500]
    assert not [event for event in measure(out, slide) if isinstance(event, Notice)]
    for region in (Region(0, 0, 100, 100), Region(300, 200, 9, 9), Region(250, 250, 0, 9), Region(250, 250, -9, 9)):
        with pytest.raises(InputError, match=r"nothing of “here” was computed: out.* has x 200 to 300"):
            measure(out, slide, regions={**inside, "here": region})
    done = CliRunner().invoke(app, ["measure", str(out), str(slide), "--region", "0,0,100,100"])
    assert done.exit_code == 2 and "nothing of “0,0,100,100” was computed" in done.stderr


def test_of_a_drawn_run_what_its_outline_leaves_out_was_not_computed(tmp_path: Path):
    drawn = Region.from_polygon([(200, 200), (300, 200), (200, 300)])
    result, _ = write(tmp_path, region=drawn)
    result = replace(result, tissue=replace(result.tissue, region=drawn))
    assert check_computed(result, {"drawn": drawn}) == ()
    assert len(check_computed(result, {"box": Region(200, 200, 100, 100)})) == 1
    with pytest.raises(InputError, match="nothing of “corner”"):
        check_computed(result, {"corner": Region(280, 280, 20, 20)})


def test_tissue_is_a_share_of_what_a_drawn_run_was_to_compute_and_not_of_its_box(tmp_path: Path):
    """A triangle whose legs are 100 px, of which those 30 px from one leg are glass: 0.7² of it is tissue."""
    drawn = Region.from_polygon([(0, 0), (100, 0), (0, 100)])
    result, _ = write(tmp_path, region=drawn)
    result = replace(result, tissue=replace(result.tissue, region=drawn))
    scan = open_vessels(result, tmp_path / "slide.ome.tif")
    beyond = {"beyond": Region(0, 0, 300, 300), "tissue": Region(40, 0, 90, 90)}
    [own], rows = (finish(measure_regions(result, scan, regions)) for regions in (None, beyond))
    assert [row["area_um2"] for row in (own, rows[0])] == [pytest.approx(2450, abs=40)] * 2
    assert [row["tissue_percent"] for row in (own, rows[0])] == [pytest.approx(49, abs=0.5)] * 2
    assert rows[1]["tissue_percent"] == 100


def test_what_cannot_be_measured_is_said(tmp_path: Path):
    result, _ = write(tmp_path)
    other = tmp_path / "other.ome.tif"
    tifffile.imwrite(other, np.zeros((50, 60), np.uint8), photometric="minisblack")
    with pytest.raises(InputError, match=r"not the file that out.ome.zarr was computed from: give slide.ome.tif"):
        open_vessels(result, other)
    with pytest.raises(InputError, match=r"60 x 50 px and the input of out.ome.zarr 600 x 600"):
        finish(measure_regions(result, open_scan(other)))
    with pytest.raises(InputError, match="2 channels: choose"):
        finish(measure_regions(result, open_scan(tmp_path / "slide.ome.tif")))
    (tmp_path / "more").mkdir()
    begun, _ = write(tmp_path / "more", finish=False)
    with pytest.raises(InputError, match="incomplete"):
        finish(measure_regions(begun, open_vessels(begun, tmp_path / "more" / "slide.ome.tif")))


def test_the_command_writes_a_row_a_region(tmp_path: Path):
    write(tmp_path)
    slide, out, table = (tmp_path / name for name in ("slide.ome.tif", "out.ome.zarr", "table.csv"))
    words = ["measure", str(out), str(slide), "-o", str(table), "--region", "0,0,200,200", "--region", "0,0,50,9 50,99"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2 and "is not understood" in done.stderr and not table.exists()
    words[-1] = "40,40 90,40 90,90"
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "Total load" in done.stdout and f"Wrote {table}" in done.stdout
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["region"] for row in rows] == words[-3::2]
    assert float(rows[0]["tissue_percent"]) == 85 and float(rows[1]["tissue_percent"]) == 100
    assert "Tissue (% of the region)" in done.stdout and "Tissue area (µm²)" in done.stdout
    assert float(rows[0]["area_um2"]) == 200 * 170 and float(rows[1]["area_um2"]) == pytest.approx(1250, abs=30)
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2 and "exists already" in refused.stderr
