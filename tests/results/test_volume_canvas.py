"""The result folder of a volume: OME-Zarr 0.4 as others read it, and that of a slide as it always was."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v04 import Image
from skimage.transform import downscale_local_mean

from diffuscope.exports import export
from diffuscope.jobs.room import disk_need
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

SPACING = (2.5, 0.4, 0.5)


@pytest.fixture(scope="module", params=[(1, 0), (4, 2)], ids=["slices", "patches"])
def whole(request, tmp_path_factory, ports) -> Path:
    """A canvas of three levels, of odd size, off the grid, at other factors along z and in the plane."""
    depth, overlap_depth = request.param
    plan = make_plan(
        shape=(5, 1400, 1200),
        spacing=SPACING,
        factors=(0.5, 2.0, 2.0),
        tile=320,
        overlap=32,
        depth=depth,
        overlap_depth=overlap_depth,
        region=Region(40, 60, 700, 1101),
        slices=(1, 4),
    )
    path = tmp_path_factory.mktemp("whole") / "out.ome.zarr"
    canvas = Canvas(path, plan=plan, ports=ports, record={"seed": 3})
    rng = np.random.default_rng(0)
    for tile in plan.tiles():
        shapes = {port.key: (len(port.channels), *plan.shape) for port in ports}
        canvas.write_tile(tile, {key: rng.uniform(0, 255, shape).astype(np.float32) for key, shape in shapes.items()})
    assert canvas.finish()
    return path


@pytest.fixture
def written(whole, tmp_path) -> Path:
    """A copy of it."""
    return shutil.copytree(whole, tmp_path / "out.ome.zarr")


def test_a_result_opens_again_with_its_place(written):
    result = open_result(written)
    assert result.complete
    assert result.window == (2, 30, 20, 6, 551, 350)
    assert result.place.unit == "mm"
    np.testing.assert_allclose(result.place.spacing, (1.25, 0.8, 1.0))
    assert result.place.factors == (0.5, 2.0, 2.0)
    # The first voxel of the canvas begins at voxel (1, 60, 40) of the volume; centres from centre (0, 0, 0).
    half = np.array([0.5, 2.0, 2.0]) / 2
    np.testing.assert_allclose(result.origin, (np.array([1, 60, 40]) + half - 0.5) * SPACING)
    assert result.mpp == 1000
    assert result.tissue is None
    assert [level.shape for level in result.images["ihc"]] == [(6, 551, 350, 3), (6, 276, 175, 3), (6, 138, 88, 3)]


def test_coarser_levels_are_means_in_the_plane_of_each_slice(written):
    for key, levels in open_result(written).images.items():
        for fine, coarse in pairwise(levels):
            fine, coarse = np.asarray(fine), np.asarray(coarse)
            height, width = fine.shape[1] // 2, fine.shape[2] // 2
            expected = downscale_local_mean(fine[:, : 2 * height, : 2 * width].astype(float), (1, 2, 2, 1))
            tolerance = 0.5 if key == "ihc" else 1e-4
            np.testing.assert_allclose(coarse[:, :height, :width], expected, atol=tolerance)


def test_others_read_axes_units_scale_and_place(written, ports):
    result = open_result(written)
    for port in ports:
        folder = written / ("" if port is ports[0] else port.key)
        image = Image.from_zarr(zarr.open_group(folder, mode="r"))
        [multiscale] = image.attributes.multiscales
        assert [axis.name for axis in multiscale.axes] == ["c", "z", "y", "x"]
        assert [axis.unit for axis in multiscale.axes[1:]] == ["millimeter"] * 3
        for level, dataset in enumerate(multiscale.datasets):
            scale, translation = dataset.coordinateTransformations
            np.testing.assert_allclose(scale.scale, [1, 1.25, 0.8 * 2**level, 1.0 * 2**level])
            # A level's first px begins where the canvas does.
            edge = np.array(result.origin) - np.array(result.place.spacing) / 2
            np.testing.assert_allclose(translation.translation[1:], edge + np.array(scale.scale[1:]) / 2)
        array = zarr.open_array(folder / "0", mode="r")
        assert array.metadata.zarr_format == 2
        assert array.chunks == (len(port.channels), 1, 256, 256)
        [node, *_] = Reader(parse_url(folder))()
        assert [level.shape for level in node.data] == [
            (len(port.channels), *level.shape[:3]) for level in result.images[port.key]
        ]
        np.testing.assert_array_equal(np.moveaxis(np.asarray(node.data[0]), 0, -1), result.images[port.key][0])


def test_a_volume_is_exported_as_ome_zarr(written, tmp_path):
    result = open_result(written)
    again = open_result(export(result, tmp_path / "export.ome.zarr", layer="dab"))
    assert again.place == result.place
    for level, expected in zip(again.images["dab"], result.images["dab"], strict=True):
        np.testing.assert_array_equal(level, expected)


@pytest.mark.parametrize("depth", [(1, 0), (6, 2)])
@pytest.mark.slow
def test_a_volume_takes_no_more_room_than_was_asked_for(tmp_path, ports, depth):
    options = {"tile": 32, "overlap": 8, "depth": depth[0], "overlap_depth": depth[1]}
    plan = make_plan(shape=(20, 100, 90), spacing=SPACING, factors=(1.0, 1.0, 1.0), **options)
    canvas = Canvas(tmp_path / "out", plan=plan, ports=ports, record={})
    rng = np.random.default_rng(0)
    most = 0
    for tile in plan.tiles():
        canvas.write_tile(tile, {port.key: rng.random((len(port.channels), *plan.shape)) for port in ports})
        most = max(most, sum(file.stat().st_size for file in canvas.path.rglob("*") if file.is_file()))
    assert most <= disk_need(plan, ports) <= 4 * most


def test_an_older_diffuscope_is_not_made_to_read_a_volume_nor_kept_from_a_slide(written, tmp_path, ports):
    def about(path: Path) -> dict:
        return zarr.open_group(path, mode="r").attrs["diffuscope"]

    assert about(written)["version"] == 2
    plan = make_plan(shape=(90, 80), factors=(2.0, 2.0), tile=16, overlap=4, region=Region(10, 20, 30, 40))
    Canvas(tmp_path / "slide", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={"seed": 3})
    slide = dict(about(tmp_path / "slide"))
    assert {port["key"] for port in slide.pop("ports")} == {"ihc", "dab"}
    assert slide == {
        "version": 1,
        "tiles": plan.count,
        "window": [10, 5, 20, 15],
        "factor": 2.0,
        "mpp": 0.5,
        "level0_origin_px": [20.0, 10.0],
        "origin_um": [5.125, 2.625],
        "record": {"seed": 3},
        "complete": False,
        "done": 0,
    }
    opened = open_result(tmp_path / "slide")
    assert (opened.place.unit, opened.place.spacing, opened.place.factors) == ("µm", (0.5, 0.5), (2.0, 2.0))
