"""DICOM slides read back by pydicom, OpenSlide and our own reader, px by px."""

from __future__ import annotations

import numpy as np
import openslide
import pytest

from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.scans import open_scan

pydicom = pytest.importorskip("pydicom")


def test_every_level_comes_back_and_says_what_it_is(make_result, tmp_path) -> None:
    result = make_result()
    out = export(result, tmp_path / "r.dicom", layer="ihc")
    scan = open_scan(out)
    assert (scan.format, scan.rgb, scan.downsamples[:3]) == ("DICOM slide", True, (1.0, 2.0, 4.0))
    assert scan.mpp == pytest.approx(result.mpp, rel=1e-9)
    assert "r.dicom is no scan: a model computed it." in scan.notices
    for number, level in enumerate(result.images["ihc"]):
        np.testing.assert_array_equal(scan.levels[number].compute(), level.compute())
        about = pydicom.dcmread(out / f"{number:02d}.dcm")
        frames = pydicom.pixels.pixel_array(about, index=0, raw=True)
        np.testing.assert_array_equal(frames[: level.shape[0], : level.shape[1]], level[:256, :256].compute())
        assert about.ContentQualification == "RESEARCH" and "NOT FOR DIAGNOSIS" in about.SeriesDescription
        [origin] = about.TotalPixelMatrixOriginSequence
        place = [float(origin.YOffsetInSlideCoordinateSystem), float(origin.XOffsetInSlideCoordinateSystem)]
        step = result.mpp * 2**number
        assert np.allclose(place, [(at * result.mpp + step / 2) / 1000 for at in result.window[:2]])
    assert not any("µ.svs" in file.read_bytes().decode("latin-1") for file in out.iterdir())
    with openslide.OpenSlide(out / "00.dcm") as slide:
        assert slide.level_count == 3
        found = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[..., :3]
    np.testing.assert_array_equal(found, result.images["ihc"][0].compute())


def test_it_holds_one_colour_image(make_result, tmp_path) -> None:
    result = make_result()
    for layer in ("all", "dab"):
        with pytest.raises(InputError, match=r"holds one colour image: say which layer of r\.ome\.zarr \(ihc\)"):
            export(result, tmp_path / "r.dicom", layer=layer)
    assert [one.name for one in tmp_path.iterdir()] == ["r.ome.zarr"]
