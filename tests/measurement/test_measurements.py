"""The numbers of a result against plain numpy and scikit-image on the whole image."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.measure import label, regionprops

from diffuscope.errors import InputError
from diffuscope.measurement import stain_image
from diffuscope.measurement.measurements import measure, write_csv
from diffuscope.results.result import Result, open_result
from diffuscope.tiling.region import Region

RNG = np.random.default_rng(5)
# 300 rows: two reads, the last strip short.
DAB = (ndimage.gaussian_filter(RNG.normal(size=(300, 260)), 3) * 2 + 0.1).clip(0).astype(np.float32)
# 8 level-0 px are 4 canvas px.
TISSUE = ndimage.binary_opening(RNG.random((75, 65)) < 0.9)
TISSUE_PX = np.kron(TISSUE, np.ones((4, 4), bool))


def objects(mask: np.ndarray, smallest_px: int) -> int:
    return sum(region.area >= smallest_px for region in regionprops(label(mask, connectivity=2)))


@pytest.mark.parametrize("columns", [4096, 100])  # at once, and in three parts
def test_numbers_of_a_whole_slide(make_result: Callable[..., Result], monkeypatch, columns: int) -> None:
    monkeypatch.setattr(stain_image, "_COLUMNS", columns)
    (row,) = measure(make_result(DAB, TISSUE))
    positive = TISSUE_PX & (DAB > 0.15)
    assert row["region"] == "all tissue"
    assert row["complete"] is True
    assert row["tissue_area_mm2"] == pytest.approx(TISSUE_PX.sum() * 0.25e-6)
    assert row["dab_positive_percent"] == pytest.approx(100 * positive.sum() / TISSUE_PX.sum())
    assert row["mean_dab_od"] == pytest.approx(DAB[TISSUE_PX].astype(float).mean(), rel=1e-6)
    assert row["positive_objects"] == objects(positive, 32)  # 8 µm² at 0.5 µm/px
    assert row["positive_per_mm2"] == pytest.approx(row["positive_objects"] / (TISSUE_PX.sum() * 0.25e-6))
    assert "samples" not in row and "region_name" not in row
    assert (row["threshold_od"], row["min_object_um2"], row["um_per_px"]) == (0.15, 8.0, 0.5)
    assert 20 < row["positive_objects"] < objects(positive, 1)


def test_threshold_of_the_record_and_smallest_object(make_result: Callable[..., Result]) -> None:
    record = {"parameters": {"dab_threshold": 0.3, "region": None}}
    (row,) = measure(make_result(DAB, TISSUE, record=record), min_object_um2=20.1)
    assert row["threshold_od"] == 0.3
    assert row["positive_objects"] == objects(TISSUE_PX & (DAB > 0.3), 81)


def test_only_the_region_counts_and_of_it_what_is_inside_the_outline(make_result: Callable[..., Result]) -> None:
    corners = ((101.0, 61.0), (480.0, 93.0), (300.0, 500.0))
    region = Region.from_polygon(list(corners))
    (row,) = measure(make_result(DAB, TISSUE, region=region, record={"parameters": {"region": str(region)}}))
    # Half planes, in level-0 px at the pixels' centres.
    y, x = (np.indices(DAB.shape) + 0.5) * 2
    inside = np.ones(DAB.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0
    tissue = TISSUE_PX & inside
    assert row["region"] == str(region)
    assert row["tissue_area_mm2"] == pytest.approx(tissue.sum() * 0.25e-6)
    assert row["mean_dab_od"] == pytest.approx(DAB[tissue].astype(float).mean(), rel=1e-6)
    assert row["positive_objects"] == objects(tissue & (DAB > 0.15), 32)


def test_of_a_rectangle_px_count_whose_middle_lies_in_it_as_of_the_same_outline(make_result, tmp_path) -> None:
    """The canvas has every px that it touches; counted whole they were up to a px more at each edge."""
    region = Region(101, 61, 78, 150)  # at two px a px, half of a px at both sides of each row
    (row,) = measure(make_result(DAB, TISSUE, region=region, record={"parameters": {"region": str(region)}}))
    y, x = (np.indices(DAB.shape) + 0.5) * 2
    inside = (y >= 61) & (y < 211) & (x >= 101) & (x < 179) & TISSUE_PX
    assert 0 < inside.sum() * 4 <= region.width * region.height
    assert row["tissue_area_mm2"] == pytest.approx(inside.sum() * 0.25e-6)
    assert row["mean_dab_od"] == pytest.approx(DAB[inside].astype(float).mean(), rel=1e-6)


def test_dab_of_colours_where_there_is_no_map(make_result: Callable[..., Result]) -> None:
    brown, blue = np.array([120, 80, 45]), np.array([90, 100, 170])
    image = np.where(DAB[..., None] > 0.2, brown, blue).astype(np.uint8)
    (row,) = measure(make_result(image, TISSUE))
    # scikit-image's DAB channel, another code of the same idea, tells the two colours apart.
    hed = rgb2hed(np.stack([brown, blue]).astype(np.uint8)[None])[0, :, 2]
    assert hed[0] > hed[1]
    assert row["dab_positive_percent"] == pytest.approx(100 * (DAB > 0.2)[TISSUE_PX].mean())


def test_incomplete_is_said(make_result: Callable[..., Result]) -> None:
    result = make_result(DAB, TISSUE, tiles=4)
    (row,) = measure(result)
    assert row["complete"] is False


def test_of_what_is_incomplete_only_what_was_computed_is_measured(make_result: Callable[..., Result]) -> None:
    result = make_result(DAB, TISSUE, tiles=4)
    (row,) = measure(result)
    assert result.coverage is not None
    height, width = DAB.shape
    there = result.coverage.read().mask((range(height), range(width)), (1, 1)) & TISSUE_PX
    assert 0 < there.sum() < TISSUE_PX.sum()
    assert row["tissue_area_mm2"] == pytest.approx(there.sum() * result.mpp**2 / 1e6)
    assert row["dab_positive_percent"] == pytest.approx(100 * (row["threshold_od"] < DAB)[there].mean())
    assert row["mean_dab_od"] == pytest.approx(DAB[there].mean(), rel=1e-4)


def test_no_tissue_has_no_percentage(make_result: Callable[..., Result]) -> None:
    result = make_result(DAB, np.zeros_like(TISSUE))
    rows = measure(result)
    write_csv(rows, result.path / "table.csv", replace=True)
    with (result.path / "table.csv").open(newline="", encoding="utf-8") as file:
        (read,) = csv.DictReader(file)
    assert read["tissue_area_mm2"] == "0"
    assert (read["dab_positive_percent"], read["mean_dab_od"], read["positive_objects"]) == ("", "", "0")


def test_a_result_without_tissue_mask_is_refused(make_result: Callable[..., Result]) -> None:
    with pytest.raises(InputError, match=r"r\.ome\.zarr has no tissue mask"):
        measure(replace(make_result(DAB, TISSUE), tissue=None))


def test_csv_is_read_back_with_the_result(make_result: Callable[..., Result]) -> None:
    result = make_result(DAB, TISSUE)
    rows = measure(result)
    write_csv(rows, result.path / "table.csv", replace=True)
    (read,) = open_result(result.path).table
    assert list(read) == list(rows[0])
    assert float(read["mean_dab_od"]) == pytest.approx(rows[0]["mean_dab_od"], rel=1e-5)
    assert read["complete"] == "True"
    assert not list(result.path.glob(".table*"))


def test_each_sample_is_measured_by_itself_and_their_ends_are_told(make_result: Callable[..., Result]) -> None:
    drawn = np.stack([(DAB + shift).clip(0) for shift in (0.02, -0.05, 0.01)])
    result = make_result(DAB, TISSUE, samples=drawn)
    assert [port.key for port in result.ports] == ["dab"] and list(result.samples) == ["samples"]
    (row,) = measure(result, threshold=0.2)
    counts = [objects(TISSUE_PX & (one > 0.2), 32) for one in drawn]
    shares = [100 * (TISSUE_PX & (one > 0.2)).sum() / TISSUE_PX.sum() for one in drawn]
    assert row["samples"] == 3
    assert (row["positive_objects_low"], row["positive_objects_high"]) == (min(counts), max(counts))
    assert row["dab_positive_percent_low"] == pytest.approx(min(shares))
    assert row["dab_positive_percent_high"] == pytest.approx(max(shares))
    assert row["mean_dab_od_high"] == pytest.approx(drawn[0][TISSUE_PX].mean(dtype=float), rel=1e-6)
    assert row["positive_objects"] == objects(TISSUE_PX & (DAB > 0.2), 32)
    assert measure(result, each_sample=False)[0].get("samples") is None


def test_a_row_has_the_name_and_the_class_of_what_was_drawn(make_result: Callable[..., Result]) -> None:
    record = {"parameters": {"region": "0,0,520,600"}, "drawn": {"name": "hot spot", "class": "Tumor"}}
    (row,) = measure(make_result(DAB, TISSUE, record=record))
    assert [*row.items()][:3] == [("region_name", "hot spot"), ("region_class", "Tumor"), ("region", "0,0,520,600")]
