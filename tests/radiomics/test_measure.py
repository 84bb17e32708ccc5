"""Features against closed forms and invariances, and NaN where there is nothing to state."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from diffuscope.errors import InputError
from diffuscope.radiomics import by_mirp
from diffuscope.radiomics.autocorrelation import moran_and_geary
from diffuscope.radiomics.measure import measure
from diffuscope.radiomics.region import Region, open_region
from diffuscope.radiomics.settings import COMPACT, RadiomicsSettings
from diffuscope.radiomics.tags import is_local, tags, unit

AS_IT_IS = RadiomicsSettings(spacing=None)
ALL = RadiomicsSettings(spacing=None, features=tuple(tags(ways=("3D_avg", "3D_comb", "3D"))))


def ball(radius: float, spacing: tuple[float, float, float]) -> np.ndarray:
    sides = [int(2 * radius / step) + 5 for step in spacing]
    z, y, x = (np.arange(n) * step - (n - 1) * step / 2 for n, step in zip(sides, spacing, strict=True))
    return z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= radius**2


def test_a_ball_is_a_ball(rng: np.random.Generator):
    mask = ball(20, (2.0, 1.0, 1.0))
    found = measure(rng.normal(50, 20, mask.shape), mask, (2, 1, 1), RadiomicsSettings())
    assert found["morph_volume"] == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.02)
    assert found["morph_diam"] == pytest.approx(40, rel=0.05)
    # The surface of voxels has steps.
    assert 0.8 < found["morph_sphericity"] < 1
    # A solid ball's variance along an axis is r² / 5, and an axis is 4 of its roots.
    for axis in ("maj", "min", "least"):
        assert found[f"morph_pca_{axis}_axis"] == pytest.approx(4 * 20 / np.sqrt(5), rel=0.03)
    assert found["morph_pca_flatness"] == pytest.approx(1, abs=0.03)


def test_intensities_are_those_of_numpy(rng: np.random.Generator):
    image, mask = rng.integers(-150, 250, (9, 10, 11)), rng.random((9, 10, 11)) < 0.6
    found, values = measure(image, mask, (1, 1, 1), AS_IT_IS), image[mask].astype(float)
    deviations = values - values.mean()
    assert found["stat_mean"] == pytest.approx(values.mean())
    assert found["stat_var"] == pytest.approx(values.var())
    assert found["stat_skew"] == pytest.approx((deviations**3).mean() / values.std() ** 3)
    assert found["stat_kurt"] == pytest.approx((deviations**4).mean() / values.var() ** 2 - 3)
    assert found["stat_p90"] == pytest.approx(np.percentile(values, 90))
    share = np.bincount(np.floor((image[mask] + 200) / 25).astype(int)) / mask.sum()
    assert found["ih_uniformity"] == pytest.approx((share**2).sum())
    assert found["ih_entropy"] == pytest.approx(-(share[share > 0] * np.log2(share[share > 0])).sum())


def test_a_region_of_one_intensity_has_no_variance_and_what_divides_by_it_is_nan():
    mask = ball(4, (1, 1, 1))
    found = measure(np.full(mask.shape, 40), mask, (1, 1, 1), ALL)
    assert found["stat_var"] == found["cm_contrast_3D_comb"] == found["rlm_gl_var_3D_avg"] == 0
    assert found["stat_mean"] == 40 and found["cm_energy_3D_comb"] == found["ih_uniformity"] == 1
    nothing = {tag for tag, value in found.items() if np.isnan(value)}
    quotients = ["stat_skew", "stat_kurt", "ih_skew", "ih_kurt", "morph_moran_i", "morph_geary_c"]
    quotients += [f"cm_{name}_3D_{way}" for name in ("corr", "info_corr1", "inv_var") for way in ("avg", "comb")]
    quotients += [f"ngt_{name}_3D" for name in ("coarseness", "contrast", "busyness", "strength")]
    assert nothing == set(quotients)


def test_what_divides_by_a_mean_of_nothing_is_nan():
    image = np.tile([-10, 10], (4, 4, 2))
    found = measure(image, np.ones_like(image, bool), (1, 1, 1), ALL)
    assert np.isnan(found["stat_cov"]) and np.isnan(found["stat_qcod"]) and found["stat_var"] == 100


def test_a_region_without_tissue_has_a_shape_and_one_of_a_voxel_has_nothing():
    mask = ball(4, (1, 1, 1))
    found = measure(np.full(mask.shape, -900), mask, (1, 1, 1), ALL)
    assert {tag for tag, value in found.items() if np.isfinite(value)} == {
        tag for tag in tags(["morph"]) if tag not in {"morph_com", "morph_integ_int", "morph_moran_i", "morph_geary_c"}
    }
    one = np.zeros((5, 5, 5), bool)
    one[2, 2, 2] = True
    assert np.isnan(list(measure(np.zeros(one.shape), one, (1, 1, 1), ALL).values())).all()


def test_where_a_region_lies_and_which_way_its_axes_run_changes_nothing(rng: np.random.Generator):
    spacing = (2.0, 1.0, 1.5)
    mask = ball(7, spacing) & (rng.random(ball(7, spacing).shape) < 0.9)
    # What the local peak sees lies in the CT.
    mask = np.pad(mask, 7)
    image = rng.integers(-150, 250, mask.shape)
    settings = ALL.model_copy(
        update={"spacing": 1.0, "features": (*COMPACT, *tags(["szm", "ngl"], ["3D"]), "loc_peak_glob")}
    )
    found = measure(image, mask, spacing, settings)
    # Twelve voxels more, which are whole numbers of new ones: the new planes lie where they lay.
    elsewhere = measure(
        np.pad(image, ((4, 8), (12, 0), (0, 12)), "edge"), np.pad(mask, ((4, 8), (12, 0), (0, 12))), spacing, settings
    )
    assert elsewhere == pytest.approx(found, rel=1e-6)
    turned = measure(image.transpose(2, 0, 1), mask.transpose(2, 0, 1), (1.5, 2.0, 1.0), settings)
    assert turned == pytest.approx(found, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "by_slice"),
    [
        ({"spacing": None}, True),
        ({"spacing": None}, False),
        ({"spacing": 1.7}, True),
        ({"spacing": 1.2, "interpolation": "cubic"}, False),
    ],
)
def test_how_far_pieces_lie_apart_is_nothing_to_local_features(rng: np.random.Generator, how: dict, by_slice: bool):
    image, mask = rng.integers(-150, 250, (22, 24, 30)), np.zeros((22, 24, 30), bool)
    for place in ((2, 3, 24), (11, 18, 5), (12, 11, 6)):
        mask[tuple(slice(start, start + side) for start, side in zip(place, (3, 4, 5), strict=True))] = True
    ways = ("2D_avg", "2_5D_comb", "2D") if by_slice else ("3D_avg", "2D_comb", "3D")
    local = tuple(tag for tag in tags(ways=ways) if is_local(tag))
    settings = RadiomicsSettings(by_slice=by_slice, features=local, **how)
    # With a feature that is not, all that lies between the pieces is there.
    whole = settings.model_copy(update={"features": (*local, "morph_diam")})
    found, expected = (measure(image, mask, (2, 1, 1), one) for one in (settings, whole))
    del expected["morph_diam"]
    assert len(found) > 130 and found == pytest.approx(expected, rel=1e-6, nan_ok=True)
    small, large = (open_region(image, mask, (2, 1, 1), one) for one in (settings, whole))
    assert small.image.size < 0.7 * large.image.size and small.shape.sum() == large.shape.sum()


def test_features_grow_as_their_units_say(rng: np.random.Generator):
    """Voxels twice as wide, then twice the HU: a volume is eight times as large, a variance four times."""
    mask = ball(6, (2, 1, 1))
    image = rng.integers(-40, 90, mask.shape)
    features = tuple(tags(["morph", "stat"]))
    settings = RadiomicsSettings(spacing=None, range=(None, None), bin_width=None, features=features)
    found, wide = (measure(image, mask, spacing, settings) for spacing in ((2, 1, 1), (4, 2, 2)))
    strong = measure(2 * image, mask, (2, 1, 1), settings)
    length = {"mm": 2, "mm²": 4, "mm³": 8, "1/mm": 0.5, "HU·mm³": 8}
    expected = {tag: value * length.get(unit(tag), 1) for tag, value in found.items()}
    assert wide == pytest.approx(expected, rel=1e-5)
    contrast = {"HU": 2, "HU²": 4, "HU·mm³": 2}
    assert strong == pytest.approx({tag: value * contrast.get(unit(tag), 1) for tag, value in found.items()}, rel=1e-5)


def test_pairs_are_all_pairs(rng: np.random.Generator):
    tissue, image, spacing = rng.random((5, 6, 7)) < 0.6, rng.integers(-50, 90, (5, 6, 7)), (3.0, 1.0, 0.7)
    moran, geary = moran_and_geary(Region(image.astype(float), tissue, tissue, spacing))
    places, values = np.argwhere(tissue) * spacing, image[tissue].astype(float)
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    weights = np.divide(1, apart, out=np.zeros_like(apart), where=apart > 0)
    deviation, count = values - values.mean(), len(values)
    spread = weights.sum() * (deviation**2).sum()
    assert moran == pytest.approx(count * (weights * np.outer(deviation, deviation)).sum() / spread)
    assert geary == pytest.approx((count - 1) * (weights * (values[:, None] - values) ** 2).sum() / 2 / spread)


def test_columns_are_those_that_were_asked_for_in_their_order(rng: np.random.Generator):
    mask, asked = (
        ball(4, (1, 1, 1)),
        ("ngt_busyness_3D", "stat_p10", "ivh_diff_v10_v90", "morph_geary_c", "cm_corr_3D_avg"),
    )
    found = measure(rng.normal(0, 50, mask.shape), mask, (1, 1, 1), RadiomicsSettings(features=asked))
    assert tuple(found) == asked and np.isfinite(list(found.values())).all()


def test_mirp_says_nothing_and_leaves_nothing(
    rng: np.random.Generator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    handlers, level = list(logging.root.handlers), logging.root.level
    mask = ball(3, (1, 1, 1))
    measure(np.full(mask.shape, 40), mask, (1, 1, 1), ALL)
    assert capfd.readouterr() == ("", "")
    assert (list(logging.root.handlers), logging.root.level) == (handlers, level)
    assert list(tmp_path.iterdir()) == [] and [one.message for one in recwarn if "mirp" in one.filename] == []


def test_without_mirp_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(by_mirp.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "diffuscope\[scoring\]"'):
        measure(np.zeros((3, 3, 3)), np.ones((3, 3, 3), bool), (1, 1, 1), AS_IT_IS)


@pytest.mark.parametrize(
    ("given", "low", "high", "said"),
    [
        ({"bin_width": None, "features": ("ih_mean",)}, -3, 5, "one is -3"),
        ({"bin_width": None, "features": ("cm_corr_3D_avg",), "range": (None, None)}, 1, 5000, "4,999 levels"),
        ({"bin_width": 0.01, "features": ("ngt_strength_3D",)}, 0, 100, "10,000 levels"),
        ({"features": ("ivh_v10",), "range": (None, None), "bin_width": None}, 0, 2_000_000, "too many steps"),
        ({"features": ("ivh_v10",), "ivh_width": 0.001, "range": (-9e5, 9e5)}, 0, 10, "too many steps"),
    ],
)
def test_levels_that_are_none_or_fill_the_memory_are_refused(given: dict, low: float, high: float, said: str):
    image = np.full((3, 3, 3), low)
    image[1, 1, 1] = high
    with pytest.raises(InputError, match=said):
        measure(image, np.ones(image.shape, bool), (1, 1, 1), RadiomicsSettings(spacing=None, **given))


def test_the_page_states_the_defaults():
    page = (Path(__file__).resolve().parents[2] / "docs/radiomics.md").read_text(encoding="utf-8")
    text, _ = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    stated = RadiomicsSettings.model_validate(yaml.safe_load(text))
    assert stated.model_copy(update={"features": COMPACT}) == RadiomicsSettings()
    assert f"# default: {len(COMPACT)} of them" in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"features": ("stat_mode",)}, "“stat_mode” is no feature"),
        ({"features": ("stat_mean", "stat_mean")}, "there twice"),
        ({"bin_count": 32}, "both there"),
        ({"range": (None, 300.0)}, "begin at the lower end"),
        ({"range": (300.0, -200.0)}, "is not below"),
        ({"by_slice": True}, "textures of the volume"),
        ({"spacing": float("nan")}, "finite"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict, said: str):
    with pytest.raises(ValidationError, match=said):
        RadiomicsSettings(**given)
    assert RadiomicsSettings.model_validate_json(ALL.model_dump_json()) == ALL
