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
from diffuscope.radiomics.region import Region
from diffuscope.radiomics.settings import COMPACT, RadiomicsSettings
from diffuscope.radiomics.tags import tags

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


def test_intensities_that_are_no_levels_are_not_taken_for_some():
    settings = RadiomicsSettings(spacing=None, bin_width=None, features=("ih_mean",))
    with pytest.raises(InputError, match=r"one is -3"):
        measure(np.full((3, 3, 3), -3), np.ones((3, 3, 3), bool), (1, 1, 1), settings)


def test_the_page_states_the_defaults():
    page = (Path(__file__).resolve().parents[2] / "docs/radiomics.md").read_text(encoding="utf-8")
    [text] = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
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
