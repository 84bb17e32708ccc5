"""Objects with outlines and means against scikit-image on the whole image, wherever bands are cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import shapely
from scipy import ndimage
from skimage.measure import label, regionprops

from diffuscope.errors import InputError
from diffuscope.measurement import positives, stain_image
from diffuscope.measurement.measurements import measure
from diffuscope.measurement.positives import find_positives
from diffuscope.ports.stains import find_stains
from diffuscope.results.result import Result
from diffuscope.tiling.region import Region

RNG = np.random.default_rng(5)
DAB = (ndimage.gaussian_filter(RNG.normal(size=(300, 260)), 3) * 2 + 0.1).clip(0).astype(np.float32)
TISSUE = ndimage.binary_opening(RNG.random((75, 65)) < 0.9)
TISSUE_PX = np.kron(TISSUE, np.ones((4, 4), bool))


@pytest.mark.parametrize(("rows", "columns"), [(256, 4096), (7, 100), (1, 300)])
def test_each_object_that_is_counted(make_result: Callable[..., Result], monkeypatch, rows: int, columns: int) -> None:
    for module in (stain_image, positives):
        monkeypatch.setattr(module, "_COLUMNS", columns)
    monkeypatch.setattr(positives, "BAND", rows)
    result = make_result(DAB, TISSUE)
    (stain,) = find_stains(result.ports)
    found = list(find_positives(result, stain, (result.ports[0],)))
    positive = TISSUE_PX & (DAB > 0.15)
    wanted = [one for one in regionprops(label(positive, connectivity=2), DAB) if one.area >= 32]
    assert len(found) == len(wanted) == measure(result)[0]["positive_objects"]
    # by bounding box and area
    of = {(*one.bbox, one.area): one for one in wanted}
    assert len(of) == len(wanted)
    for one in found:
        left, top, right, bottom = one.outline.bounds
        truth = of.pop((top, left, bottom, right, one.pixels))
        assert one.outline.is_valid and one.outline.area == one.pixels
        assert one.dab == pytest.approx(truth.mean_intensity, rel=1e-5) == one.means["dab"]
        centre = shapely.centroid(one.outline)
        assert (centre.y - 0.5, centre.x - 0.5) == pytest.approx(truth.centroid)


def test_smallest_object_and_region(make_result: Callable[..., Result]) -> None:
    region = Region.from_polygon([(101.0, 61.0), (480.0, 93.0), (300.0, 500.0)])
    record = {"parameters": {"region": str(region), "dab_threshold": 0.2}}
    result = make_result(DAB, TISSUE, region=region, record=record)
    (stain,) = find_stains(result.ports)
    found = list(find_positives(result, stain, min_object_um2=20.1))
    assert len(found) == measure(result, min_object_um2=20.1)[0]["positive_objects"] > 5
    assert min(one.pixels for one in found) >= 81
    drawn = shapely.Polygon(region.polygon)
    for one in found:
        # canvas px are two level-0 px, from the canvas's corner; to within one of them, whose middle lies inside
        lies = shapely.transform(one.outline, lambda points: (points + result.window[1::-1]) * 2)
        assert drawn.buffer(2).covers(lies)


def test_nothing_positive(make_result: Callable[..., Result]) -> None:
    result = make_result(np.zeros((60, 50), np.float32), TISSUE)
    assert list(find_positives(result, find_stains(result.ports)[0])) == []


def test_without_a_tissue_mask(make_result: Callable[..., Result]) -> None:
    from dataclasses import replace

    result = replace(make_result(DAB, TISSUE), tissue=None)
    with pytest.raises(InputError, match=r"r\.ome\.zarr has no tissue mask and cannot be measured: run it again"):
        list(find_positives(result, find_stains(result.ports)[0]))
