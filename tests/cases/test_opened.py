from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from diffuscope.cases import Case, open_case, tissue_corners
from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.scans import tissue_mask

SLIDE = "CMU-1-Small-Region.svs"


def picture(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def test_windows_are_those_of_the_files(tmp_path: Path, noise: np.ndarray):
    files = {"he": picture(tmp_path / "he.png", noise), "ihc": picture(tmp_path / "ihc.png", noise[::-1].copy())}
    opened = open_case(Case("a", "a", files), mpp=0.5, assumed_mpp=0.5)
    assert opened.shape == (60, 80)
    np.testing.assert_array_equal(opened.read("ihc", 10, 20, 16, 8), noise[::-1][10:26, 20:28])
    assert (opened.read("he", -4, 0, 4, 8) == 255).all()
    half = open_case(Case("a", "a", files), mpp=1.0, assumed_mpp=0.5)
    means = noise.reshape(30, 2, 40, 2, 3).mean(axis=(1, 3))
    assert half.shape == (30, 40)
    assert np.abs(half.read("he", 0, 0, 30, 40) - means).max() <= 0.5
    assert open_case(Case("a", "a", files), mpp=None).shape == (60, 80)


def test_two_resolutions_meet_on_the_model_s_grid(tmp_path: Path, noise: np.ndarray):
    fine = np.repeat(np.repeat(noise, 2, axis=0), 2, axis=1)
    for name, pixels, mpp in (("fine", fine, 0.25), ("coarse", noise, 0.5)):
        tifffile.imwrite(
            tmp_path / f"{name}.ome.tif",
            pixels,
            photometric="rgb",
            metadata={"axes": "YXS", "PhysicalSizeX": mpp, "PhysicalSizeY": mpp},
        )
    opened = open_case(Case("a", "a", {k: tmp_path / f"{k}.ome.tif" for k in ("fine", "coarse")}), mpp=0.5)
    np.testing.assert_array_equal(opened.read("fine", 3, 5, 20, 30), opened.read("coarse", 3, 5, 20, 30))


def test_a_silent_file_of_the_same_size_takes_its_partner_s_resolution(tmp_path: Path, noise: np.ndarray):
    he = tmp_path / "he.ome.tif"
    tifffile.imwrite(
        he, noise, photometric="rgb", metadata={"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    )
    files = {"he": he, "ihc": picture(tmp_path / "ihc.png", noise)}
    opened = open_case(Case("a", "a", files), mpp=0.5, assumed_mpp=9.0)
    assert opened.scans["ihc"].mpp == 0.25 and opened.shape == (30, 40)
    files["ihc"] = picture(tmp_path / "other.png", noise[:30])
    with pytest.raises(InputError, match=r"other\.png does not say its µm/px"):
        open_case(Case("a", "a", files), mpp=0.5)


def test_pictures_of_other_fields_are_refused(tmp_path: Path, noise: np.ndarray):
    files = {"he": picture(tmp_path / "he.png", noise), "ihc": picture(tmp_path / "ihc.png", noise[:, :77])}
    with pytest.raises(InputError, match=r"case a do not show one field: .* he 80 × 60, ihc 77 × 60 px"):
        open_case(Case("a", "a", files), mpp=0.5, assumed_mpp=0.5)
    files["ihc"] = picture(tmp_path / "near.png", noise[:, :79])
    assert open_case(Case("a", "a", files), mpp=0.5, assumed_mpp=0.5).shape == (60, 79)


@pytest.mark.parametrize("value", [1, 255])
def test_a_mask_is_coverage_whatever_its_values(tmp_path: Path, noise: np.ndarray, value: int):
    inside = np.random.default_rng(1).random((60, 80)) < 0.3
    mask = picture(tmp_path / "mask.png", (inside * value).astype(np.uint8))
    case = Case("a", "a", {"he": picture(tmp_path / "he.png", noise), "mask": mask})
    whole = open_case(case, mpp=0.5, assumed_mpp=0.5).read("mask", 0, 0, 60, 80)
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole[..., 0], inside)
    half = open_case(case, mpp=1.0, assumed_mpp=0.5)
    parts = inside.reshape(30, 2, 40, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(half.read("mask", 0, 0, 30, 40)[..., 0], parts, atol=0.5 / 255 + 1e-6)
    assert (half.read("mask", -4, 0, 4, 8) == 0).all()


def test_a_mask_in_colour_counts_and_one_as_jpeg_does_not(tmp_path: Path, noise: np.ndarray):
    red = np.zeros((60, 80, 3), np.uint8)
    red[10:20, 30:50, 0] = 200
    files = {"he": picture(tmp_path / "he.png", noise), "mask": picture(tmp_path / "mask.png", red)}
    read = open_case(Case("a", "a", files), mpp=None).read("mask", 0, 0, 60, 80)
    assert read.shape == (60, 80, 1) and read.sum() == 200
    files["mask"] = picture(tmp_path / "mask.jpg", red)
    with pytest.raises(InputError, match=r"mask\.jpg is a mask and a JPEG"):
        open_case(Case("a", "a", files), mpp=None)


def labelled(labels: np.ndarray, colours: list[int]) -> Image.Image:
    made = Image.fromarray(labels)
    made.putpalette(colours)
    return made


def clear_around(inside: np.ndarray, *painted: int) -> Image.Image:
    return Image.fromarray(np.where(inside[..., None], np.array([*painted, 255]), 0).astype(np.uint8))


MASKS = {
    "label 0 white": lambda inside: labelled(inside * np.uint8(1), [255, 255, 255, 200, 0, 0]),
    "all labels black": lambda inside: labelled(inside * np.uint8(3), [0] * 768),
    "colour on nothing": lambda inside: clear_around(inside, 255, 0, 0),
    "black on nothing": lambda inside: clear_around(inside, 0, 0, 0),
    "grey on nothing": lambda inside: clear_around(inside, 9).convert("LA"),
    "opaque": lambda inside: Image.fromarray(inside * np.uint8(255)).convert("RGBA"),
}


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_mask_is_its_labels_not_their_colours(tmp_path: Path, noise: np.ndarray, kind: str, ending: str):
    if (kind, ending) == ("black on nothing", "tif"):
        pytest.skip("a TIFF is read tile by tile: black is 0")
    inside = np.zeros((60, 80), bool)
    inside[10:20, 30:50] = True
    MASKS[kind](inside).save(tmp_path / f"mask.{ending}")
    files = {"he": picture(tmp_path / "he.png", noise), "mask": tmp_path / f"mask.{ending}"}
    read = open_case(Case("a", "a", files), mpp=None).read("mask", 0, 0, 60, 80)
    np.testing.assert_array_equal(read[..., 0], inside)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_mask_of_a_small_palette_is_its_labels(tmp_path: Path, noise: np.ndarray, bits: int):
    labels = np.random.default_rng(0).integers(0, 2**bits, (60, 80), np.uint8)
    labelled(labels, [255, 255, 255] * 2**bits).save(tmp_path / "mask.png", bits=bits)
    files = {"he": picture(tmp_path / "he.png", noise), "mask": tmp_path / "mask.png"}
    read = open_case(Case("a", "a", files), mpp=None).read("mask", 0, 0, 60, 80)
    np.testing.assert_array_equal(read[..., 0], labels != 0)


@pytest.mark.slow
def test_crops_with_tissue_are_those_that_the_mask_says():
    path = sample_path(SLIDE)
    opened = open_case(Case("a", "a", {"he": path}), mpp=1.0)
    tissue = tissue_mask(opened.scans["he"])
    corners = tissue_corners(opened, 128)
    assert len(corners)
    factor = opened.factors["he"]
    for y, x in corners[:: len(corners) // 50]:
        assert y + 128 <= opened.shape[0] and x + 128 <= opened.shape[1]
        assert tissue.fraction_in(y * factor, x * factor, 128 * factor, 128 * factor) >= 0.5 - 1e-6
    # Every place of the lattice that is not there has too little.
    there = {tuple(corner) for corner in corners.tolist()}
    step = max(round(tissue.downsample / factor), 1)
    left_out = [
        (y, x)
        for y in range(0, opened.shape[0] - 128, 37 * step)
        for x in range(0, opened.shape[1] - 128, 37 * step)
        if (y, x) not in there
    ]
    assert left_out
    for y, x in left_out:
        assert tissue.fraction_in(y * factor, x * factor, 128 * factor, 128 * factor) < 0.5
    assert len(tissue_corners(opened, 128, least=0.9)) < len(corners)
    assert len(tissue_corners(opened, 10_000)) == 0
