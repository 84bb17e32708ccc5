"""A simulated cohort on disk: what is written is what was simulated, on real neck CTs as well."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from diffuscope.cases.cohort import read_cohort
from diffuscope.cases.dictionary import read_dictionary
from diffuscope.cases.find import SIMULATED
from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.simulation.oesophagus import BLOOD, CLINICAL, CohortPlan, simulated
from diffuscope.simulation.oesophagus.background import read_scenes
from diffuscope.simulation.oesophagus.dataset import COHORT, DICTIONARY, LABEL, PATIENT, TRUTH, write_cohort
from diffuscope.systems.mmfusion.config import TableConfig

PLAN = CohortPlan(patients=6, seed=5, no_ct=0.3, no_blood=0.3, empty=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cohort") / "oesophagus"
    write_cohort(out, PLAN)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_cohort_is_read_back_by_its_dictionary(folder: Path):
    tables = [TableConfig(**table).table for table in read_dictionary(folder / DICTIONARY)]
    assert [table.columns for table in tables] == [CLINICAL, BLOOD]
    cohort = read_cohort([folder / COHORT], tables, label=LABEL, above=0, images=("ct", "mask"))
    patients = list(simulated(PLAN))
    assert [case.name for case in cohort.cases] == [patient.name for patient in patients]
    assert cohort.labels.tolist() == [patient.label for patient in patients]
    for number, patient in enumerate(patients):
        assert set(cohort.cases[number].files) == (set() if patient.ct is None else {"ct", "mask"})
        for table in tables:
            row = patient.blood if table.key == "blood" else patient.clinical
            # The file has six digits.
            np.testing.assert_allclose(cohort.rows[table.key][number], table.encode(row), rtol=1e-5)
    missing = [patient.ct is None for patient in patients]
    assert any(missing) and not all(missing)


def test_images_lie_on_one_lattice_and_hold_the_voxels(folder: Path):
    for row, patient in zip(rows(folder / COHORT), simulated(PLAN), strict=True):
        if patient.ct is None:
            assert row["ct"] == row["mask"] == ""
            continue
        ct, mask = (sitk.ReadImage(str(folder / row[key])) for key in ("ct", "mask"))
        assert ct.GetSpacing() == mask.GetSpacing() == pytest.approx(patient.spacing[::-1])
        assert ct.GetOrigin() == mask.GetOrigin() and ct.GetDirection() == mask.GetDirection()
        np.testing.assert_array_equal(sitk.GetArrayFromImage(ct), patient.ct)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), patient.mask)


def test_the_truth_stands_apart(folder: Path):
    truth, known = rows(folder / TRUTH), rows(folder / COHORT)
    assert [row[PATIENT] for row in truth] == [row[PATIENT] for row in known]
    for row, patient in zip(truth, simulated(PLAN), strict=True):
        assert float(row["probability"]) == patient.probability
        assert float(row["factor_depth"]) == pytest.approx(patient.factors["depth"], rel=1e-4)
        assert (row["axis"] == "") == (patient.measures["count"] == 0)
    assert not {"probability", "depth", "necrosis"} & set(known[0])
    assert "SIMULATED" in (folder / SIMULATED).read_text(encoding="utf-8")


def test_a_folder_that_is_there_stays(folder: Path):
    with pytest.raises(InputError, match="exists"):
        write_cohort(folder, PLAN)


def test_a_folder_of_something_else_is_no_background(tmp_path: Path):
    with pytest.raises(InputError, match=r"labels\.json"):
        read_scenes(tmp_path)


@pytest.mark.slow
def test_tumours_grow_at_the_oesophagus_of_real_necks(shared: Path):
    scenes = read_scenes(shared / "data" / "neck-ct-openkbp")
    assert len(scenes) > 15
    plan = CohortPlan(patients=6, seed=0)
    for scene, patient in zip(scenes, simulated(plan, scenes), strict=False):
        assert patient.ct is not None and patient.mask is not None
        untouched = patient.mask == 0
        # Far from what was painted the CT is the real one, but for noise.
        assert np.abs(patient.ct - scene.hu)[untouched].mean() < 15
        tumour = np.argwhere(patient.mask == 1) * scene.spacing
        plane = int(np.median(tumour[:, 0]) / scene.spacing[0])
        here = tumour[tumour[:, 0] == plane * scene.spacing[0], 1:].mean(axis=0)
        assert np.linalg.norm(here - scene.centre[plane]) < 5
        nodes = patient.mask > 1
        assert not nodes.any() or np.median(scene.hu[nodes]) > -200  # grown in the body, not in air


@pytest.mark.slow
def test_the_patients_that_ship_are_those_of_their_seed(shared: Path):
    ships = sample_path("oesophagus-simulated/cohort.csv").parent
    plan = CohortPlan(patients=20, seed=39204, no_blood=0.2, empty=0.05)
    patients = list(simulated(plan, read_scenes(shared / "data" / "neck-ct-openkbp")))
    truth, known = rows(ships / TRUTH), rows(ships / COHORT)
    assert [float(row["probability"]) for row in truth] == pytest.approx([one.probability for one in patients])
    assert [int(row[LABEL]) for row in known] == [one.label for one in patients]
    assert [bool(row["ct"]) for row in known] == [number < 3 for number in range(20)]
    for row, patient in zip(known[:3], patients, strict=False):
        for key, voxels in (("ct", patient.ct), ("mask", patient.mask)):
            np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(ships / row[key]))), voxels)
