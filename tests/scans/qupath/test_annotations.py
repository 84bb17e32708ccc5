"""Annotations as QuPath and others write them, and what of them is refused, mended and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.scans.qupath.annotations import read_annotations

SQUARE = [[10, 20], [40, 20], [40, 60], [10, 60], [10, 20]]
HOLE = [[15, 25], [20, 25], [20, 30], [15, 30], [15, 25]]


def feature(geometry: Any = None, **properties: Any) -> dict[str, Any]:
    """Write a feature as QuPath 0.5 does."""
    return {
        "type": "Feature",
        "id": "1c9a1f3e-9f0f-4a3e-8b0b-3c2f8f0a1b11",
        "geometry": geometry or {"type": "Polygon", "coordinates": [SQUARE]},
        "properties": {"objectType": "annotation", **properties},
    }


def write(path: Path, features: Any) -> Path:
    path.write_text(json.dumps(features), encoding="utf-8")
    return path


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


@pytest.mark.parametrize("wrap", [collection, lambda one: [one], lambda one: one])
def test_a_collection_a_list_or_one_feature(tmp_path: Path, wrap: Any) -> None:
    one = feature(name="Core", classification={"name": "Tumour", "color": [200, 0, 10]})
    (found,) = read_annotations(write(tmp_path / "a.geojson", wrap(one))).found
    assert (found.name, found.category, found.color, found.kind) == ("Core", "Tumour", (200, 0, 10), "annotation")
    assert found.outline.equals(shapely.box(10, 20, 40, 60))


@pytest.mark.parametrize(
    ("told", "category", "color"),
    [
        ({"name": "Tumor", "colorRGB": -3670016}, "Tumor", (200, 0, 0)),  # before 0.4
        ({"names": ["Tumor", "Positive"], "color": [1, 2, 3]}, "Tumor: Positive", (1, 2, 3)),  # from 0.5 on
        ({"name": "Tumor", "color": [1, 2, 3, 128]}, "Tumor", (1, 2, 3)),
        ({"name": "Tumor", "color": "red"}, "Tumor", None),
        ("Stroma", "Stroma", None),
        (None, "", None),
        ({}, "", None),
    ],
)
def test_classes_of_all_versions(tmp_path: Path, told: Any, category: str, color: Any) -> None:
    (found,) = read_annotations(write(tmp_path / "a.geojson", [feature(classification=told)])).found
    assert (found.category, found.color) == (category, color)
    assert found.title == (category or "annotation 1")


def test_parts_holes_children_and_what_they_are(tmp_path: Path) -> None:
    parts = {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [[[50, 50], [60, 50], [60, 60]]]]}
    inner = feature(objectType="detection")
    old = {**feature(), "id": "PathCellObject", "properties": {}}
    qubalab = {**feature(), "properties": {"object_type": "ANNOTATION"}}
    read = read_annotations(write(tmp_path / "a.geojson", [feature(parts, childObjects=[inner]), old, qubalab]))
    assert [one.kind for one in read.found] == ["annotation", "detection", "cell", "annotation"]
    assert [one.number for one in read.found] == [1, 2, 3, 4]
    outline = read.found[0].outline
    assert outline.is_valid and outline.area == 30 * 40 - 25 + 50
    assert read.notices == ()


def test_a_single_part_is_a_polygon(tmp_path: Path) -> None:
    one = feature({"type": "MultiPolygon", "coordinates": [[SQUARE]]})
    assert read_annotations(write(tmp_path / "a.geojson", [one])).found[0].outline.geom_type == "Polygon"


def test_what_bounds_no_area_is_told(tmp_path: Path) -> None:
    line = feature({"type": "LineString", "coordinates": [[0, 0], [5, 5]]})
    point = feature({"type": "Point", "coordinates": [0, 0]})
    flat = feature({"type": "Polygon", "coordinates": [[[0, 0], [5, 5], [10, 10], [0, 0]]]})
    bow = feature({"type": "Polygon", "coordinates": [[[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]]})
    bare = {**feature(), "geometry": None}
    read = read_annotations(write(tmp_path / "a.geojson", [line, point, point, flat, bow, bare]))
    (found,) = read.found
    assert found.number == 5 and found.outline.area == 50
    told = "\n".join(read.notices)
    assert "1 × LineString" in told and "2 × Point" in told and "1 × outline without an area" in told
    assert "1 × object without an outline" in told and "2 outlines cross themselves" in told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"a\.geojson is not GeoJSON \(.*\): export the objects from QuPath again"),
        ('{"type": "FeatureCollection", "features": [', "is not GeoJSON"),
        ("[" * 100_000, "is not GeoJSON"),
        ('{"type": "FeatureCollection"}', "holds no features of GeoJSON: export the objects from QuPath as GeoJSON"),
        ('{"a": 1}', "holds no features"),
        ("3", "holds no features"),
        ("[3]", "holds something that is no feature of GeoJSON: export it again"),
        ('[{"type": "Feature", "geometry": 3}]', "holds something that is no feature"),
        (json.dumps([feature({"type": "Polygon"})]), r"cannot be read \(feature 1\): export"),
        (json.dumps([feature(), feature({"type": "Circle"})]), r"cannot be read \(feature 2\)"),
        (json.dumps([feature({"type": ["Polygon"]})]), r"cannot be read \(feature 1\)"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[[0, "a"], [1, 1], [2, 0]]]})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[[0, float("nan")], [1, 1], [2, 0]]]})]), "cannot"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[[0, 1e300], [1, 1], [2, 0]]]})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": 5})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [{}, [[1, 1], [2, 1], [2, 2]]]})]), "cannot be"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[], [[1, 1], [2, 1], [2, 2]]]})]), "cannot be"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [{"12": 1, "30": 2, "31": 3}]})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [["12", "30", "31", "12"]]})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[["1", 1], [2, 1], [2, 2]]]})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[[1], [2], [2], [1], [3], [4]]]})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": "12"})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[[True, 1], [2, 1], [2, 2]]]})]), "cannot be read"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[[-(2**63), 1], [2, 1], [2, 2]]]})]), "cannot be"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [[[10**400, 1], [2, 1], [2, 2]]]})]), "cannot be read"),
        (json.dumps([feature({"type": "MultiPolygon", "coordinates": {"12": 1}})]), "cannot be read"),
    ],
)
def test_damaged_files_are_named_with_the_way_out(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "a.geojson").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        read_annotations(tmp_path / "a.geojson")


def test_what_is_not_there_and_what_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.geojson does not exist: give the file that QuPath exported"):
        read_annotations(tmp_path / "a.geojson")
    (tmp_path / "b.geojson").write_bytes(b"\x1f\x8b\x08\x00\xff")
    with pytest.raises(InputError, match=r"b\.geojson is no text"):
        read_annotations(tmp_path / "b.geojson")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "features", "geometry", "coordinates", "properties", "classification", "name"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(told=JSON, geometry=JSON, properties=JSON)
def test_nothing_but_a_sentence_comes_of_anything(tmp_path_factory: Any, told: Any, geometry: Any, properties: Any):
    path = tmp_path_factory.getbasetemp() / "any.geojson"
    drawn = {"type": "Polygon", "coordinates": geometry}
    for one in (told, [{"type": "Feature", "geometry": drawn, "properties": properties}]):
        try:
            read = read_annotations(write(path, one))
        except InputError:
            continue
        assert all(found.outline.is_valid and found.outline.area > 0 for found in read.found)
