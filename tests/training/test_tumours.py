"""The simulated cohort on disk: cases that training finds, grouped by animal, said to be simulated."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from diffuscope.cases import find_cases, folds, open_case
from diffuscope.cases.find import SIMULATED
from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan
from diffuscope.simulation.tumour import BREAST, cohort
from diffuscope.simulation.tumour.dataset import CHANNELS, Plan, write_cohort

PLAN = Plan(animals=3, external=1, fields=4, size=64, seed=9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tumours") / "cohort"
    assert write_cohort(folder, PLAN) == 16
    return folder


def test_cases_are_the_fields_and_their_groups_the_animals(folder: Path):
    cases = find_cases(folder, list(CHANNELS))
    assert Counter(case.group for case in cases) == {"breast-0": 4, "breast-1": 4, "breast-2": 4, "melanoma-0": 4}
    assert {case.group for case in cases if case.part == "test"} == {"melanoma-0"}
    by_name = {case.name: case for case in cases}
    for field in cohort(seed=9, model=BREAST, animals=3, fields=4, size=64):
        opened = open_case(by_name[f"breast-{field.animal.number}-{field.number:03d}"], mpp=1.0)
        assert opened.shape == (64, 64)
        for key, channel in CHANNELS.items():
            assert opened.scans[key].channels == (channel,) and opened.scans[key].mpp == pytest.approx(1.0)
            np.testing.assert_array_equal(opened.read(key, 0, 0, 64, 64)[..., 0], getattr(field, key))


def test_every_fold_holds_out_an_animal_and_tests_on_the_other_tumour(folder: Path):
    for parts in folds(find_cases(folder, list(CHANNELS)), 3):
        assert len({case.group for case in parts["validation"]}) == 1 and len(parts["train"]) == 8
        assert {case.group for case in parts["test"]} == {"melanoma-0"}


def test_the_table_tells_what_the_nuclei_channel_is(folder: Path):
    with (folder / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = {(row["model"], int(row["group"][-1]), row["number"]): row["kind"] for row in rows}
    for field in cohort(seed=9, model=BREAST, animals=3, fields=4, size=64):
        assert kinds["breast", field.animal.number, str(field.number)] == field.kind
    assert sum(kind != "concordant" for kind in kinds.values()) == 4


def test_it_says_that_it_is_simulated(folder: Path):
    assert (folder / SIMULATED).read_text().startswith("SIMULATED by")
    with tifffile.TiffFile(next((folder / "nuclei").iterdir())) as file:
        assert "SIMULATED" in file.ome_metadata


def test_a_phantom_is_told_by_its_groups_and_holds_out_its_own_other_tumour(tmp_path: Path):
    write_cohort(tmp_path / "cohort", replace(PLAN, animals=1, fields=1, phantom="endosomal"))
    cases = find_cases(tmp_path / "cohort", list(CHANNELS))
    assert {case.group: case.part for case in cases} == {"breast-endosomal-0": None, "melanoma-endosomal-0": "test"}
    with pytest.raises(InputError, match="no phantom 'endosome': choose one of even, endosomal"):
        write_cohort(tmp_path / "none", replace(PLAN, phantom="endosome"))


@pytest.mark.slow
def test_more_processes_write_the_same(folder: Path, tmp_path: Path):
    assert write_cohort(tmp_path / "again", PLAN, workers=2) == 16
    assert (tmp_path / "again" / "cases.csv").read_bytes() == (folder / "cases.csv").read_bytes()
    for picture in folder.rglob("*.tif"):
        np.testing.assert_array_equal(
            tifffile.imread(tmp_path / "again" / picture.relative_to(folder)), tifffile.imread(picture)
        )


def test_what_is_there_stays_and_nothing_half_written_is_left(folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match="exists already"):
        write_cohort(folder, PLAN)
    with pytest.raises(InputError, match="no cohort"):
        write_cohort(tmp_path / "new", Plan(fields=0))
    assert not list(tmp_path.iterdir())


def test_the_sample_that_ships_opens_with_its_names_and_scale():
    path = sample_path("tumour-simulated.ome.tif")
    scan = open_scan(path)
    assert scan.channels == ("CD31", "DAPI", "nanoparticles") and not scan.rgb
    assert scan.shape == (1024, 1024) and scan.mpp == pytest.approx(1.0) and scan.dtype == np.uint8
    assert path.stat().st_size < 2 * 10**6
    with tifffile.TiffFile(path) as file:
        assert "SIMULATED" in file.ome_metadata
