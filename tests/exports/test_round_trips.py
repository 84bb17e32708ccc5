"""Whatever the size, the place, the resolution and the names: each format gives px, scale, names and origin back.

Each is read by a library of others: tifffile, ome-zarr-models and zarr, pydicom.
"""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ome_zarr_models import v04, v05

from diffuscope.exports import export
from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

TILE = 64
NS = {"o": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@st.composite
def results(draw: st.DrawFn) -> tuple[dict, Region, float, tuple[str, str]]:
    """Draw what a result is made of: its px, where they lie, µm/px and the names of its maps."""
    height, width = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    region = Region(draw(st.integers(0, 5000)), draw(st.integers(0, 5000)), width, height)
    names = draw(st.lists(NAMES, min_size=2, max_size=2, unique=True))
    return draw(st.integers(0, 2**32 - 1)), region, draw(st.floats(0.1, 2.0)), (names[0], names[1])


def make(folder: Path, seed: int, region: Region, mpp: float, names: tuple[str, str]) -> Result:
    rgb = Raster(name="virtual", key="ihc", kind="rgb", channels=("R", "G", "B"), mpp=mpp, range=(0.0, 255.0))
    maps = Raster(
        name="maps", key="maps", kind="map", channels=names, mpp=mpp, range=(-1.0, 1.0), dtype="float32", fill=0.0
    )
    plan = make_plan(shape=(6000, 6000), factors=(1.0, 1.0), tile=TILE, overlap=0, region=region)
    record = {"note": "not for diagnosis", "inputs": {"he": {"name": "a.svs", "mpp": mpp}}}
    canvas = Canvas(folder / "r.ome.zarr", plan=replace(plan, spacing=(mpp, mpp)), ports=(rgb, maps), record=record)
    rng = np.random.default_rng(seed)
    for tile in plan.tiles():
        colours = rng.integers(0, 256, (3, TILE, TILE)).astype(np.float32)
        canvas.write_tile(tile, {"ihc": colours, "maps": rng.standard_normal((2, TILE, TILE), np.float32)})
    canvas.finish()
    return open_result(canvas.path)


@pytest.mark.slow
@given(results())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_format_of_a_slide_gives_back_what_it_was_given(drawn) -> None:
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        result = make(folder, *drawn)
        expected = {key: [np.asarray(level) for level in levels] for key, levels in result.images.items()}
        with tifffile.TiffFile(export(result, folder / "a.ome.tif")) as file:
            check_tiff(file, result, expected)
        for ending, models in ((".ome.zarr", v04), (".v05.ome.zarr", v05)):
            check_zarr(export(result, folder / f"a{ending}"), models, result, expected)
        check_dicom(export(result, folder / "a.dicom", layer="ihc"), result, expected["ihc"])


def check_tiff(file: tifffile.TiffFile, result: Result, expected: dict) -> None:
    for series, pixels in zip(file.series, expected.values(), strict=True):
        for stored, level in zip(series.levels, pixels, strict=True):
            # An axis of one px is left out by tifffile.
            np.testing.assert_array_equal(
                stored.asarray().squeeze(), (level if series is file.series[0] else np.moveaxis(level, -1, 0)).squeeze()
            )
    images = ET.fromstring(file.ome_metadata).findall("o:Image/o:Pixels", NS)
    for pixels in images:
        assert float(pixels.get("PhysicalSizeX")) == pytest.approx(result.mpp, rel=1e-9)
        plane = pixels.find("o:Plane", NS)
        for axis, at in zip("YX", result.window[:2], strict=True):
            assert float(plane.get(f"Position{axis}")) == pytest.approx(at * result.mpp, rel=1e-9)
    assert [one.get("Name") for one in images[1].findall("o:Channel", NS)] == list(result.ports[1].channels)


def check_zarr(path: Path, models, result: Result, expected: dict) -> None:
    for place, key in (("", "ihc"), ("maps", "maps")):
        group = zarr.open_group(path / place, mode="r")
        models.Image.from_zarr(group)
        about = group.attrs.get("ome", group.attrs)
        scale, move = about["multiscales"][0]["datasets"][0]["coordinateTransformations"]
        assert scale["scale"] == [1.0, result.mpp, result.mpp] and move["translation"] == [0.0, *result.origin]
        port = next(port for port in result.ports if port.key == key)
        assert [one["label"] for one in about["omero"]["channels"]] == list(port.channels)
        for number, level in enumerate(expected[key]):
            np.testing.assert_array_equal(np.moveaxis(group[str(number)][...], 0, -1), level)


def check_dicom(path: Path, result: Result, levels: list[np.ndarray]) -> None:
    for number, level in enumerate(levels):
        one = pydicom.dcmread(path / f"{number:02d}.dcm")
        frames = pydicom.pixels.pixel_array(one, raw=True).reshape(-1, 256, 256, 3)
        down, across = (-(-side // 256) for side in level.shape[:2])
        whole = frames.reshape(down, across, 256, 256, 3).swapaxes(1, 2).reshape(down * 256, across * 256, 3)
        np.testing.assert_array_equal(whole[: level.shape[0], : level.shape[1]], level)
        [measures] = one.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
        assert float(measures.PixelSpacing[0]) == pytest.approx(result.mpp * 2**number / 1000, rel=1e-9)
