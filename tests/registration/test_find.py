"""Known warps of the shipped slide are found again, the same each time, and what does not match is refused."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from known_pair import turned, write_slide

from diffuscope.errors import InputError
from diffuscope.events import finish
from diffuscope.registration import find
from diffuscope.registration.density import find_tissue, haematoxylin
from diffuscope.registration.find import find_transform
from diffuscope.registration.search import STEP_DEGREES, find_start
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan


@pytest.mark.slow
def test_an_affine_warp_is_found_to_less_than_a_micrometre(affine_pair):
    found = finish(find_transform(affine_pair.fixed, affine_pair.moving, affine_only=True))
    errors = affine_pair.errors(found.transform)
    assert np.median(errors) < 1 and errors.max() < 1
    assert found.transform.rotation == pytest.approx(-7, abs=0.05)  # the known map goes the other way
    assert found.transform.scale == pytest.approx(1 / 1.02, abs=1e-3)
    assert found.transform.bend is None and list(found.stages) == ["before", "affine"]
    assert found.correlation > 0.9


@pytest.mark.slow
def test_a_bend_is_found_to_less_than_two_micrometres(bent_pair, found_bent):
    before, affine, bent = (bent_pair.errors(stage) for stage in found_bent.stages.values())
    assert np.median(before) > 20 > np.median(affine) > 2 > np.median(bent)
    assert np.percentile(bent, 95) < 5
    information = list(found_bent.information.values())
    assert information == sorted(information)
    assert max(found_bent.settings["control_point_spacing_um"]) < 200


@pytest.mark.slow
def test_the_transform_is_the_same_whatever_the_threads(bent_pair, tmp_path, monkeypatch):
    # The middle of the pair, seen coarser: enough that two threads would sum in another order.
    monkeypatch.setattr(find, "_FINEST_MPP", 2.0)
    middle = [
        open_scan(write_slide(tmp_path / f"{name}.ome.tif", np.asarray(scan.levels[0][300:900, 300:900])))
        for name, scan in (("fixed", bent_pair.fixed), ("moving", bent_pair.moving))
    ]
    threads, found = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(), []
    try:
        for number in (1, 2):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(number)
            found.append(finish(find_transform(*middle)).transform)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    for one, other in zip(*((each.matrix, each.shift, each.bend.coefficients) for each in found), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("degrees", "mirrored"), [(180.0, False), (-90.0, False), (63.0, True)])
def test_the_search_finds_every_way_a_slide_can_lie(restained, degrees, mirrored):
    pair = restained(f"lying-{degrees}", lambda points: turned(points, degrees, mirrored=mirrored))
    start = find_start(*(haematoxylin(scan, find_tissue(scan), 4.0) for scan in (pair.fixed, pair.moving)))
    assert start.transform.mirrored is mirrored
    # Half a step of rotation over 300 µm, and a coarse px.
    assert np.median(pair.errors(start.transform)) < 300 * np.radians(STEP_DEGREES / 2) + 4


def test_other_tissue_is_refused(affine_pair):
    other = open_scan(sample_path("OS-1-detail.ome.tif"))
    with pytest.raises(InputError, match=r"OS-1-detail.ome.tif shows no tissue that matches he.ome.tif"):
        finish(find_transform(affine_pair.fixed, other))


def test_a_slide_is_not_registered_to_itself(he_path):
    with pytest.raises(InputError, match="are the same slide"):
        finish(find_transform(open_scan(he_path), open_scan(he_path)))


def test_a_blank_slide_is_refused(affine_pair, tmp_path):
    blank = open_scan(write_slide(tmp_path / "blank.ome.tif", np.full((600, 600, 3), 243, np.uint8)))
    with pytest.raises(InputError, match=r"blank.ome.tif has no tissue"):
        finish(find_transform(affine_pair.fixed, blank))


def test_a_slide_without_a_scale_is_refused(affine_pair, tmp_path, he):
    unknown = open_scan(write_slide(tmp_path / "unknown.ome.tif", he[:600], mpp=None))
    with pytest.raises(InputError, match=r"unknown.ome.tif does not say its µm/px; .*--moving-mpp"):
        finish(find_transform(affine_pair.fixed, unknown))
