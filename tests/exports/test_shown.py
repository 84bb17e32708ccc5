"""One range of a map, wherever it is drawn: the window's, which fits an uncertainty to its values."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import stain_result
import volume_result
from made_dicom import DEPTH, HEIGHT, WIDTH, write_ct
from PIL import Image

from diffuscope.exports import export
from diffuscope.exports.request import Request
from diffuscope.exports.shown import shown_port
from diffuscope.exports.summary.thumbnails import thumbnails
from diffuscope.exports.view.panels import panels_of
from diffuscope.ports.shown import fitted
from diffuscope.results.result import Result
from diffuscope.sample_data import sample_path

SD = replace(volume_result.FREE, name="spread", key="flair_sd", range=(0.0, 0.1), fill=0.0)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return stain_result.write_stain(tmp_path_factory.mktemp("shown"))


@pytest.fixture
def volume(tmp_path: Path) -> Result:
    """Of values that lie below 0.1 where 1 was thought of."""
    source = sample_path("head-patient19-T1.nii.gz")
    found = volume_result.write_result(tmp_path / "v.ome.zarr", source, ports=(SD,), is_whole=True)
    return replace(found, ports=(replace(SD, range=(0.0, 1.0)),))


def test_of_a_slide(result: Result, tmp_path: Path):
    _, dab, unsure = result.ports
    y, x, height, width = result.window
    values = stain_result.DAB[np.ix_(np.arange(y, y + height) % 800, np.arange(x, x + width) % 800)] / 4
    inside = result.coverage.read().mask([range(side) for side in result.window[2:]], (1, 1))
    high = fitted(values[inside], (0.0, 0.3), shorten=True)
    assert high != 0.3
    assert shown_port(result, unsure).range == (0.0, high)
    assert shown_port(result, dab).range == (0.0, fitted(4 * values[inside], (0.0, 1.0), shorten=False))
    assert shown_port(replace(result, complete=False), unsure) == unsure
    assert shown_port(result, replace(unsure, key="load")) == replace(unsure, key="load")

    panels, _ = panels_of(Request(result=result, ports=result.ports))
    assert panels[2].port.range == (0.0, high)
    gaps = "" if inside.all() else "; hatched: not computed"
    assert thumbnails(result)[2].caption == f"uncertainty: 0 black, {high:g} OD white{gaps}"
    folder = export(result, tmp_path / "out.qupath", layer="uncertainty")
    assert f"'ranges': [[0.0, {high!r}]]" in (folder / "import.groovy").read_text(encoding="utf-8")
    for name, file in (("a.ome.zarr", ".zattrs"), ("a.v05.ome.zarr", "zarr.json")):
        about = json.loads((export(result, tmp_path / name, layer="uncertainty") / file).read_text(encoding="utf-8"))
        omero = about["omero"] if file == ".zattrs" else about["attributes"]["ome"]["omero"]
        assert omero["channels"][0]["window"] == {"min": 0.0, "max": max(high, 0.3), "start": 0.0, "end": high}


def test_of_a_volume(volume: Result, tmp_path: Path):
    pydicom = pytest.importorskip("pydicom")
    assert shown_port(volume, volume.ports[0]).range == (0.0, pytest.approx(0.1))
    slices = sorted(export(volume, tmp_path / "v.dicom").iterdir())
    header = pydicom.dcmread(slices[0])
    assert (float(header.WindowCenter), float(header.WindowWidth)) == pytest.approx((0.05, 0.1))


def test_a_small_picture_of_a_volume_is_of_a_slice_that_was_computed_and_hatched_where_nothing_was(tmp_path: Path):
    source, low, high = write_ct(tmp_path / "ct"), *volume_result.HU.range
    path = tmp_path / "v.ome.zarr"
    made = volume_result.write_result(path, source, slices=(2, 6), empty=(4,), ports=(volume_result.HU,))
    [small] = thumbnails(made)
    assert small.caption == f"virtual CT: {low:g} black, {high:g} HU white; hatched: not computed"
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(small.uri.partition(",")[2]))).convert("L")).astype(int)
    # of 2, 3 and 5 the one in the middle: as it was written, but for what JPEG makes of a saw's teeth
    true = volume_result.expected(volume_result.HU, (DEPTH, HEIGHT, WIDTH), (2, 6), (4,))[3]
    there = np.isfinite(true)
    grey = 255 * (true - low) / (high - low)
    assert (
        np.abs(drawn - grey)[there].mean()
        < 8
        < np.abs(drawn - np.roll(grey, 1, axis=0))[there & np.roll(there, 1)].mean()
    )
    assert 0 < there.mean() < 1 and (drawn[:, :8] > 170).all()


def test_it_is_that_of_the_window(result: Result, volume: Result):
    napari = pytest.importorskip("napari")
    from diffuscope.plugin.layers.reading.viewer import reading_of
    from diffuscope.plugin.layers.results import result_layers

    for shown in (result, volume):
        viewer = napari.components.ViewerModel()
        reading_of(viewer)
        layers = [viewer.add_image(data, **about) for data, about, _ in result_layers(shown)]
        maps = [(layer, port) for layer, port in zip(layers, shown.ports, strict=True) if port.kind == "map"]
        assert maps
        for layer, port in maps:
            assert tuple(layer.contrast_limits) == shown_port(shown, port).range
