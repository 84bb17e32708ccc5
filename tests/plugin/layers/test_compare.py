"""Two layers compared, without a window: against scikit-image, by levels, and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from diffuscope.errors import InputError
from diffuscope.events import Progress
from diffuscope.plugin.layers.compare import MOST, Compared, Picture, compare, picture_of, placed, read_pair
from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.placement import Placement
from diffuscope.stains import dab_density

PLACE = Placement(scale=np.array([0.5, 0.25]), translate=np.array([10.0, 20.0]), units=("micrometer",) * 2)


def held_against(truth: Picture, found: Picture, *, most: int = MOST) -> Compared:
    """As the dock does it, in two processes."""
    pair, place = read_pair(truth, found, most=most)
    *before, compared = compare(pair)
    assert len(before) == 3 + pair.rgb and all(isinstance(event, Progress) and event.total == 4 for event in before)
    return placed(compared, place)


def picture(*levels: np.ndarray, name: str = "a", rgb: bool = True, threshold: float | None = None) -> Picture:
    return Picture(name=name, levels=levels, rgb=rgb, placement=PLACE, threshold=threshold)


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    truth = np.kron(rng.integers(0, 256, (12, 16, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    return truth, np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def figures(truth: Picture, found: Picture) -> dict[str, float]:
    return {name: float(value) for name, value in held_against(truth, found).lines}


def test_figures_of_colour_are_those_of_scikit_image(pair):
    got = figures(picture(pair[0]), picture(pair[1]))
    assert got["PSNR (dB)"] == pytest.approx(peak_signal_noise_ratio(*pair, data_range=255), abs=0.006)
    ssim = [
        structural_similarity(
            *(p[..., c].astype(float) for p in pair),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for c in range(3)
    ]
    assert got["SSIM"] == pytest.approx(np.mean(ssim), abs=0.001)
    assert {"Dice of DAB-positive px", "DAB-positive area, error (%)", "Mutual information (nats)"} <= got.keys()


@pytest.mark.parametrize("scale", [1 / 255, 257], ids=["float", "16 bits"])
def test_colour_of_another_type_is_the_same_colour(pair, scale: float):
    dtype = np.float32 if scale < 1 else np.uint16
    other = [picture((p.astype(float) * scale).astype(dtype)) for p in pair]
    assert figures(*other) == pytest.approx(figures(picture(pair[0]), picture(pair[1])), rel=2e-3)


def test_the_threshold_is_that_of_the_result(pair):
    found = picture(pair[1], threshold=0.4)
    assert "above 0.4 OD" in held_against(picture(pair[0]), found).notes
    assert figures(picture(pair[0]), found) != figures(picture(pair[0]), picture(pair[1]))


def test_a_threshold_of_0_is_one(pair):
    """It is no missing one, in whose stead the truth's, or the usual one, is taken."""
    found = picture(pair[1], threshold=0.0)
    positive, expected = (dab_density(one) > 0 for one in pair)
    dice = 2 * (positive & expected).sum() / (positive.sum() + expected.sum())
    for truth in (picture(pair[0]), picture(pair[0], threshold=0.4)):
        assert "DAB-positive is above 0 OD" in held_against(truth, found).notes
        assert figures(truth, found)["Dice of DAB-positive px"] == pytest.approx(dice, abs=0.006)
    assert "above 0 OD" in held_against(picture(pair[0], threshold=0.0), picture(pair[1])).notes


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({}, None),
        ({"parameters": {}, "counted": {"dab_threshold": 0.3}}, 0.3),
        ({"parameters": {"dab_threshold": 0.4}}, 0.4),
        ({"parameters": {"dab_threshold": 0.4}, "counted": {"dab_threshold": 0.0}}, 0.0),
    ],
)
def test_a_threshold_that_was_chosen_counts_also_where_the_run_states_none(pair, record, expected):
    layers = pytest.importorskip("napari.layers")
    assert picture_of(layers.Image(pair[0], rgb=True, metadata={KEY: {"record": record}})).threshold == expected


def test_a_map_has_the_range_of_its_truth_and_no_dab(rng):
    truth = rng.random((40, 50)).astype(np.float32) * 3
    found = truth + np.float32(0.1)
    compared = held_against(picture(truth, rgb=False), picture(found, rgb=False))
    got = dict(compared.lines)
    expected = peak_signal_noise_ratio(truth, found, data_range=float(np.ptp(truth)))
    assert float(got["PSNR (dB)"]) == pytest.approx(expected, abs=0.006)
    assert not any("DAB" in name for name in got) and "range of the truth" in compared.notes


def test_the_error_map_is_the_mean_difference_at_its_place(pair):
    error, about, kind = held_against(picture(pair[0], name="t"), picture(pair[1], name="p")).layer
    np.testing.assert_allclose(error, np.abs(pair[0].astype(float) - pair[1]).mean(axis=2), rtol=1e-5)
    assert (about["name"], kind) == ("absolute error: p − t", "image")
    np.testing.assert_array_equal(about["scale"], PLACE.scale)
    np.testing.assert_array_equal(about["translate"], PLACE.translate)


def test_of_a_pyramid_the_finest_level_that_fits_and_both_have(pair):
    levels = [p[::step, ::step] for p in pair for step in (1, 2, 4)]
    truth, found = picture(*levels[:3]), picture(*levels[3:])
    compared = held_against(truth, found, most=24 * 32)
    assert compared.notes.startswith("Compared at level 2 of 3, 32 × 24 px, reduced 2×")
    error, about, _ = compared.layer
    assert error.shape == (24, 32)
    # The outer corner of the first px stays where it is, for whatever the level.
    for scale, translate in ((about["scale"], about["translate"]), (PLACE.scale, PLACE.translate)):
        np.testing.assert_allclose(translate - scale / 2, PLACE.translate - PLACE.scale / 2)
    np.testing.assert_allclose(about["scale"], PLACE.scale * 2)
    assert held_against(truth, picture(levels[3], levels[5]), most=24 * 32).notes.startswith("Compared at level 3 of 3")


def test_what_is_equal_or_transparent_is_said(pair):
    alpha = np.full((*pair[0].shape[:2], 1), 255, np.uint8)
    alpha[:12] = 0
    compared = held_against(picture(pair[0]), picture(np.concatenate([pair[0], alpha], axis=2), name="part"))
    assert "equal, so that PSNR is infinite" in compared.notes and "25.0% of “part” is transparent" in compared.notes
    assert dict(compared.lines)["MSE"] == "0" and not compared.layer[0].any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda a: picture(a[:, :-1], name="b"),
            "“a” has 64 × 48 px and “b” 63 × 48 px: choose two",
        ),
        (lambda a: picture(a[..., 0], name="b", rgb=False), "“a” is in colour and “b” is not"),
        (lambda a: picture(np.where(a > 128, np.nan, 0.5), name="b"), "“b” holds values that are no finite numbers"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(pair, change, words: str):
    with pytest.raises(InputError, match=words):
        held_against(picture(pair[0]), change(pair[0]))


def test_what_is_too_large_or_empty_is_one_sentence(pair):
    with pytest.raises(InputError, match=r"no level of one shape within 0.0 million px: crop them"):
        held_against(picture(pair[0]), picture(pair[1]), most=1000)
    flat = picture(np.zeros((20, 20), np.float32), rgb=False, name="flat")
    with pytest.raises(InputError, match="“flat” has one value everywhere"):
        held_against(flat, picture(np.ones((20, 20), np.float32), rgb=False))
