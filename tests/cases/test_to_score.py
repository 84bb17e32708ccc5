"""Tables in any form: the order of rows, columns and files, their unit and their program change nothing."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.cases.to_score import read_cohort_to_score
from diffuscope.systems.registry import declare

UNITS = {"hb": ("g/dl", {"": 1, "g/dl": 1, "g/l": 10, "mg/ml": 10}), "wbc": ("10³/µl", {"": 1, "G/l": 1, "/µl": 1000})}
CODES = ("0", "1", "2")
TABLES = [
    {"name": "a", "key": "a", "columns": [{"name": "hb", "unit": "g/dl"}, {"name": "site", "categories": CODES}]},
    {"name": "b", "key": "b", "columns": [{"name": "wbc", "unit": "10³/µl"}]},
]
DECLARED = declare("mmfusion", {"tables": TABLES})
_MISSING = st.sampled_from(["", "NA", "unknown", "-"])
_NUMBER = st.one_of(st.none(), st.integers(1, 400).map(lambda number: number / 8))
_PATIENT = st.tuples(_NUMBER, st.one_of(st.none(), st.sampled_from(CODES)), _NUMBER)


@given(st.lists(_PATIENT, min_size=1, max_size=6), st.randoms(use_true_random=False), st.data())
def test_form_does_not_matter(tmp_path_factory: pytest.TempPathFactory, patients, rng: random.Random, data) -> None:
    folder = tmp_path_factory.mktemp("tables")
    names = [f"{number:03d}" for number in range(len(patients))]
    heads, columns = [], []
    for place, name in ((0, "hb"), (2, "wbc")):
        unit = data.draw(st.sampled_from(sorted(UNITS[name][1])))
        heads.append(f"{name} [{unit}]" if unit else name)
        columns.append([None if one[place] is None else repr(one[place] * UNITS[name][1][unit]) for one in patients])
    heads.append("site")
    columns.append([one[1] if one[1] is None or rng.random() < 0.5 else f"{one[1]}.0" for one in patients])
    split = data.draw(st.lists(st.integers(0, 1), min_size=3, max_size=3))
    paths = []
    for number in sorted(set(split)):
        own = [place for place in range(3) if split[place] == number]
        rng.shuffle(own)
        rows = [[name, *(columns[place][at] for place in own)] for at, name in enumerate(names)]
        rng.shuffle(rows)
        mark = rng.choice([",", ";", "\t"])
        path = folder / f"{number}.csv"
        with path.open("w", newline="", encoding=rng.choice(["utf-8", "utf-8-sig"])) as file:
            table = csv.writer(file, delimiter=mark)
            table.writerow(["id", *(heads[place] for place in own)])
            for name, *values in rows:
                table.writerow([name, *(data.draw(_MISSING) if value is None else value for value in values)])
        paths.append(path)
    rng.shuffle(paths)
    found = read_cohort_to_score(paths, DECLARED, "model")
    assert sorted(case.name for case in found.cases) == names and not any(case.fault for case in found.cases)
    for case in found.cases:
        hb, site, wbc = patients[int(case.name)]
        wanted = {"a": [hb, None if site is None else float(site)], "b": [wbc]}
        for key, values in wanted.items():
            if all(value is None for value in values):
                assert key not in case.rows
            else:
                expected = np.array([np.nan if value is None else value for value in values], np.float32)
                np.testing.assert_allclose(case.rows[key], expected, rtol=1e-6)


def test_real_tables_are_read_to_the_digit(shared: Path) -> None:
    """HANCOCK's: heads with brackets of their own, codes written 0 and 0.0, patients who are not in every table."""
    folder = shared / "data/hancock"
    with (folder / "blood.csv").open(newline="", encoding="utf-8") as file:
        blood = {row.pop("patient_id"): row for row in csv.DictReader(file)}
    names = list(blood["001"])
    tables = [
        {
            "name": "clinical",
            "key": "clinical",
            "columns": [{"name": "primarily_metastasis", "categories": ["0", "1"]}],
        },
        {"name": "blood", "key": "blood", "columns": [{"name": name, "unit": "10³/µl"} for name in names]},
    ]
    declared = declare("mmfusion", {"tables": tables})
    found = read_cohort_to_score([folder / "clinical.csv", folder / "blood.csv"], declared, "model")
    assert len(found.cases) == 648 and not any(case.fault for case in found.cases)
    assert found.notices == ("clinical.csv: not used are sex, smoking_status, age_at_initial_diagnosis.",)
    by_name = {case.name: case for case in found.cases}
    assert {name for name, case in by_name.items() if "blood" in case.rows} == set(blood) and len(blood) == 584
    for name, row in blood.items():
        np.testing.assert_array_equal(by_name[name].rows["blood"], np.array([*row.values()], np.float32))
    assert sum("clinical" in case.rows for case in found.cases) == 626
