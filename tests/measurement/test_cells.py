"""Cells that somebody outlined, against discs of which every px is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.affinity

from diffuscope import measure
from diffuscope.errors import InputError
from diffuscope.measurement.cells import measure_cells, read_cells
from diffuscope.ports.stains import find_stains
from diffuscope.results.result import Result
from diffuscope.tiling.region import Region

RNG = np.random.default_rng(8)
DAB = (RNG.random((300, 260)) * 0.5).astype(np.float32)
TISSUE = np.ones((75, 65), bool)
TISSUE[:, 50:] = False
# Middle (x, y) and radius on the canvas, px; the last two lie off the tissue and off the canvas.
DISCS = [(40.2, 50.7, 6.0), (120.5, 130.25, 9.5), (196.0, 255.0, 5.0), (30.0, 200.0, 0.2), (230.0, 40.0, 6.0),
         (900.0, 40.0, 6.0)]  # fmt: skip


def write(path: Path, discs: list[tuple[float, float, float]], kind: str = "cell", first: tuple = (0, 0)) -> Path:
    """Write discs as QuPath does, in px of the slide's level 0, of which two are one of the canvas."""
    shapes = [shapely.Point(x + first[0], y + first[1]).buffer(r, quad_segs=64) for x, y, r in discs]
    corners = [[[2 * x, 2 * y] for x, y in shape.exterior.coords] for shape in shapes]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"objectType": kind},
        }
        for ring in corners
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def means(image: np.ndarray, discs: list[tuple[float, float, float]]) -> list[float]:
    y, x = np.indices(image.shape) + 0.5
    found = []
    for cx, cy, r in discs:
        inside = (x - cx) ** 2 + (y - cy) ** 2 < r**2
        found.append(image[inside].mean(dtype=float) if inside.any() else image[int(cy), int(cx)])
    return found


def test_a_cell_has_the_mean_of_the_px_inside_its_outline(make_result: Callable[..., Result], tmp_path: Path) -> None:
    drawn = np.stack([DAB, DAB / 2])
    result = make_result(DAB, TISSUE, samples=drawn)
    [stain] = find_stains(result.ports)
    cells = measure_cells(result, stain, read_cells(write(tmp_path / "cells.geojson", DISCS)))
    assert sorted(cells.dab) == pytest.approx(sorted(means(DAB, DISCS[:4])), rel=2e-3)
    assert np.allclose(cells.each, [cells.dab, cells.dab / 2], rtol=1e-5)
    assert cells.outside == 2


def test_of_a_region_that_begins_elsewhere_places_are_the_slides(make_result: Callable[..., Result], tmp_path: Path):
    region = Region(100, 60, 300, 400)
    result = make_result(DAB, TISSUE, region=region)
    y0, x0 = result.window[:2]
    assert (y0, x0) != (0, 0)
    [stain] = find_stains(result.ports)
    whole = np.asarray(result.images["dab"][0][..., 0])
    discs = [(60.0, 70.0, 7.0)]
    cells = measure_cells(result, stain, read_cells(write(tmp_path / "c.geojson", discs, first=(x0, y0))))
    assert cells.dab.tolist() == pytest.approx(means(whole, discs), rel=2e-3)


def test_px_that_were_not_computed_are_none_of_a_cell(make_result: Callable[..., Result], tmp_path: Path):
    even, everywhere = np.full((300, 260), 0.2, np.float32), np.ones((75, 65), bool)
    # Of the canvas's px those with x + y < 260, which a slanted edge cuts out of a square.
    drawn = make_result(
        even,
        everywhere,
        region=Region.from_polygon([(20, 20), (500, 20), (20, 500)]),
        samples=np.stack([even, even]),
    )
    [stain] = find_stains(drawn.ports)
    y0, x0 = drawn.window[:2]
    discs = [(x - x0, y - y0, 8.0) for x, y in ((125.0, 130.0), (128.0, 130.0), (60.0, 60.0))]
    cells = measure_cells(drawn, stain, read_cells(write(tmp_path / "a.geojson", discs, first=(x0, y0))))
    np.testing.assert_allclose([cells.dab, *cells.each], 0.2, rtol=1e-6)
    assert (cells.dab.shape, cells.outside) == ((3,), 0)


def test_cells_at_the_edge_of_what_an_unfinished_run_computed(make_result: Callable[..., Result], tmp_path: Path):
    part = make_result(np.full((300, 260), 0.2, np.float32), np.ones((75, 65), bool), tiles=1)
    assert not part.complete
    [stain] = find_stains(part.ports)
    discs = [(60.0, 60.0, 10.0), (126.0, 60.0, 10.0), (130.0, 60.0, 10.0)]  # to x = 128 is computed
    cells = measure_cells(part, stain, read_cells(write(tmp_path / "b.geojson", discs)))
    np.testing.assert_allclose(cells.dab, [0.2, 0.2], rtol=1e-6)
    assert cells.outside == 1


def outlined(path: Path, shapes: list[shapely.Polygon]) -> Path:
    """Write outlines, in px of the canvas, as QuPath writes cells."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[[2 * x, 2 * y] for x, y in shape.exterior.coords]]},
            "properties": {"objectType": "cell"},
        }
        for shape in shapes
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def twelve_corners(x: float, y: float, r: float) -> shapely.Polygon:
    """Return a round cell as QuPath simplifies it."""
    return shapely.Polygon([(x + r * np.cos(a), y + r * np.sin(a)) for a in np.arange(12) * np.pi / 6])


@pytest.mark.parametrize("r", [2.0, 6.0, 15.0])
def test_the_middle_of_a_round_cell_decides_whether_it_counts(
    make_result: Callable[..., Result], tmp_path: Path, r: float
) -> None:
    """Tissue from 80 to 160 down and across: of middles a quarter px apart those from 80 on and below 160 count."""
    tissue = np.zeros((75, 65), bool)
    tissue[20:40, 20:40] = True
    result = make_result(DAB, tissue)
    [stain] = find_stains(result.ports)
    for steps in (np.r_[76:84:0.25], np.r_[156:164:0.25]):
        for places in ([(120.0, at) for at in steps], [(at, 120.0) for at in steps]):
            shapes = [twelve_corners(*place, r) for place in places]
            cells = measure_cells(result, stain, read_cells(outlined(tmp_path / "c.geojson", shapes)))
            assert len(cells.dab) == ((steps >= 80) & (steps < 160)).sum() == 16


def test_the_middle_of_a_crescent_lies_beside_it(make_result: Callable[..., Result], tmp_path: Path) -> None:
    tissue = np.zeros((75, 65), bool)
    tissue[20:40, 20:40] = True
    image = np.zeros(DAB.shape, np.float32)
    result = make_result(image, tissue)
    [stain] = find_stains(result.ports)
    # 270° of a ring: its middle lies 3 px beside that of the ring, where there is none of it.
    ring = shapely.Point(0, 0).buffer(10, quad_segs=64).difference(shapely.Point(0, 0).buffer(9, quad_segs=64))
    open_right = ring.difference(shapely.Polygon([(0, 0), (20, -20), (20, 20)]))
    open_left = shapely.affinity.scale(open_right, xfact=-1, origin=(0, 0))
    for shape, x, counts in ((open_right, 85, 1), (open_left, 75, 0)):
        shape = shapely.affinity.translate(shape, x, 120)
        assert not shape.contains(shape.centroid)
        cells = measure_cells(result, stain, read_cells(outlined(tmp_path / "c.geojson", [shape])))
        assert (len(cells.dab), cells.outside) == (counts, 1 - counts)


def test_the_verb_tells_what_part_of_the_cells_is_positive(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result(DAB, TISSUE, samples=np.stack([DAB, DAB / 2]))
    found: list[Any] = list(
        measure(
            result.path, cells=write(tmp_path / "c.geojson", DISCS, "detection"), out=tmp_path / "t.csv", threshold=0.2
        )
    )
    [row] = found[-1].rows
    known = np.array(means(DAB, DISCS[:4]))
    assert (row["cells"], row["positive_cells"]) == (4, (known > 0.2).sum())
    assert row["positive_cells_percent"] == 25 * (known > 0.2).sum() > 0
    assert row["positive_cells_percent_low"] == 25 * (known / 2 > 0.2).sum() < row["positive_cells_percent_high"]
    assert row["cells_per_mm2"] == pytest.approx(4 / row["tissue_area_mm2"])
    assert "4 of 6 cells" in found[-2].sentence
    assert "positive_cells_percent" in (tmp_path / "t.csv").read_text()
    # Nobody outlined all cells: nothing is said of them.
    [plain] = list(measure(result.path))[-1].rows
    assert not [column for column in plain if "cells" in column]


def test_what_holds_no_cells_or_none_of_this_slide_is_said(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result(DAB, TISSUE)
    with pytest.raises(InputError, match=r"a\.geojson holds no cells: detect cells in QuPath"):
        measure(result.path, cells=write(tmp_path / "a.geojson", DISCS, "annotation"))
    *_, notice, last = measure(result.path, cells=write(tmp_path / "b.geojson", DISCS[4:]))
    assert "is the file of this slide" in notice.sentence
    assert last.rows[0]["cells"] == 0 and last.rows[0]["positive_cells_percent"] is None
    with pytest.raises(InputError, match="leave vessels and regions out"):
        measure(result.path, tmp_path / "b.geojson")


def test_our_own_objects_are_no_cells(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result(DAB, TISSUE)
    cells, own = (write(tmp_path / f"{name}.geojson", DISCS, "detection") for name in ("cells", "own"))
    ours = json.loads(own.read_text())["features"]
    for one in ours:
        one["properties"]["classification"] = {"name": result.ports[0].name}
    own.write_text(json.dumps({"type": "FeatureCollection", "features": ours}))
    with pytest.raises(InputError, match="holds the objects that Diffuscope found positive, and no cells"):
        measure(result.path, cells=own)
    both = json.loads(cells.read_text())["features"] + ours
    cells.write_text(json.dumps({"type": "FeatureCollection", "features": both}))
    *told, measured = measure(result.path, cells=cells)
    assert any("6 objects that Diffuscope found positive are no cells" in getattr(one, "sentence", "") for one in told)
    assert measured.rows[0]["cells"] == 4


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"threshold": float("nan")}, "the threshold is nan: give a number from 0 on"),
        ({"threshold": -1.0}, "the threshold is -1"),
        ({"out": "t.xlsx"}, "t.xlsx: the table is CSV; call it t.csv"),
    ],
)
def test_what_no_table_can_hold_is_refused(make_result: Callable[..., Result], tmp_path: Path, more, said) -> None:
    result = make_result(DAB, TISSUE)
    if "out" in more:
        more = {"out": tmp_path / more["out"]}
    with pytest.raises(InputError, match=said):
        measure(result.path, **more)
    assert not (tmp_path / "t.xlsx").exists()
