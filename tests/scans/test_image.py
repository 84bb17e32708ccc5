"""One face for slides and volumes: what every image answers, whichever it is."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from diffuscope.errors import InputError
from diffuscope.scans import Image, open_input
from diffuscope.scans.box import read_volume
from diffuscope.scans.region import read_region

sitk = pytest.importorskip("SimpleITK")


@pytest.fixture
def slide(tmp_path: Path) -> Image:
    pixels = np.random.default_rng(0).integers(0, 4000, (2, 400, 500)).astype(np.uint16)
    pixels[:, 100:300, 150:400] += 20000
    about = {"axes": "CYX", "Channel": {"Name": ["CD31", "DAPI"]}, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    path = tmp_path / "slide.ome.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack", tile=(64, 64), metadata=about)
    return open_input(path)


@pytest.fixture
def volume(tmp_path: Path) -> Image:
    voxels = np.random.default_rng(0).integers(0, 30, (7, 20, 24)).astype(np.int16)
    voxels[1:6, 4:16, 5:20] += 900
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.5, 0.5, 3.0))
    sitk.WriteImage(image, str(tmp_path / "volume.nii"))
    return open_input(tmp_path / "volume.nii")


@pytest.fixture(params=["slide", "volume"])
def image(request: pytest.FixtureRequest) -> Image:
    return request.getfixturevalue(request.param)


def test_axes_shape_spacing_and_windows_go_together(image: Image):
    count = len(image.axes)
    assert len(image.shape) == len(image.spacing or ()) == count
    ones = (1.0,) * count
    whole = image.read((0,) * count, image.shape, factors=ones, fill=0)
    assert whole.shape == (*image.shape, len(image.channels)) and whole.dtype == image.dtype
    part = image.read((2,) * count, (4,) * count, factors=ones, fill=0)
    np.testing.assert_array_equal(part, whole[(slice(2, 6),) * count])


def test_windows_at_another_resolution_are_those_of_each_room(slide, volume):
    found = slide.read((3, 5), (20, 22), factors=(2.0, 2.0), fill=7)
    np.testing.assert_array_equal(found, read_region(slide, y=3, x=5, height=20, width=22, factor=2.0, fill=7))
    found = volume.read((-1, 3, 5), (4, 12, 9), factors=(1.0, 2.0, 1.5), fill=-5)
    place = {"z": -1, "y": 3, "x": 5, "depth": 4, "height": 12, "width": 9}
    np.testing.assert_array_equal(found, read_volume(volume.voxels, **place, factors=(1.0, 2.0, 1.5), fill=-5))


def test_px_per_px_of_a_model_are_told_by_what_the_model_states_of_such_an_image(slide, volume):
    model = SimpleNamespace(mpp=1.0, spacing=None)
    assert slide.factors(model) == (2.0, 2.0) and "reduced 2 times" in slide.resampling(model)[0]
    model = SimpleNamespace(mpp=500.0, spacing=(None, 1.0, 0.51))
    assert volume.factors(model) == (1.0, 2.0, 1.0) and "resampled" in volume.resampling(model)[0]


def test_foreground_and_its_percentiles(image: Image):
    inside = image.foreground()
    ones = (1.0,) * len(image.axes)
    assert 0.2 < inside.at(image.shape).mean() < 0.8
    one = image.channel(0)
    low, high = one.percentiles(inside, factors=ones)
    pixels = one.read((0,) * len(image.axes), image.shape, factors=ones, fill=0)
    # What a coarse mask's rim shows of the background is a few per cent.
    assert low < high <= pixels.max() and high > np.median(pixels[pixels > pixels.mean()])


def test_an_image_lies_on_its_own_grid_and_on_no_other(slide, volume, tmp_path):
    assert slide.is_on_grid_of(slide) and volume.is_on_grid_of(volume)
    assert not slide.is_on_grid_of(volume) and not volume.is_on_grid_of(slide)
    assert not slide.is_on_grid_of(open_input(slide.path, mpp=0.25))
    assert slide.channel(1).is_on_grid_of(slide) and slide.channel(1).channels == ("DAPI",)


def test_channels_are_chosen_where_there_are_any(slide, volume):
    assert slide.find_channel("dapi") == 1 and slide.find_channel("0") == 0
    assert volume.channel(0) is volume
    with pytest.raises(InputError, match="has no channels to choose: leave out #T1"):
        volume.find_channel("T1")


def test_what_a_record_states_and_what_a_user_is_told(image: Image):
    stated = json.loads(json.dumps(image.to_json()))
    assert stated["name"] == image.name and stated["shape"] == list(image.shape) and stated["mpp"] > 0
    assert stated["fingerprint"] == image.fingerprint and stated["format"] == image.format
    told = dict(image.describe())
    assert {"format", "size", "channels", "range", "fingerprint"} <= told.keys()
    assert "percentiles 0.5 and 99.5 of the foreground" in told["range"]
