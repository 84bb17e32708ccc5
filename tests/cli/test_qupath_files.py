"""`diffuscope info` on what QuPath wrote."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from diffuscope.cli import app

BOX = {"type": "Polygon", "coordinates": [[[10, 20], [1040, 20], [1040, 60], [10, 60], [10, 20]]]}


def told(path: Path) -> list[str]:
    done = CliRunner().invoke(app, ["info", str(path)])
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_annotations_with_the_numbers_that_a_region_takes(tmp_path: Path) -> None:
    drawn = {"objectType": "annotation", "name": "Core", "classification": {"name": "Tumour", "color": [1, 2, 3]}}
    cell = {"geometry": BOX, "properties": {"objectType": "cell"}}
    bare = {"geometry": BOX, "properties": {"objectType": "annotation"}}
    point = {"geometry": {"type": "Point", "coordinates": [1, 2]}}
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps([{"geometry": BOX, "properties": drawn}, cell, bare, point]), encoding="utf-8")
    assert told(path) == [
        "a.geojson: 2 × annotation, 1 × cell",
        "  1: Core (Tumour)  1,030 × 40 px at (10, 20)",
        "  3: annotation 3   1,030 × 40 px at (10, 20)",
        "a.geojson: 1 × Point left out, which bounds no area.",
    ]
    path.write_text("[]", encoding="utf-8")
    assert told(path) == ["a.geojson: nothing drawn"]


def test_the_slides_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_bytes(b"slide")
    (tmp_path / "data" / "1").mkdir(parents=True)
    (tmp_path / "data" / "1" / "data.qpdata").write_bytes(b"java")
    side = {"value": 0.25, "unit": "µm"}
    about = {"pixelCalibration": {"pixelWidth": side, "pixelHeight": side}}
    here = {"builderType": "uri", "uri": (tmp_path / "a.svs").as_uri(), "metadata": about}
    turned = {"builderType": "rotated", "builder": {"builderType": "uri", "uri": "file:/gone/b.svs"}}
    images = [
        {"serverBuilder": here, "entryID": 1, "imageName": "A"},
        {"serverBuilder": turned, "entryID": 2, "imageName": "B"},
        {"serverBuilder": {"uri": "https://example.org/7"}, "entryID": 3, "imageName": "C"},
    ]
    path = tmp_path / "p.qpproj"
    path.write_text(json.dumps({"images": images}), encoding="utf-8")
    assert told(path) == [
        "p.qpproj: a QuPath project of 3 images",
        f"  A  {tmp_path / 'a.svs'}, 0.25 µm/px",
        "  B  /gone/b.svs, not there, rotated in QuPath",
        "  C  https://example.org/7, which is not on a disk",
        (
            "Objects of a QuPath project are stored as Java objects (data.qpdata) and are not read: export them from "
            "QuPath as GeoJSON."
        ),
    ]
    path.write_text('{"images": []}', encoding="utf-8")
    assert told(path) == ["p.qpproj: a QuPath project of 0 images"]
