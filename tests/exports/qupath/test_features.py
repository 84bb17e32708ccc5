"""Objects for QuPath: as many as are counted, where they lie on the slide, valid, and of the form that it reads."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import nano_result
import numpy as np
import pytest
import shapely
import stain_result
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.draw import polygon2mask
from skimage.measure import label, regionprops

from diffuscope.exports.anonymous import anonymous
from diffuscope.exports.qupath.features import _to_slide, features, geometry_of
from diffuscope.measurement.measurements import measured_at
from diffuscope.measurement.outlines import find_runs, outline
from diffuscope.scans.qupath.live import OF_RESULT
from diffuscope.tiling.region import Region


def filled(geometry: dict, factor: float, corner: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """Fill what a geometry outlines on the canvas (even and odd, at the middle of px), read by shapely."""
    read = shapely.from_geojson(json.dumps(geometry))
    assert read.is_valid and not read.is_empty
    mask = np.zeros(shape, bool)
    for part in shapely.get_parts(read):
        for ring in (part.exterior, *part.interiors):
            x, y = np.asarray(ring.coords).T / factor
            mask ^= polygon2mask(shape, np.stack([y - corner[0], x - corner[1]], axis=1) - 0.5)
    return mask


def check_feature(one: dict) -> None:
    """Hold a feature to what QuPath 0.5 to 0.8 read without an error."""
    assert set(one) == {"type", "id", "geometry", "properties"} and one["type"] == "Feature"
    assert str(UUID(one["id"])) == one["id"]
    kind, coordinates = one["geometry"]["type"], one["geometry"]["coordinates"]
    assert kind in {"Polygon", "MultiPolygon"} and (kind == "Polygon" or len(coordinates) > 1)
    for polygon in [coordinates] if kind == "Polygon" else coordinates:
        for ring in polygon:
            assert len(ring) >= 4 and ring[0] == ring[-1]
            assert all(round(value, 2) == value for point in ring for value in point)
    assert shapely.from_geojson(json.dumps(one["geometry"])).is_valid
    about = one["properties"]
    assert about["objectType"] in {"annotation", "detection", "tile"}
    assert set(about) <= {"objectType", "classification", "name", "isLocked", "measurements", "metadata"}
    assert set(about["classification"]) == {"name", "color"}
    assert len(about["classification"]["color"]) == 3
    assert all(type(value) is int and 0 <= value <= 255 for value in about["classification"]["color"])
    assert all(type(value) in (int, float) and np.isfinite(value) for value in about["measurements"].values())


@settings(max_examples=100, deadline=None)
@given(
    mask=hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    factor=st.floats(0.25, 40.0),
    corner=st.tuples(st.integers(0, 90_000), st.integers(0, 90_000)),
)
def test_outlines_on_the_slide_give_the_mask_back(mask: np.ndarray, factor: float, corner: tuple[int, int]) -> None:
    labels, found = ndimage.label(mask, np.ones((3, 3)))
    runs = find_runs(mask)
    result = SimpleNamespace(window=(*corner, *mask.shape), place=SimpleNamespace(factors=(factor, factor)))
    drawn = map(_to_slide(result), outline(runs, labels[runs.rows, runs.starts] - 1, found))
    for number, one in enumerate(drawn, start=1):
        assert np.array_equal(filled(geometry_of(one), factor, corner, mask.shape), labels == number)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    result = stain_result.write_stain(tmp_path_factory.mktemp("stain"))
    return result, list(features(result, result.record))


def test_as_many_detections_as_the_table_counts(found: tuple) -> None:
    result, every = found
    detections = [one for one in every if one["properties"]["objectType"] == "detection"]
    assert len(detections) == int(result.table[0]["positive_objects"]) > 20
    assert len({one["id"] for one in every}) == len(every)
    for one in every:
        check_feature(one)


def test_each_lies_where_scikit_image_finds_it(found: tuple) -> None:
    result, every = found
    y, x, height, width = result.window
    rows, columns = np.ix_((np.arange(y, y + height)) % 800, (np.arange(x, x + width)) % 800)
    dab = stain_result.DAB[rows, columns].astype(np.float32)
    slide_y, slide_x = (np.indices(dab.shape) + 0.5 + np.array([y, x])[:, None, None]) * stain_result.FACTOR
    drawn = shapely.Polygon(stain_result.DRAWN.polygon)
    # the tissue mask of stain_result: all but its upper left corner, 20 px of the slide each
    inside = shapely.contains_xy(drawn, slide_x, slide_y) & ~((slide_y < 800) & (slide_x < 400))
    smallest = np.ceil(8 / stain_result.MPP**2)
    truths = [one for one in regionprops(label(inside & (dab > 0.25), connectivity=2), dab) if one.area >= smallest]
    of = {(*one.bbox, int(one.area)): one for one in truths}
    detections = [one for one in every if one["properties"]["objectType"] == "detection"]
    assert len(detections) == len(of) == len(truths)
    for one in detections:
        assert one["properties"]["classification"] == {"name": "virtual CD3", "color": [139, 69, 19]}
        mask = filled(one["geometry"], stain_result.FACTOR, (y, x), dab.shape)
        ys, xs = np.nonzero(mask)
        truth = of.pop((ys.min(), xs.min(), ys.max() + 1, xs.max() + 1, int(mask.sum())))
        assert (mask[truth.slice] == truth.image).all()
        measured = one["properties"]["measurements"]
        assert measured["Mean DAB (OD)"] == pytest.approx(truth.intensity_mean, rel=1e-4)
        assert measured["Mean uncertainty (OD)"] == pytest.approx(truth.intensity_mean / 4, rel=1e-4)
        assert measured["Area (µm²)"] == pytest.approx(truth.area * stain_result.MPP**2)
        # to within one px of the model, the middle of which lies inside
        assert drawn.buffer(stain_result.FACTOR).covers(shapely.from_geojson(json.dumps(one["geometry"])))


def test_the_region_has_its_outline_and_the_numbers_of_the_table(found: tuple) -> None:
    result, every = found
    (region,) = [one for one in every if one["properties"]["objectType"] == "annotation"]
    drawn = shapely.from_geojson(json.dumps(region["geometry"]))
    assert drawn.equals(shapely.Polygon(stain_result.DRAWN.polygon))
    about = region["properties"]
    assert (about["name"], about["isLocked"]) == ("Computed region", True)
    assert about["measurements"]["Positive objects"] == int(result.table[0]["positive_objects"])
    assert about["measurements"]["Mean DAB in tissue (OD)"] == float(result.table[0]["mean_dab_od"])
    assert "not for diagnosis" in about["metadata"]["Diffuscope"]


def test_a_region_with_a_name_has_it_and_keeps_its_class(tmp_path: Path) -> None:
    for number, (name, category, called) in enumerate(
        [("region 1", "Tumor", "region 1"), ("7", "", "7"), ("", "Tumor", "Tumor")]
    ):
        drawn = {"drawn": {"name": name, "class": category}}
        result = stain_result.write_stain(tmp_path / str(number), record={**stain_result.RECORD, **drawn})
        about = next(features(result, result.record))["properties"]
        assert (about["name"], about["classification"]["name"]) == (called, "Computed region")
        assert "Name" not in about["measurements"]  # a name of digits is no number
        # what tells nothing of the input does not tell what whoever drew it wrote
        assert next(features(result, anonymous(result.record)))["properties"]["name"] == "Computed region"


def test_numbers_of_samples_have_the_words_of_the_window(tmp_path: Path) -> None:
    result = stain_result.write_stain(tmp_path, ports=(*stain_result.PORTS, stain_result.SAMPLED))
    measured = next(features(result, result.record))["properties"]["measurements"]
    [row] = result.table
    for name, column in (
        ("Positive objects, lowest sample", "positive_objects_low"),
        ("Positive objects per mm², highest sample", "positive_per_mm2_high"),
        ("DAB-positive area (%), lowest sample", "dab_positive_percent_low"),
    ):
        assert measured[name] == float(row[column])
    assert not [name for name in measured if "_" in name]


def test_a_rectangle_is_one(tmp_path: Path) -> None:
    result = stain_result.write_stain(tmp_path, Region(300, 400, 500, 310))
    region = next(features(result, result.record))
    assert shapely.from_geojson(json.dumps(region["geometry"])).equals(shapely.box(300, 400, 800, 710))


def test_without_a_region_the_tissue_is_it(tmp_path: Path) -> None:
    result = stain_result.write_stain(tmp_path, None)
    region = next(features(result, result.record))
    assert region["properties"]["name"] == "All tissue"
    tissue = shapely.box(0, 0, 1300, 1500) - shapely.box(0, 0, 400, 800)
    assert shapely.from_geojson(json.dumps(region["geometry"])).equals(tissue)


def test_ids_are_of_the_result(found: tuple) -> None:
    result, every = found
    assert [one["id"] for one in features(result, result.record)] == [one["id"] for one in every]
    other = [one["id"] for one in features(result, {**result.record, "model": {"name": "another"}})]
    assert not set(other) & {one["id"] for one in every}
    # All of one result begin alike, whatever the threshold; what has other numbers is another object.
    again = measured_at(result, 0.4)
    counted = [one["id"] for one in features(again, again.record)]
    assert counted[0] != every[0]["id"]
    assert {one[:OF_RESULT] for one in counted} == {one["id"][:OF_RESULT] for one in every}
    assert len({one[:OF_RESULT] for one in (*counted, *other)}) == 2


def test_tiles_with_what_was_told_of_them(tmp_path: Path) -> None:
    _, result = nano_result.write_nano(tmp_path)
    every = list(features(result, result.record))
    for one in every:
        check_feature(one)
    tiles = [one for one in every if one["properties"]["objectType"] == "tile"]
    arrays = result.values.arrays
    told = arrays["divergence"].mean(axis=-1)
    assert len(tiles) == told.size == 36
    boxes = [shapely.from_geojson(json.dumps(one["geometry"])) for one in tiles]
    # a tile as far as no other reaches: together they are the slide, and none lies on another
    assert shapely.union_all(boxes).equals(shapely.box(0, 0, nano_result.SIDE, nano_result.SIDE))
    assert sum(box.area for box in boxes) == nano_result.SIDE**2
    for one, box in zip(tiles, boxes, strict=True):
        # tiles of 64 px every 48 px: tile i is alone from 48·i + 8 on
        row, column = (max(0, int((value - 8) // 48)) for value in (box.centroid.y, box.centroid.x))
        assert one["properties"]["measurements"]["divergence d, mean of the tile"] == pytest.approx(told[row, column])


def test_of_several_stains_each_has_its_own(tmp_path: Path) -> None:
    from dataclasses import replace

    ihc, dab, uncertainty = stain_result.PORTS
    ports = (
        replace(ihc, key="ihc_cd3"),
        replace(dab, key="dab_cd3", name="CD3 DAB"),
        replace(uncertainty, key="uncertainty_cd3", name="CD3 uncertainty"),
        replace(ihc, key="ihc_ck", name="virtual CK"),
        replace(dab, key="dab_ck", name="CK DAB"),
    )
    result = stain_result.write_stain(tmp_path, ports=ports)
    every = [one["properties"] for one in features(result, result.record)]
    counts = {row["stain"]: int(row["positive_objects"]) for row in result.table}
    assert set(counts) == {"CD3", "CK"}
    for stain, count in counts.items():
        mine = [about for about in every if about["classification"]["name"] == f"virtual {stain}"]
        assert len(mine) == count > 5
        assert all(("Mean CD3 uncertainty (OD)" in about["measurements"]) == (stain == "CD3") for about in mine)
    assert f"CK: {'Positive objects'}" in every[0]["measurements"]
