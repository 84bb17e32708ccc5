"""QuBaLab, by the makers of QuPath, reads what is written for QuPath, and what it writes is read here."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import shapely
import stain_result
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from live_qupath import FakeQuPath, running
from scipy import ndimage

from diffuscope.exports import export
from diffuscope.exports.qupath.features import _feature, _to_slide
from diffuscope.exports.qupath.live import send
from diffuscope.measurement.outlines import find_runs, outline
from diffuscope.scans.qupath.annotations import read_annotations

objects = pytest.importorskip("qubalab.objects")
# What QuBaLab outlines and fills with.
rasterio, affine = pytest.importorskip("rasterio.features"), pytest.importorskip("affine")
LETTERS = st.characters(exclude_categories=["Cs"])


def read(text: str) -> list:
    return [objects.ImageFeature.create_from_feature(one) for one in objects.geojson_features_from_string(text)]


@settings(max_examples=100)
@given(
    mask=hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    factor=st.sampled_from([0.25, 1.0, 2.08, 40.0]),
    corner=st.tuples(st.integers(0, 90_000), st.integers(0, 90_000)),
    kind=st.sampled_from(["annotation", "detection", "tile"]),
    name=st.text(LETTERS, min_size=1, max_size=20),
    measured=st.dictionaries(
        st.text(LETTERS, max_size=10), st.floats(allow_nan=False, allow_infinity=False), max_size=3
    ),
)
def test_every_object_that_is_written_is_read(mask, factor, corner, kind, name, measured) -> None:
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    runs = find_runs(mask)
    result = SimpleNamespace(window=(*corner, *mask.shape), place=SimpleNamespace(factors=(factor, factor)))
    drawn = map(_to_slide(result), outline(runs, labels[runs.rows, runs.starts] - 1, count))
    about = {"kind": kind, "of": name, "color": (139, 69, 19), "measurements": measured}
    written = [_feature("a", geometry=one, **about) for one in drawn]
    found = read(json.dumps({"type": "FeatureCollection", "features": written}))
    assert [one.id for one in found] == [one["id"] for one in written]
    to_slide = affine.Affine(factor, 0, corner[1] * factor, 0, factor, corner[0] * factor)
    for number, one in enumerate(found, start=1):
        assert one.is_valid and one.object_type.name.lower() == kind
        assert (one.classification.names, tuple(one.classification.color)) == ((name,), (139, 69, 19))
        assert one.measurements == measured
        filled = rasterio.rasterize([one.geometry], mask.shape, transform=to_slide)
        assert np.array_equal(filled == 1, labels == number)


@settings(max_examples=100)
@given(
    labels=hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)),
    kind=st.sampled_from(["ANNOTATION", "DETECTION", "TILE", "CELL"]),
    names=st.lists(st.text(LETTERS, min_size=1), min_size=3, max_size=3, unique=True),
)
def test_every_object_that_it_writes_is_read_here(tmp_path_factory, labels, kind, names) -> None:
    geojson = pytest.importorskip("geojson")
    classes = dict(enumerate(names, start=1))
    made = objects.ImageFeature.create_from_label_image(
        labels, object_type=objects.ObjectType[kind], include_labels=True, classification_names=classes
    )
    path = tmp_path_factory.getbasetemp() / "qubalab.geojson"
    path.write_text(geojson.dumps(geojson.FeatureCollection(made)), encoding="utf-8")
    annotations = read_annotations(path)
    assert annotations.notices == ()
    assert {one.category for one in annotations.found} == {classes[n] for n in np.unique(labels) if n}
    for one, other in zip(annotations.found, made, strict=True):
        assert (one.kind, one.color) == (kind.lower(), other.classification.color)
        number = int(other.measurements["Label"])
        assert np.array_equal(rasterio.rasterize([one.outline], labels.shape) == 1, labels == number)


def test_the_file_of_a_result(tmp_path: Path) -> None:
    result = stain_result.write_stain(tmp_path)
    text = (export(result, tmp_path / "out.qupath") / "objects.geojson").read_text(encoding="utf-8")
    region, *detections = read(text)
    assert region.is_annotation and len(detections) == int(result.table[0]["positive_objects"]) > 20
    around = shapely.geometry.shape(region.geometry).buffer(stain_result.FACTOR)
    for one in detections:
        assert one.is_detection and one.classification.names == ("virtual CD3",)
        assert set(one.measurements) == {"Mean DAB (OD)", "Area (µm²)", "Mean uncertainty (OD)"}
        outlined = shapely.geometry.shape(one.geometry)
        assert outlined.is_valid and around.covers(outlined)


def test_its_gateway_finds_what_was_sent(tmp_path: Path) -> None:
    # Also holds the stand-in for QuPath to what QuBaLab asks of QuPath.
    gateways = pytest.importorskip("qubalab.qupath")
    result = stain_result.write_stain(tmp_path)
    with running(FakeQuPath("file:/slides/patient-7.svs", stain_result.SHAPE)) as port:
        send(result, f"qupath:{port}")
        gateway = gateways.create_gateway(port=port, set_as_default=False)
        found = gateways.get_objects(gateway=gateway, converter="geojson")
        own = objects.ImageFeature(geometry=found[0].geometry, name="of QuBaLab")
        gateways.add_objects([own], gateway=gateway)
        assert gateways.count_objects(gateway=gateway) == len(found) + 1
        gateway.close()
    kinds = [one.object_type.name for one in found]
    assert kinds == ["ANNOTATION"] + ["DETECTION"] * int(result.table[0]["positive_objects"])
