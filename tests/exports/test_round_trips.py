"""Whatever the size, the place, the resolution and the names: each format gives px, scale, names and origin back.

Each is read by a library of others: tifffile and ome-types, ome-zarr-models and zarr, pydicom.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import ome_types
import pydicom
import pypdf
import pytest
import tifffile
import zarr
from drawn_results import Drawn, drawn_results, noise, smooth
from hypothesis import HealthCheck, Phase, given, settings
from ome_zarr_models import v04, v05
from PIL import Image

from diffuscope.exports import export
from diffuscope.exports.view.sheet import BARS_UM, PANEL, SHORTEST, TALLEST
from diffuscope.results.result import Result

FEW = settings(max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@given(drawn_results())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_format_of_a_slide_gives_back_what_it_was_given(drawn: Drawn) -> None:
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        result = drawn.write(folder, noise)
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
    check_ome(file, result)


def check_ome(file: tifffile.TiffFile, result: Result) -> None:
    images = [image.pixels for image in ome_types.from_xml(file.ome_metadata, validate=True).images]
    for pixels in images:
        assert pixels.physical_size_x == pytest.approx(result.mpp, rel=1e-9)
        for axis, at in zip("yx", result.window[:2], strict=True):
            assert getattr(pixels.planes[0], f"position_{axis}") == pytest.approx(at * result.mpp, rel=1e-9)
    assert [one.name for one in images[1].channels] == list(result.ports[1].channels)


@pytest.mark.parametrize(("ending", "most"), [(".jpeg.ome.tif", 3.0), (".jxl.ome.tif", 8.0)])
def test_what_is_lost_by_a_lossy_compression_is_no_more_than_the_docs_say(ending: str, most: float) -> None:
    @given(drawn_results(largest=150))
    @FEW
    def check(drawn: Drawn) -> None:
        with tempfile.TemporaryDirectory() as where:
            result = drawn.write(Path(where), smooth)
            computed = np.asarray(result.images["ihc"][0]).astype(int)
            with tifffile.TiffFile(export(result, Path(where) / f"a{ending}")) as file:
                check_ome(file, result)
                error = np.abs(file.series[0].asarray().reshape(computed.shape) - computed)
                maps = np.moveaxis(np.asarray(result.images["maps"][0]), -1, 0)
                np.testing.assert_array_equal(file.series[1].asarray().reshape(maps.shape), maps)
        assert error.mean() <= most

    check()


@given(drawn_results(largest=200))
@FEW
def test_a_picture_has_the_size_and_the_scale_that_it_says(drawn: Drawn) -> None:
    with tempfile.TemporaryDirectory() as where:
        result = drawn.write(Path(where), smooth)
        with Image.open(export(result, Path(where) / "a.png")) as png:
            sheet, told = np.asarray(png.convert("RGB")), png.text["Description"]
        [page] = pypdf.PdfReader(export(result, Path(where) / "a.view.pdf")).pages
        held = np.asarray(page.images[0].image.convert("RGB")).astype(int)
    assert "not for diagnosis" in told
    height, width = result.window[2:]
    factor = min(PANEL / width, TALLEST / height)
    shown, panel = (max(1, round(factor * side)) for side in (width, height))
    # Three panels, two by two, each with its caption: the picture and two maps.
    assert sheet.shape == (74 + 2 * (panel + 54), 20 + 2 * (PANEL + 20), 3)
    assert [float(side) for side in page.mediabox[2:]] == pytest.approx(
        [side * 72 / 200 for side in sheet.shape[1::-1]]
    )
    assert held.shape == sheet.shape and np.abs(held - sheet).mean() < 4  # as JPEG
    um_per_px = result.mpp * width / shown
    black = (sheet[:, 20 : 20 + shown] == 20).all(axis=-1)
    longest = max((len(run) for row in black for run in "".join(map(str, row.astype(int))).split("0")), default=0)
    fits = [length / um_per_px for length in BARS_UM if SHORTEST <= length / um_per_px <= shown / 4]
    # Strokes of letters are shorter than the shortest bar.
    assert abs(longest - fits[-1]) <= 2 if fits else longest < 40


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
        [origin] = one.TotalPixelMatrixOriginSequence
        place = [float(origin.YOffsetInSlideCoordinateSystem), float(origin.XOffsetInSlideCoordinateSystem)]
        middle = result.mpp * 2**number / 2
        assert place == pytest.approx([(at * result.mpp + middle) / 1000 for at in result.window[:2]], rel=1e-9)
