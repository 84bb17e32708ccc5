"""A region lies where it lay in the CT, whatever is cut out, and keeps the intensities that count."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from diffuscope.errors import InputError
from diffuscope.radiomics.region import open_region
from diffuscope.radiomics.settings import RadiomicsSettings

SPACING = (3.0, 0.9, 0.8)


def ramp(shape: tuple[int, int, int]) -> np.ndarray:
    """Return HU that are mm: 2 z + 3 y − x."""
    z, y, x = (np.arange(n) * step for n, step in zip(shape, SPACING, strict=True))
    return 2 * z[:, None, None] + 3 * y[:, None] - x


def box(shape: tuple[int, int, int], *sides: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*side) for side in sides)] = True
    return mask


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_a_cut_region_is_that_of_the_whole_ct_resampled(rng: np.random.Generator, interpolation: str):
    shape, new = (21, 90, 100), 1.3
    image, mask = rng.normal(50, 30, shape), box(shape, (8, 14), (40, 52), (20, 33))
    settings = RadiomicsSettings(spacing=new, interpolation=interpolation, range=(None, None), features=("stat_mean",))
    region = open_region(image, mask, SPACING, settings)
    # IBSI: as many planes as cover the CT, about its centre, HU rounded, the mask from a half on.
    planes = []
    for n, step in zip(shape, SPACING, strict=True):
        count = int(np.ceil(n * step / new))
        planes.append(((n - 1) * step / 2 + (np.arange(count) - (count - 1) / 2) * new) / step)
    places = np.meshgrid(*planes, indexing="ij")
    whole = np.rint(map_coordinates(image, places, order={"linear": 1, "cubic": 3}[interpolation], mode="nearest"))
    inside = map_coordinates(mask.astype(float), places, order=1) >= 0.5
    np.testing.assert_array_equal(region.image[region.shape], whole[inside])
    assert region.image.size < whole.size / 20


@pytest.mark.parametrize(("first", "end"), [(0, 4), (3, 7), (6, 10), (0, 10)])
def test_a_mask_that_reaches_an_end_of_the_ct_keeps_its_volume(first: int, end: int):
    settings = RadiomicsSettings(spacing=1, range=(None, None), features=("stat_mean",))
    mask = box((10, 24, 24), (first, end), (8, 16), (0, 24))
    region = open_region(np.zeros(mask.shape), mask, (3.0, 1.0, 2.0), settings)
    assert region.shape.sum() == (end - first) * 3 * 8 * 48  # mm³, as it was drawn


def test_intensities_lie_where_they_lay():
    shape = (10, 40, 40)
    image, mask = ramp(shape), box(shape, (3, 7), (10, 30), (10, 30))
    region = open_region(
        image,
        mask,
        SPACING,
        RadiomicsSettings(spacing=0.5, range=(None, None), features=("ih_mean",), bin_width=None, bin_count=8),
    )
    # Linear interpolation keeps a ramp; its mean is that at the middle of the box, which new voxels hit by a half.
    middle = (2 * 4.5 * 3.0) + (3 * 19.5 * 0.9) - (19.5 * 0.8)
    assert region.image[region.shape].mean() == pytest.approx(middle, abs=0.4)
    assert region.shape.sum() * 0.5**3 == pytest.approx(mask.sum() * np.prod(SPACING), rel=0.02)
    assert region.spacing == (0.5, 0.5, 0.5)


def test_slices_stay_apart_where_they_are_to():
    shape = (6, 20, 20)
    settings = RadiomicsSettings(by_slice=True, spacing=2, range=(None, None), features=("stat_mean",))
    image = np.broadcast_to(100.0 * np.arange(6)[:, None, None], shape)
    region = open_region(image, box(shape, (1, 4), (5, 15), (5, 15)), SPACING, settings)
    assert region.spacing == (3.0, 2, 2)
    assert set(np.unique(region.image)) <= {100.0 * n for n in range(6)}


def test_what_is_no_tissue_keeps_its_shape_and_loses_its_intensities():
    shape = (1, 1, 12)
    image = np.array([-300, -200, 0, 1, 2, 3, 4, 5, 6, 7, 300, 301.0]).reshape(shape)
    kept = RadiomicsSettings(spacing=None, features=("stat_mean",))
    region = open_region(image, np.ones(shape, bool), (1, 1, 1), kept)
    assert region.shape.sum() == 12
    assert region.image[region.tissue].tolist() == [-200, 0, 1, 2, 3, 4, 5, 6, 7, 300]
    # Mean and spread are those of the whole region, before the range takes anything.
    both = kept.model_copy(update={"outliers": 1.0})
    values = image.ravel()
    near = (np.abs(values - values.mean()) <= values.std()) & (values >= -200) & (values <= 300)
    region = open_region(image, np.ones(shape, bool), (1, 1, 1), both)
    assert region.image[region.tissue].tolist() == values[near].tolist()


def test_what_cannot_be_measured_is_told():
    settings = RadiomicsSettings(features=("stat_mean",))
    image, mask = np.zeros((4, 5, 6)), np.ones((4, 5, 6), bool)
    with pytest.raises(InputError, match=r"4 × 5 × 6 voxels and the mask 4 × 6 × 5"):
        open_region(image, mask.transpose(0, 2, 1), (1, 1, 1), settings)
    with pytest.raises(InputError, match="how many mm"):
        open_region(image, mask, (1, 1, float("nan")), settings)
    with pytest.raises(InputError, match="the mask is empty"):
        open_region(image, ~mask, (1, 1, 1), settings)
    image[2, 2, 2] = np.nan
    with pytest.raises(InputError, match=r"no value .* of the mask"):
        open_region(image, mask, (1, 1, 1), settings)
    mask[2, 2, 2] = False
    with pytest.raises(InputError, match="beside the mask"):
        open_region(image, mask, (1.1, 1, 1), settings)


def test_what_is_too_large_to_be_a_tumour_is_refused_before_the_memory_is_full():
    image, mask = np.zeros((40, 60, 60)), np.ones((40, 60, 60), bool)
    with pytest.raises(InputError, match="spans 400 × 600 × 600 mm, too many voxels of 1 × 1 × 1 mm: look at"):
        open_region(image, mask, (10, 10, 10), RadiomicsSettings(features=("stat_mean",)))
    with pytest.raises(InputError, match="too many voxels"):
        open_region(image, mask, (1e9, 10, 10), RadiomicsSettings(features=("morph_diam",)))
    # Two voxels as far apart are not many.
    mask[1:-1], mask[:, 1:-1], mask[:, :, 1:-1] = False, False, False
    region = open_region(image, mask, (10, 10, 10), RadiomicsSettings(features=("stat_mean",)))
    assert region.image.size < 200_000
