"""A region named in a file of QuPath's is the region that was drawn, or a sentence says why it is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import shapely

from diffuscope.errors import InputError
from diffuscope.jobs.drawn.regions import find_region
from diffuscope.tiling.region import Region

RING = [[10.5, 20], [40, 22], [38, 60.25], [10.5, 20]]
BOX = [[10, 20], [40, 20], [40, 60], [10, 60], [10, 20]]
HOLE = [[15, 25], [20, 25], [20, 30], [15, 25]]


def one(ring: Any, name: str = "", category: str = "", kind: str = "annotation", *more: Any) -> dict[str, Any]:
    about: dict[str, Any] = {"objectType": kind}
    about |= {"name": name} if name else {}
    about |= {"classification": {"name": category, "color": [1, 2, 3]}} if category else {}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring, *more]}, "properties": about}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    parts = one(BOX, "parts", "Other")
    parts["geometry"] = {"type": "MultiPolygon", "coordinates": [[BOX], [[[100, 0], [110, 0], [110, 9], [100, 0]]]]}
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {}}
    features = [
        one(RING, "Core", "Tumour"),
        one(BOX, "", "Tumour"),
        one(BOX, "Box", "Stroma"),
        one(BOX, "pierced", "", "annotation", HOLE),
        parts,
        one(RING, "", "Cells", "detection"),
        point,
    ]
    path = tmp_path / "my slide.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def test_by_name_class_and_number(file: Path) -> None:
    region, told = find_region(f"{file}#Core")
    assert region.polygon is not None
    assert shapely.Polygon(region.polygon).equals(shapely.Polygon(RING))
    assert (region.x, region.y, region.width, region.height) == (10, 20, 30, 41)
    assert told == (
        "The region is “Core” of my slide.geojson.",
        "my slide.geojson: 1 × Point left out, which bounds no area.",
    )
    assert find_region(f"{file}#1")[0] == region
    assert (region.name, region.category) == ("Core", "Tumour")
    # a rectangle of whole px is one
    assert find_region(f"{file}#Stroma")[0] == Region(10, 20, 30, 40) == find_region(f"{file}#2")[0]
    assert find_region(f"{file}#6")[0] == region  # a detection, where it is named


def test_the_only_one_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "a.GeoJSON"
    path.write_text(json.dumps([one(BOX, "a#b"), one(RING, "", "Cells", "detection")]), encoding="utf-8")
    assert find_region(str(path))[0] == find_region(f"{path}#a#b")[0] == Region(10, 20, 30, 40)


def test_numbers_stay_numbers() -> None:
    assert find_region("1,2,30,40") == (Region(1, 2, 30, 40), ())


@pytest.mark.parametrize(
    ("which", "sentence"),
    [
        ("", r"my slide\.geojson has 5 such annotations: say which, as my slide\.geojson#NUMBER, of 1 \(Core\), 2"),
        ("#Tumour", r"has 2 such annotations: say which, as .*, of 1 \(Core\), 2 \(Tumour\)"),
        ("#Nothing", r'has no annotation "Nothing": choose one of 1 \(Core\), 2 \(Tumour\), 3 \(Box\)'),
        ("#pierced", r"“pierced” of my slide\.geojson has a hole, which would be computed as well"),
        ("#parts", r"“parts” of my slide\.geojson has 2 parts that do not touch: split it"),
        ("#Cells", 'has no annotation "Cells"'),
    ],
)
def test_what_is_no_region(file: Path, which: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        find_region(f"{file}{which}")


def test_nothing_to_choose_from(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="holds no annotation with an area: draw one in QuPath"):
        find_region(str(path))
    with pytest.raises(InputError, match=r"b\.geojson does not exist"):
        find_region(str(tmp_path / "b.geojson"))
