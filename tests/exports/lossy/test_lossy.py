"""Colours compressed with loss: only where the name says so, said in the file, and near to what was computed."""

from __future__ import annotations

import numpy as np
import openslide
import pytest
import tifffile

from diffuscope.exports import export
from diffuscope.scans import open_scan


@pytest.mark.parametrize(("ending", "compression"), [(".jpeg.ome.tif", 7), (".jxl.ome.tif", 50002)])
def test_colours_are_near_and_maps_are_the_same(make_result, tmp_path, ending, compression) -> None:
    result = make_result()
    path = export(result, tmp_path / f"r{ending}")
    plain = export(result, tmp_path / "r.ome.tif")
    assert path.stat().st_size < plain.stat().st_size
    with tifffile.TiffFile(path) as file:
        pages = [series.pages[0] for series in file.series]
        assert [int(page.compression) for page in pages] == [compression, 8, 8]
        # Y, Cb and Cr of every px are converted twice by Bio-Formats, and so by QuPath
        assert pages[0].photometric == tifffile.PHOTOMETRIC.RGB
        for series, port in zip(file.series, result.ports, strict=True):
            for stored, level in zip(series.levels, result.images[port.key], strict=True):
                expected = level.compute()
                if port.kind == "rgb":
                    error = np.abs(stored.asarray().astype(int) - expected)
                    assert 0 < error.mean() < 3
                else:
                    np.testing.assert_array_equal(stored.asarray(), np.moveaxis(expected, -1, 0).squeeze())
        said = file.ome_metadata
    assert said.count("Compressed with loss (JPEG") == 1 and "not for diagnosis" in said
    scan = open_scan(path)
    assert scan.mpp == result.mpp and scan.rgb
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(scan.levels[0].compute(), file.series[0].asarray())


def test_openslide_reads_the_jpeg(make_result, tmp_path) -> None:
    path = export(make_result(), tmp_path / "r.jpeg.ome.tif", layer="ihc")
    with openslide.OpenSlide(path) as slide:
        found = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
    np.testing.assert_array_equal(found, open_scan(path).levels[0].compute())


def test_a_plain_name_never_loses_anything(make_result, tmp_path) -> None:
    result = make_result()
    for name in ("r.ome.tif", "jpeg.ome.tif"):
        with tifffile.TiffFile(export(result, tmp_path / name)) as file:
            np.testing.assert_array_equal(file.series[0].asarray(), result.images["ihc"][0].compute())
            assert "with loss" not in file.ome_metadata
