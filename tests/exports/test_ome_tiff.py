"""OME-TIFF read back by tifffile and OpenSlide, level by level."""

from __future__ import annotations

import json
import tracemalloc
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import dask.array as da
import numpy as np
import openslide
import pytest
import tifffile

from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.exports.tiles import tiles
from diffuscope.results.result import Result

NS = {"o": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}


@pytest.fixture
def exported(make_result: Callable[..., Result], tmp_path: Path) -> tuple[Result, Path]:
    result = make_result()
    return result, export(result, tmp_path / "r.ome.tif")


def test_every_level_of_every_layer_comes_back(exported: tuple[Result, Path]) -> None:
    result, path = exported
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
        assert file.is_ome
        assert [series.name for series in file.series] == ["virtual CD3", "DAB", "two maps"]
        assert [series.axes for series in file.series] == ["YXS", "YX", "CYX"]
        for series, port in zip(file.series, result.ports, strict=True):
            levels = result.images[port.key]
            assert len(series.levels) == len(levels) == 3
            for number, (stored, level) in enumerate(zip(series.levels, levels, strict=True)):
                expected = level.compute()
                expected = expected if port.kind == "rgb" else np.moveaxis(expected, -1, 0).squeeze()
                np.testing.assert_array_equal(stored.asarray(), expected)
                for page in (frame.aspage() for frame in stored.pages):
                    assert (page.tilelength, page.tilewidth) == (256, 256)
                    assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
                    assert page.subfiletype == (1 if number else 0)
            assert max(levels[-1].shape) <= 256
        page = file.series[0].pages[0]
        assert page.photometric == tifffile.PHOTOMETRIC.RGB
        assert len(page.subifds) == 2
        assert page.predictor == tifffile.PREDICTOR.HORIZONTAL
        # Bio-Formats knows no predictor for floats.
        assert file.series[1].pages[0].predictor == 1


def test_ome_xml_says_size_place_names_and_what_it_is_not(exported: tuple[Result, Path]) -> None:
    result, path = exported
    with tifffile.TiffFile(path) as file:
        root = ET.fromstring(file.ome_metadata)
    assert root.get("Creator").startswith("Diffuscope")
    images = root.findall("o:Image", NS)
    assert [image.get("Name") for image in images] == ["virtual CD3", "DAB", "two maps"]
    colour, dab, pair = (image.find("o:Pixels", NS) for image in images)
    for image, pixels, planes in zip(images, (colour, dab, pair), (1, 1, 2), strict=True):
        assert float(pixels.get("PhysicalSizeX")) == float(pixels.get("PhysicalSizeY")) == result.mpp
        assert pixels.get("PhysicalSizeXUnit") == pixels.get("PhysicalSizeYUnit") == "µm"
        assert "not for diagnosis" in image.findtext("o:Description", namespaces=NS)
        places = pixels.findall("o:Plane", NS)
        assert len(places) == planes
        for plane in places:
            assert float(plane.get("PositionX")) == pytest.approx(53 * result.mpp)
            assert float(plane.get("PositionY")) == pytest.approx(37 * result.mpp)
            assert plane.get("PositionXUnit") == plane.get("PositionYUnit") == "µm"
    assert [channel.get("SamplesPerPixel") for channel in colour.findall("o:Channel", NS)] == ["3"]
    assert [channel.get("Name") for channel in dab.findall("o:Channel", NS)] == ["DAB (OD)"]
    assert [channel.get("Name") for channel in pair.findall("o:Channel", NS)] == ["a", "b"]
    record = {entry.get("K"): entry.text for entry in root.iterfind(".//o:MapAnnotation/o:Value/o:M", NS)}
    assert record["command"] == result.record["command"]
    assert json.loads(record["inputs"]) == result.record["inputs"]
    assert images[0].find("o:AnnotationRef", NS) is not None


@pytest.mark.parametrize(("layer", "name"), [("dab", "DAB"), ("virtual CD3", "virtual CD3")])
def test_one_layer_by_key_or_name(make_result: Callable[..., Result], tmp_path: Path, layer: str, name: str) -> None:
    result = make_result()
    export(result, tmp_path / "one.ome.tif", layer=layer)
    with tifffile.TiffFile(tmp_path / "one.ome.tif") as file:
        assert [series.name for series in file.series] == [name]
        root = ET.fromstring(file.ome_metadata)
    assert root.find(".//o:MapAnnotation", NS) is not None


def test_openslide_reads_the_colours(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result()
    export(result, tmp_path / "rgb.ome.tif", layer="ihc")
    with openslide.OpenSlide(tmp_path / "rgb.ome.tif") as slide:
        width, height = slide.dimensions
        pixels = np.asarray(slide.read_region((0, 0), 0, (width, height)))[..., :3]
        assert float(slide.properties["tiff.XResolution"]) == pytest.approx(1e4 / result.mpp, rel=1e-6)
    np.testing.assert_array_equal(pixels, result.images["ihc"][0].compute())


def test_an_incomplete_result_is_refused_unless_told(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result(done=7)
    with pytest.raises(InputError, match=rf"r\.ome\.zarr is incomplete \(7 of {result.tiles} tiles\)"):
        export(result, tmp_path / "r.ome.tif")
    assert not (tmp_path / "r.ome.tif").exists()
    export(result, tmp_path / "r.ome.tif", allow_incomplete=True)
    with tifffile.TiffFile(tmp_path / "r.ome.tif") as file:
        assert f"Incomplete: 7 of {result.tiles} tiles." in file.ome_metadata


def test_memory_does_not_grow_with_the_image() -> None:
    # 900 MB of pixels made as they are read: if anything kept them, the peak would say so.
    level = da.full((10_000, 30_000, 3), 7, dtype=np.uint8, chunks=(256, 256, 3))
    made = tiles(level, np.ndarray.copy, planar=False, fill=255.0)
    tracemalloc.start()
    for _ in range(300):
        block = next(made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert block.shape == (256, 256, 3)
    assert peak < 80e6


def test_a_failure_on_the_way_leaves_the_old_file_and_nothing_else(
    make_result: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, target = make_result(), tmp_path / "r.ome.tif"
    target.write_bytes(b"old")
    before = sorted(tmp_path.iterdir())
    written = tifffile.TiffWriter.write
    calls: list[int] = []

    def full_disk(self: tifffile.TiffWriter, *args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 5:
            raise OSError(28, "No space left on device")
        return written(self, *args, **options)

    monkeypatch.setattr(tifffile.TiffWriter, "write", full_disk)
    with pytest.raises(InputError, match=r"the disk is full .*: .*r\.ome\.tif could not be written to the end"):
        export(result, target, overwrite=True)
    assert target.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == before
