"""The result folder: OME-Zarr 0.4 as others read it, pyramid, place on the slide, outline, tissue."""

from __future__ import annotations

import errno
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from ome_zarr_models.v04 import Image
from skimage.draw import polygon2mask
from skimage.transform import downscale_local_mean

from diffuscope.errors import InputError
from diffuscope.results.canvas import Canvas
from diffuscope.results.pyramid import halve
from diffuscope.results.result import is_result, open_result
from diffuscope.results.tissue import crop_tissue, save_tissue
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region


def fill(canvas: Canvas, *, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for tile in canvas.plan.tiles():
        side = canvas.plan.tile
        shapes = {port.key: (len(port.channels), side, side) for port in canvas.ports}
        canvas.write_tile(tile, {key: rng.uniform(0, 255, shape).astype(np.float32) for key, shape in shapes.items()})


@pytest.fixture
def big(tmp_path, ports) -> Path:
    """A canvas of three levels with an odd size and an empty part."""
    plan = make_plan(shape=(701, 813), factors=(1.0, 1.0), tile=160, overlap=32, shows=lambda y, x, *_: x < 500)
    canvas = Canvas(tmp_path / "out.ome.zarr", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={"seed": 3})
    fill(canvas)
    assert canvas.finish()
    return canvas.path


def test_coarser_levels_are_area_means(big):
    result = open_result(big)
    for key, levels in result.images.items():
        assert [level.shape[:2] for level in levels] == [(701, 813), (351, 407), (176, 204)]
        for fine, coarse in pairwise(levels):
            fine, coarse = np.asarray(fine), np.asarray(coarse)
            height, width = fine.shape[0] // 2, fine.shape[1] // 2
            expected = downscale_local_mean(fine[: 2 * height, : 2 * width].astype(float), (2, 2, 1))
            tolerance = 0.5 if key == "ihc" else 1e-4
            np.testing.assert_allclose(coarse[:height, :width], expected, atol=tolerance)


@given(st.integers(1, 9), st.integers(1, 9))
def test_an_odd_last_row_is_the_mean_of_what_there_is(height, width):
    block = np.random.default_rng(height * 10 + width).random((2, height, width)).astype(np.float32)
    half = halve(block)
    for i in range(half.shape[1]):
        for j in range(half.shape[2]):
            expected = block[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].astype(float).mean(axis=(1, 2))
            np.testing.assert_allclose(half[:, i, j], expected, rtol=1e-6)


def test_tiles_without_tissue_are_unwritten_chunks_of_the_fill_value(big, ports):
    result = open_result(big)
    for port in ports:
        assert (np.asarray(result.images[port.key][0])[:, 700:] == port.fill).all()
        folder = big / ("" if port is ports[0] else port.key) / "0" / "0"
        assert sorted({int(file.name) for file in folder.glob("*/*")}) == [0, 1, 2]  # of columns 0…3


def test_others_read_the_metadata(big, ports):
    """ome-zarr-models checks the whole NGFF 0.4 schema, array by array."""
    for port in ports:
        image = Image.from_zarr(zarr.open_group(big / ("" if port is ports[0] else port.key), mode="r"))
        [multiscale] = image.attributes.multiscales
        assert [axis.name for axis in multiscale.axes] == ["c", "y", "x"]
        scale, translation = multiscale.datasets[0].coordinateTransformations
        assert scale.scale == [1.0, 0.5, 0.5]
        assert translation.translation == [0.0, 0.0, 0.0]
        assert [c.label for c in image.attributes.omero.channels] == list(port.channels)
        assert (
            image.attributes.omero.channels[0].window.start,
            image.attributes.omero.channels[0].window.end,
        ) == port.range
        array = zarr.open_array(big / ("" if port is ports[0] else port.key) / "0", mode="r")
        assert array.metadata.zarr_format == 2
        assert array.chunks == (len(port.channels), 256, 256)


@settings(max_examples=20)
@given(y=st.integers(0, 300), x=st.integers(0, 300), factor=st.sampled_from([0.5, 1.0, 2.0, 3.5]))
def test_every_level_lies_where_its_pixels_come_from(tmp_path_factory, ports, y, x, factor):
    plan = make_plan(shape=(2000, 2000), factors=(factor, factor), tile=300, overlap=0, region=Region(x, y, 1200, 1200))
    path = tmp_path_factory.mktemp("place") / "out"
    Canvas(path, plan=replace(plan, spacing=(0.25 * factor, 0.25 * factor)), ports=ports[:1], record={})
    [multiscale] = Image.from_zarr(zarr.open_group(path, mode="r")).attributes.multiscales
    for level, dataset in enumerate(multiscale.datasets):
        scale, translation = dataset.coordinateTransformations
        # Centre of the level's first px in level-0 px, from the definition: it covers `side` px from the window's edge.
        side = factor * 2**level
        centre = [edge * factor + side / 2 - 0.5 for edge in plan.window[:2]]
        np.testing.assert_allclose(translation.translation[1:], np.array(centre) * 0.25)
        np.testing.assert_allclose(scale.scale[1:], side * 0.25)
    np.testing.assert_allclose(
        open_result(path).origin, multiscale.datasets[0].coordinateTransformations[1].translation[1:]
    )


def test_outside_a_drawn_outline_nothing_is_painted(tmp_path, ports):
    corners = [(20.3, 10.1), (179.7, 60.9), (90.1, 189.3)]
    plan = make_plan(shape=(200, 200), factors=(2.0, 2.0), tile=16, overlap=4, region=Region.from_polygon(corners))
    canvas = Canvas(tmp_path / "out", plan=replace(plan, spacing=(1.0, 1.0)), ports=ports, record={})
    for tile in plan.tiles():
        canvas.write_tile(tile, {"ihc": np.zeros((3, 16, 16)), "dab": np.ones((1, 16, 16))})
    assert canvas.finish()
    y, x, height, width = plan.window
    painted = np.asarray(open_result(tmp_path / "out").images["ihc"][0])[..., 0] == 0
    # skimage counts pixel centres as integers.
    outline = np.array([(py / 2 - y - 0.5, px / 2 - x - 0.5) for px, py in corners])
    np.testing.assert_array_equal(painted, polygon2mask((height, width), outline))


def test_the_tissue_map_answers_as_the_whole_mask_does(tmp_path, ports):
    mask = np.random.default_rng(0).random((25, 30)) < 0.5
    corners = [(100.3, 90.1), (429.7, 120.9), (200.1, 379.3)]
    region = Region.from_polygon(corners)
    plan = make_plan(shape=(400, 480), factors=(2.0, 2.0), tile=32, overlap=8, region=region)
    canvas = Canvas(tmp_path / "out", plan=replace(plan, spacing=(1.0, 1.0)), ports=ports, record={})
    save_tissue(canvas.root, crop_tissue(mask, 16.0, factor=2.0, window=plan.window, region=region))
    y, x, height, width = plan.window
    rows, columns = np.mgrid[y : y + height, x : x + width] * 2.0 + 1.0
    inside = polygon2mask((height, width), np.array([(py / 2 - y - 0.5, px / 2 - x - 0.5) for px, py in corners]))
    expected = mask[(rows // 16).astype(int), (columns // 16).astype(int)] & inside
    tissue = open_result(tmp_path / "out").tissue
    np.testing.assert_array_equal(tissue.read(0, 0, height, width), expected)
    np.testing.assert_array_equal(tissue.read(7, 11, 20, 30), expected[7:27, 11:41])


def test_a_result_opens_again_with_all_it_knows(big, ports):
    result = open_result(big)
    assert result.ports == ports
    assert (result.complete, result.done, result.tiles) == (True, result.tiles, 24)
    assert (result.mpp, result.factor, result.window, result.origin) == (0.5, 1.0, (0, 0, 701, 813), (0.0, 0.0))
    assert result.record == {"seed": 3}
    assert result.table == []
    assert result.tissue is None
    assert result.images["ihc"][0].dtype == np.uint8
    assert result.images["dab"][0].dtype == np.float32


def test_an_unfinished_canvas_opens_as_incomplete_and_grows(tmp_path, ports):
    plan = make_plan(shape=(64, 64), factors=(1.0, 1.0), tile=32, overlap=8)
    canvas = Canvas(tmp_path / "out", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={})
    result = open_result(tmp_path / "out")
    assert (result.complete, result.done) == (False, 0)
    assert (np.asarray(result.images["ihc"][0]) == 255).all()
    fill(canvas)
    assert (np.asarray(result.images["ihc"][0]) != 255).any()
    canvas.refresh()
    assert open_result(tmp_path / "out").done == plan.count


def test_what_is_no_result_is_refused_in_a_sentence(tmp_path, big):
    (tmp_path / "text").write_text("no")
    zarr.create_group(tmp_path / "other.zarr", zarr_format=2)
    for name in ("nowhere", "text", "other.zarr"):
        assert not is_result(tmp_path / name)
        with pytest.raises(InputError, match=name):
            open_result(tmp_path / name)
    assert is_result(big)
    about = zarr.open_group(big, mode="a").attrs
    about["diffuscope"] = {**about["diffuscope"], "version": 99}
    with pytest.raises(InputError, match="newer"):
        open_result(big)


def test_a_write_that_fails_leaves_no_half_tile(tmp_path, ports, monkeypatch):
    plan = make_plan(shape=(64, 64), factors=(1.0, 1.0), tile=32, overlap=8)
    canvas = Canvas(tmp_path / "out", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={})
    [first, *_] = plan.tiles()

    def full(file, array):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    blank = {port.key: np.zeros((len(port.channels), 32, 32)) for port in ports}
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        with pytest.raises(OSError, match="No space"):
            canvas.write_tile(first, blank)
    assert canvas.count == 0
    assert not canvas.finish()
    assert (np.asarray(open_result(canvas.path).images["ihc"][0]) == 255).all()
