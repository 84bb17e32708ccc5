"""MIDiffusion's table: what trains and what tests are apart, every control is what it says, and the page adds up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.exposure import match_histograms

from benchmarks.quality import _translation_pictures, _translation_quality, _translation_trust, translation
from benchmarks.reproduce.midiffusion import data as trained
from benchmarks.reproduce.midiffusion import tasks as midiffusion
from benchmarks.reproduce.midiffusion.measure import measure
from benchmarks.reproduce.midiffusion.page import lines, page
from benchmarks.reproduce.midiffusion.tasks import LMI, METHODS, SDEDIT, SHUFFLED, UNET, mean_of, remapped
from benchmarks.reproduce.plan import plan
from benchmarks.shared import in_plane, scans
from benchmarks.shared.histogram import with_histogram
from benchmarks.shared.scans import DIRECTIONS, Slices
from benchmarks.shared.translated import Translated, gradient_correlation, mean_psnr, scores
from diffuscope.errors import InputError
from diffuscope.systems.midiffusion.config import ModalityConfig
from diffuscope.systems.registry import build_system

BRAIN, BRAIN_BACK, TO_CT, TO_MR = DIRECTIONS
# Of which 48 px hold a slice of the volumes here.
SMALL_CT, SMALL_MR = (replace(direction, side=48) for direction in (TO_CT, TO_MR))
BUDGET = replace(midiffusion.BUDGETS["quick"], side=32, slices=2)
CT = ModalityConfig(name="CT", low=-200.0, high=300.0, unit="HU")
# Voxels of the volumes here, and the slices of those that show a patient.
SHAPE = (24, 44, 40)


def task(row: str | None, direction: scans.Direction = BRAIN, *, seed: int = 0) -> midiffusion.Task:
    rows = {one.name: one for one in midiffusion.ROWS}
    return midiffusion.Task(direction, rows[row] if row else None, BUDGET, seed)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Volumes of every patient that a recipe names, and of two more; MR shows fat bright, as T1 does."""
    folder = tmp_path / "data"
    names = {"ms-brain": ("patient07", "patient19")}
    out = (*TO_CT.settings.test_on, *TO_CT.settings.validate_on)
    names["sarcoma-ct-mr"] = (*out, "STS_001", "STS_002")
    for where, patients in names.items():
        for number, patient in enumerate(patients):
            own = folder / where / patient
            own.mkdir(parents=True)
            rng = np.random.default_rng(number)
            texture = gaussian_filter(rng.standard_normal(SHAPE), 2)
            body = np.zeros(SHAPE, bool)
            body[2:-2, 4:-4, 4:-4] = True
            ct = np.where(body, np.where(texture > 0, -90, 50) + rng.integers(-20, 20, SHAPE), -1000)
            mr = np.where(body, np.where(texture > 0, 900, 300) + rng.integers(-50, 50, SHAPE), 0)
            files = ("ct.nii.gz", "mr_t1.nii.gz") if "sarcoma" in where else ("T1.nii.gz", "FLAIR.nii.gz")
            both = (ct, mr) if "sarcoma" in where else (mr, np.where(body, 1200 - mr, 0))
            for file, voxels in zip(files, both, strict=True):
                image = sitk.GetImageFromArray(voxels.astype(np.int16))
                image.SetSpacing((1.0, 1.0, 3.0))
                sitk.WriteImage(image, own / file)
            if "sarcoma" in where:
                tumour = np.zeros(SHAPE, np.uint8)
                tumour[:, 18:26, 16:24] = 1
                sitk.WriteImage(sitk.GetImageFromArray(tumour), own / "gtv.nii.gz")
    monkeypatch.setattr(scans, "DATA", folder)
    for cached in (scans.slices_of, scans.learned):
        cached.cache_clear()
    yield folder
    for cached in (scans.slices_of, scans.learned):
        cached.cache_clear()


def around(source: np.ndarray) -> np.ndarray:
    """Slices whose neighbours are as they are."""
    return np.repeat(source[:, None], 3, axis=1)


def test_training_reads_the_target_s_files_of_other_patients_alone(data: Path, tmp_path: Path, monkeypatch):
    opened: list[str] = []
    real = trained.crops_of
    monkeypatch.setattr(
        trained,
        "crops_of",
        lambda parts, *a, **k: opened.extend(c.group for c in parts["train"]) or real(parts, *a, **k),
    )
    batches = trained.target_batches(TO_CT, tmp_path / "cells", seed=0, batch=2, patch=16)
    assert batches(0).keys() == {"ct"} and batches(0)["ct"].shape == (2, 1, 16, 16)
    assert sorted(opened) == ["STS_001", "STS_002"] == list(TO_CT.trained)
    files = {path.name.split(".")[0] for path in (tmp_path / "cells/sarcoma-ct").rglob("*.nii.gz")}
    assert [one.name for one in (tmp_path / "cells/sarcoma-ct").iterdir()] == ["ct"]
    assert files == {path.name for path in (data / "sarcoma-ct-mr").iterdir()}
    # A second process finds the folder.
    again = trained.target_batches(TO_CT, tmp_path / "cells", seed=0, batch=2, patch=16)
    assert torch.equal(again(3)["ct"], batches(3)["ct"])


def test_the_few_pairs_are_of_every_twentieth_slice(data: Path, monkeypatch: pytest.MonkeyPatch):
    seen = []
    real = scans.VolumeSampler.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            scans.VolumeSampler, "read", lambda self, at, side: seen.append(int(at[0])) or real(self, at, side)
        )
        batch = trained.few_pairs(TO_CT, seed=0, batch=4, patch=16)(0)
    assert set(seen) == {10} and batch.keys() == {"ct", "mr"}
    # Both are of one place: what is fat in CT is bright in MR.
    fat = batch["ct"] < -20
    assert batch["mr"][fat & (batch["ct"] > -150)].mean() > 2 * batch["mr"][(batch["ct"] > 0)].mean()


def test_slices_are_those_of_the_file_in_the_port_s_range(data: Path):
    tests = scans.slices_of(TO_MR, TO_MR.held, 2, 32)
    assert tests.patients == tuple(np.repeat(TO_MR.held, 2)) and tests.source.shape == (10, 32, 32)
    file = sitk.GetArrayFromImage(sitk.ReadImage(data / "sarcoma-ct-mr" / tests.patients[3] / "ct.nii.gz"))
    z, y, x = tests.places[3]
    expected = (file[z, y : y + 32, x : x + 32].clip(-200, 300) + 200) / 500
    np.testing.assert_allclose(tests.source[3], expected, atol=1e-6)
    # Between its neighbours.
    np.testing.assert_allclose(tests.around[3, 1], expected, atol=1e-6)
    near = file[[z - 1, z + 1], y : y + 32, x : x + 32]
    np.testing.assert_allclose(tests.around[3, ::2], (near.clip(-200, 300) + 200) / 500, atol=1e-6)
    rows, columns = scans.slices_of(TO_MR, TO_MR.held, 1, 64).inside[0]
    assert (rows.stop - rows.start, columns.stop - columns.start) == SHAPE[1:]
    row = scans.consecutive(TO_MR, TO_MR.held[0], 4, 32)
    assert [z for z, _, _ in row.places] == list(range(row.places[0][0], row.places[0][0] + 4))


def test_a_stranger_is_never_the_patient(data: Path):
    for direction in (BRAIN, TO_CT):
        number = 2
        own = scans.slices_of(direction, direction.held, number, 32).source
        wrong = scans.strangers(direction, number, 32)
        assert wrong.shape == own.shape
        assert all(np.abs(a - b).mean() > 0.05 for a, b in zip(own, wrong, strict=True))
    # Of one patient who tests, the one who trained is the stranger.
    np.testing.assert_array_equal(scans.strangers(BRAIN, 2, 32), scans.slices_of(BRAIN, ("patient07",), 2, 32).source)


def test_registration_is_told_by_fat_and_muscle(data: Path):
    patient = TO_CT.held[0]
    assert trained.registration_auc(TO_CT, patient) == trained.registration_auc(TO_MR, patient) == 1.0
    file = data / "sarcoma-ct-mr" / patient / "mr_t1.nii.gz"
    other = sitk.ReadImage(data / "sarcoma-ct-mr" / TO_CT.held[1] / "mr_t1.nii.gz")
    sitk.WriteImage(other, file)
    assert 0.3 < trained.registration_auc(TO_CT, patient) < 0.7


def test_matching_gives_each_patient_the_target_s_histogram():
    rng = np.random.default_rng(0)
    source, wanted = rng.random((4, 16, 16)).astype(np.float32), rng.random((6, 16, 16)).astype(np.float32) ** 3
    source[2:] *= 0.1
    tests = Slices(("a", "a", "b", "b"), ((0, 0, 0),) * 4, around(source), source, (np.s_[:, :],) * 4)
    found = scans.matched(tests, wanted)
    for some in (slice(0, 2), slice(2, 4)):
        assert np.quantile(found[some], [0.1, 0.5, 0.9]) == pytest.approx(
            np.quantile(wanted, [0.1, 0.5, 0.9]), abs=0.05
        )
        order = np.argsort(source[some], axis=None)
        assert (np.diff(found[some].ravel()[order]) >= 0).all()


def test_a_background_of_zeros_stays_one_and_other_images_are_matched_as_by_scikit_image():
    rng = np.random.default_rng(0)
    image, wanted = rng.random((2, 64, 64))
    np.testing.assert_allclose(with_histogram(image, wanted**2), match_histograms(image, wanted**2), atol=2e-3)
    image[:33], wanted[:32] = 0.0, 0.0
    found = with_histogram(image, wanted)
    assert found[:33].max() < 0.001 and found[33:].mean() > 0.45
    # what the house had before, and why it has its own
    assert match_histograms(image, wanted)[:33].min() > 0.01


def test_scores_count_what_lies_in_the_scan():
    rng = np.random.default_rng(0)
    truth, guess = rng.random((2, 1, 24, 24)).astype(np.float32)
    inside = (slice(4, 24), slice(0, 20))
    tests = Slices(("a",), ((0, 0, 0),), around(truth), truth, (inside,))
    (row,) = scores(tests, guess, CT)
    beside = guess.copy()
    beside[:, :4] = 7.0
    assert scores(tests, beside, CT) == [row]
    a, b = truth[0][inside].astype(float), guess[0][inside].astype(float)
    assert row["mse"] == pytest.approx(((a - b) ** 2).mean())
    # 150 HU are 0.7 of the window, and −150 are 0.1.
    for key, true, found in (("dice_bone", a > 0.7, b > 0.7), ("dice_air", a < 0.1, b < 0.1)):
        assert row[key] == pytest.approx(2 * (true & found).sum() / (true.sum() + found.sum()), abs=0.02)
    plain = CT.model_copy(update={"unit": ""})
    assert scores(tests, guess, plain)[0]["dice_bone"] is None
    assert scores(replace(tests, target=0.4 + 0 * truth), guess, CT)[0]["dice_air"] is None


def test_gradient_correlation_knows_contrast_s_sign_and_not_its_size():
    image = np.random.default_rng(0).random((12, 12)).astype(np.float32)
    assert gradient_correlation(image, 0.3 * image + 0.2) == pytest.approx(1.0, abs=1e-6)
    assert gradient_correlation(image, 1 - image) == pytest.approx(-1.0, abs=1e-6)
    assert gradient_correlation(image, np.full_like(image, 0.5)) is None


def test_the_curve_rises_to_two_thirds_and_falls():
    x = np.linspace(0, 1, 61, dtype=np.float32)
    y = remapped(x)
    assert y[0] == 0 and y.max() == pytest.approx(1.0) and x[y.argmax()] == pytest.approx(2 / 3, abs=0.02)
    assert y[-1] == pytest.approx(np.sin(0.75 * np.pi), abs=1e-6)


def test_every_cell_has_a_key_of_its_own_and_what_claims_compare_has_three_seeds(data: Path):
    todo, notices = midiffusion.todo(midiffusion.BUDGETS["standard"], False)
    assert not notices and len({one.cell.key for one in todo}) == len(todo) == 4 * (5 + 2)
    assert [one.seed for one in todo] == sorted(one.seed for one in todo)
    of = {LMI: 0, UNET: 0}
    for one in todo:
        if one.row and one.row.name in of:
            of[one.row.name] += 1
    assert of == {LMI: 12, UNET: 4}
    assert {name for claim in midiffusion.CLAIMS for name in (claim.first, claim.second)} <= METHODS.keys()
    # What the recipe has and the paper has not is left out; besides only the size of crops and networks differs.
    whole = task(LMI, TO_CT).training
    paper = {"place": False, "guide": "itself", "noise": "even", "consistency": 0.0}
    assert whole.config == TO_CT.recipe.config | paper | {"size": "tiny", "patch": 32}
    for one in (task(row.name) for row in midiffusion.ROWS):
        build_system(one.training.system, one.training.config)


@pytest.mark.slow
def test_every_row_can_be_timed_before_it_is_run(tmp_path: Path):
    rows = [task(row.name) for row in midiffusion.ROWS]
    text = plan([*rows, task(None)], root=tmp_path)
    assert all(text.count(one.cell.name) == 1 for one in rows) and "together" in text


def test_data_that_are_not_there_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scans, "DATA", tmp_path)
    todo, notices = midiffusion.todo(BUDGET, True)
    assert not todo and len(notices) == 2 and "sarcoma-ct-mr" in notices[1]


@pytest.mark.parametrize("row", [None, LMI, UNET])
@pytest.mark.slow
def test_a_cell_end_to_end(data: Path, tmp_path: Path, row: str | None):
    one = task(row)
    found = one.cell.compute(tmp_path / "cells", lambda folder: measure(one, folder))
    assert json.loads(json.dumps(found)) == one.cell.found(tmp_path / "cells")
    expected = set(midiffusion.UNTRAINED) if row is None else {UNET}
    if row == LMI:
        asked = {LMI, *midiffusion.ASKED}
        expected = asked | {mean_of(name) for name in midiffusion.AVERAGED if name in asked}
        assert found["sweep"].keys() == {SDEDIT, midiffusion.SDEDIT_MATCHED}
        # An estimate of differences within an image does not know dark from bright.
        true, turned = (
            found["methods"][name]["patient19"]["tiles"]["psnr_db"]
            for name in (midiffusion.ITSELF, midiffusion.INVERTED)
        )
        assert true == pytest.approx(turned, abs=0.2)
        assert found["methods"][mean_of(LMI)] != found["methods"][LMI] != found["methods"][SHUFFLED]
    assert found["methods"].keys() == expected
    for patients in found["methods"].values():
        assert patients.keys() == {"patient19"} and len(patients["patient19"]["tiles"]["ssim"]) == 2
        assert 0 < patients["patient19"]["scores"]["psnr_db"] < 60
    assert "from 1 of 8 cells" in page([(one, found)], budget=BUDGET, kind="quick", notices=[], cells=8)


def result(one: midiffusion.Task, methods: dict[str, float]) -> tuple[midiffusion.Task, dict]:
    """Make a result with PSNR of method + number of the patient, and one more in the second slice."""

    def patient(value: float) -> dict:
        columns = dict.fromkeys(midiffusion.COLUMNS, value)
        return {"scores": columns, "tiles": {"psnr_db": [value - 0.5, value + 0.5]}}

    found = {
        method: {name: patient(value + i) for i, name in enumerate(one.direction.held)}
        for method, value in methods.items()
    }
    return one, {"methods": found, "seconds": 60.0, "parameters": 10**6}


def test_a_page_adds_up_and_leaves_pairs_out_that_are_not_registered():
    third = {midiffusion.ITSELF: 20.0, midiffusion.INVERTED: 20.0, midiffusion.REMAPPED: 17.5, midiffusion.THIRD: 9.0}
    found = [result(task(LMI, TO_CT, seed=seed), {LMI: 10.0 + seed, SDEDIT: 8.0} | third) for seed in range(3)]
    free, known = result(task(None, TO_CT), {midiffusion.MEAN_IMAGE: 12.0})
    known["registration"] = dict(zip(TO_CT.held, (0.9, 0.5, 0.8, 0.79, 0.95), strict=True))
    rows = lines([*found, (free, known)], TO_CT)
    assert rows[LMI].values("psnr_db") == [12.0, 13.0, 14.0] and rows[midiffusion.MEAN_IMAGE].budget == "none"
    some = lines(found, TO_CT, only=frozenset(TO_CT.held[:2]))
    assert some[LMI].values("psnr_db") == [10.5, 11.5, 12.5] and np.isnan(some[LMI].values("kid")[0])
    text = page([*found, (free, known)], budget=BUDGET, kind="standard", notices=["x"], cells=24)
    assert "| MR to CT | midiffusion | SDEdit | +4.45 dB over SDEdit (table 1) | +3.00 dB" in text
    assert "| MR to CT | midiffusion | mean image | control: above 0 | -1.00 dB" in text
    assert "## MR to CT, registered" in text and f"| {TO_CT.held[2]} | 0.80 | registered |" in text
    assert f"| {TO_CT.held[3]} | 0.79 |  |" in text
    assert "| MR to CT | 20.00 ± 0.00 | 0.00 ± 0.00 | 2.50 ± 0.00 | " in text.replace("22.00", "20.00")
    assert "figures mean nothing" not in text


def test_planted_structures_are_where_they_are_said_to_be():
    rng = np.random.default_rng(1)
    image = gaussian_filter(rng.standard_normal((64, 64)), 2).astype(np.float32)
    image = (image - image.min()) / np.ptp(image)
    for removed in (False, True):
        changed, where = translation.plant(image, 1 - image, rng, removed=removed)
        moved = np.abs(changed - (1 - image))
        assert moved[where].mean() > 10 * moved[~where].mean() and where.sum() > 10
        assert not removed or changed[where].std() < 0.7 * (1 - image)[where].std()


def test_support_finds_what_was_planted_and_nothing_where_the_result_tells_nothing():
    images = [gaussian_filter(np.random.default_rng(n).standard_normal((64, 64)), 2) for n in range(3)]
    source = np.stack([(one - one.min()) / np.ptp(one) for one in images]).astype(np.float32)
    tests = Slices(("a",) * 3, ((0, 0, 0),) * 3, around(source), source, (np.s_[:, :],) * 3)
    assert translation.found_auroc(tests, 1 - source, removed=False) > 0.75
    noise = np.random.default_rng(9).random(source.shape).astype(np.float32)
    assert 0.2 < translation.found_auroc(tests, noise, removed=False) < 0.8


def test_fine_energy_is_that_above_a_quarter_of_a_cycle():
    place = np.arange(64)
    waves = {period: np.tile(0.5 + 0.1 * np.cos(2 * np.pi * place / period), (64, 1)) for period in (3, 16)}
    tests = Slices(("a",), ((0, 0, 0),), np.zeros((1, 3, 64, 64)), np.zeros((1, 64, 64)), (np.s_[:, :],))
    fine, coarse = (translation.fine_energy(tests, waves[period][None]) for period in (3, 16))
    assert fine > 1000 * coarse
    # A wave of amplitude a has the power a² / 2.
    assert fine == pytest.approx(0.1**2 / 2, rel=0.1)


def test_only_a_model_that_there_are_scans_for_is_measured():
    with pytest.raises(InputError, match="no MIDiffusion"):
        translation.direction_of(build_system("unet-regression", {"stain": "x", "size": "tiny"}), "x")
    other = build_system("midiffusion", {"target": {"name": "PET"}, "source": {"name": "MR"}, "size": "tiny"})
    with pytest.raises(InputError, match="mr to pet"):
        translation.direction_of(other, "x")


@pytest.mark.slow
def test_every_measure_of_a_model_tells_what_its_goals_are_of(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {"_SLICES": 1, "_PLANTED": 1, "_RUN": 3, "_ROUNDS": 1}.items():
        monkeypatch.setattr(translation, name, value)
    monkeypatch.setattr(_translation_quality, "_JUDGED", 5)
    monkeypatch.setattr(_translation_trust, "_JUDGED", 5)
    monkeypatch.setattr(in_plane, "MAPS", tmp_path / "in-plane")
    torch.manual_seed(0)
    system = build_system("midiffusion", TO_CT.recipe.config | {"size": "tiny"}).eval()
    assert translation.direction_of(system, "x") is TO_CT
    system.presets = {name: replace(preset, steps=3) for name, preset in system.presets.items()}
    figures: dict[str, float] = {}
    for name, measure_ in translation.MEASURES.items():
        found = measure_(system, SMALL_CT)
        # One goal is of one property.
        assert not translation.GOALS.keys() & found.keys() & figures.keys(), name
        figures |= found
    # Nothing may have flipped.
    always = translation.GOALS.keys() - {"auroc_flipped", "support_turned_tumours"}
    assert always <= figures.keys() and np.isfinite(list(figures.values())).all()


def test_whole_slices_begin_where_a_run_s_tile_does(data: Path):
    tests = scans.slices_of(SMALL_MR, TO_MR.held, 2, 48)
    assert {place[1:] for place in tests.places} == {(0, 0)}
    assert all(inside == np.s_[0 : SHAPE[1], 0 : SHAPE[2]] for inside in tests.inside)
    file = sitk.GetArrayFromImage(sitk.ReadImage(data / "sarcoma-ct-mr" / tests.patients[2] / "ct.nii.gz"))
    expected = (file[tests.places[2][0]].clip(-200, 300) + 200) / 500
    np.testing.assert_allclose(tests.source[2][tests.inside[2]], expected, atol=1e-6)


def shifted(rows: int, columns: int) -> Slices:
    """A body with texture as source, and as target the same in another contrast, moved in its plane."""
    texture = gaussian_filter(np.random.default_rng(3).standard_normal((72, 64)), 2.5)
    body = np.hypot(*np.mgrid[-36:36, -32:32]) < 24
    source = (body * (0.5 + 1.5 * texture).clip(0.1, 1.0)).astype(np.float32)
    truth = (body * (0.8 - 1.2 * texture).clip(0.1, 1.0)).astype(np.float32)
    moved = np.roll(truth, (rows, columns), (0, 1))
    return Slices(("a",), ((7, 0, 0),), around(source[None]), moved[None], (np.s_[0:72, 0:64],))


def test_pairs_are_brought_onto_each_other_in_their_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(in_plane, "MAPS", tmp_path)
    lying, apart = shifted(0, 0), shifted(4, -3)
    found = in_plane.registered(TO_CT, apart)
    error = np.abs(found.target - lying.target)[0]
    assert error.mean() < 0.2 * np.abs(apart.target - lying.target).mean()
    rows, columns = found.inside[0]
    assert 3 <= rows.start <= 8 and 2 <= columns.start <= 8 and rows.stop < 72 and columns.stop < 64
    # Kept, and found there the next time, whatever would be found now.
    monkeypatch.setattr(in_plane, "_found", None)
    np.testing.assert_array_equal(in_plane.registered(TO_CT, apart).target, found.target)
    # Too far away it stays where it lies.
    monkeypatch.undo()
    monkeypatch.setattr(in_plane, "MAPS", tmp_path / "far")
    monkeypatch.setattr(in_plane, "_FARTHEST", 2.0)
    np.testing.assert_array_equal(in_plane.registered(TO_CT, apart).target, apart.target)


def test_no_map_of_levels_beats_the_oracle(data: Path):
    tests = scans.slices_of(SMALL_CT, TO_CT.held, 1, 48)
    oracle = _translation_quality.levels_of_truth(tests)
    found = _translation_quality.controls(SMALL_CT, tests)
    best = mean_psnr(tests, oracle)
    for name, pictures in found.items():
        assert pictures.shape == tests.target.shape and mean_psnr(tests, pictures) < best, name
    bins = np.clip(np.floor(tests.source * 24), 0, 23)
    for levels in np.random.default_rng(0).random((20, 24)):
        assert mean_psnr(tests, levels[bins.astype(int)].astype(np.float32)) < best
    # The constant is the target's mean inside the body of those that train, and air beside the source's.
    constant = found["_constant"]
    inside = scans.learned(SMALL_CT, 48)
    assert set(np.unique(constant)) == {0.0, constant.max()}
    # (which is wider by the px that smoothing moves its edge)
    assert constant.max() == pytest.approx(inside[inside > 0.05].mean(), rel=0.15)


def test_flips_are_regions_and_no_edges():
    error, body = np.zeros((40, 40)), np.ones((40, 40), bool)
    error[5:20, 5:20] = 0.6
    # An edge that is out of place by 4 px, and a region beside the body.
    error[30:34, :] = 0.9
    error[5:20, 26:38] = 0.9
    body[:, 25:] = False
    found = _translation_trust.flips(error, body)
    assert found[8:17, 8:17].all() and not found[:, 21:].any() and not found[22:].any()


def test_the_worst_slice_of_each_patient_is_drawn(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_translation_pictures, "_JUDGED", 10)
    monkeypatch.setattr(_translation_pictures, "registered", lambda _, tests: tests)
    tests = scans.slices_of(SMALL_CT, TO_CT.held, 2, 48)
    # The model would be perfect in one slice of each patient and never in the other.
    perfect = np.array([number % 2 == 0 for number in range(10)])
    guess = np.where(perfect[:, None, None], tests.target + 0.01, 1.0 - tests.target).astype(np.float32)
    drawn = Translated(guess, guess, guess, guess)
    monkeypatch.setattr(_translation_pictures, "translated", lambda *_, **__: drawn)
    system = build_system("midiffusion", TO_CT.recipe.config | {"size": "tiny"})
    found = _translation_pictures.worst_slices(system, SMALL_CT, tmp_path / "worst.png")
    assert list(found) == [f"psnr_db_{patient}" for patient in TO_CT.held] and max(found.values()) < 20
    picture = np.asarray(Image.open(tmp_path / "worst.png"))
    assert picture.shape == (5 * (48 + 14), 5 * 48)
    np.testing.assert_allclose(picture[14:62, 48:96] / 255, tests.target[1].clip(0, 1), atol=0.01)


def test_noise_that_all_slices_share_flickers_less(data: Path, monkeypatch: pytest.MonkeyPatch):
    """Of a source that is the same in every slice, so that all that differs is noise."""
    tests = scans.consecutive(TO_CT, TO_CT.held[0], 3, 32)
    still = replace(tests, around=np.broadcast_to(tests.source[0], tests.around.shape))
    monkeypatch.setattr(translation, "consecutive", lambda *_: still)
    torch.manual_seed(0)
    found = translation.flicker(build_system("midiffusion", TO_CT.recipe.config | {"size": "tiny"}).eval(), TO_CT)
    assert max(found["flicker_shared_noise"], found["flicker_default"]) < 1e-3 < found["flicker_own_noise"]
