"""Features are those of IBSI: every reference value, of the digital phantom and of the chest CT, within its tolerance.

The digital phantom is by Alex Zwanenburg, CC BY 4.0.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.radiomics import agrees, compared, read
from diffuscope.radiomics.measure import measure
from diffuscope.radiomics.settings import IBSI
from diffuscope.radiomics.tags import tags

VALUES = Path(__file__).with_name("digital_phantom.csv")
# Slices, rows and voxels of 2 mm; in brackets what the mask leaves out.
PHANTOM = """
  1   4   4   1   1 |   1   4   6   1   1 |   4   1   6   4   1 |   4   4   6   4   1
  1   4   4   1   1 |   1   1   6   1   1 | (1)   1   3   1   1 |   4   4   6   1   1
  1   4   4 (1) (1) |   1   1   1   1   1 |   1   1 (9)   1   1 |   1   1   6   1   1
  1   4   4 (1) (1) |   1   1   1   1   1 |   1   1   1   1   1 |   1   1   6   1   1
"""


def phantom() -> tuple[np.ndarray, np.ndarray]:
    rows = [[row.split() for row in line.split("|")] for line in PHANTOM.strip().splitlines()]
    return np.array([[[int(word.strip("()")) for word in row] for row in slab] for slab in rows]), np.array(
        [[["(" not in word for word in row] for row in slab] for slab in rows]
    )


def test_the_digital_phantom_gives_every_value_that_ibsi_has_of_it():
    with VALUES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    image, mask = phantom()
    found = measure(image, mask, (2, 2, 2), IBSI["digital"])
    assert [row["tag"] for row in rows] == tags() == list(found) and len(found) == 482
    off = {
        row["tag"]: found[row["tag"]]
        for row in rows
        if not agrees(found[row["tag"]], float(row["value"]), float(row["tolerance"]))
    }
    assert off == {}


def test_the_phantom_and_its_values_are_those_of_ibsi(shared: Path):
    data = shared / "data" / "ibsi"
    image, mask, spacing = read(data / "digital-phantom")
    np.testing.assert_array_equal(image, phantom()[0])
    np.testing.assert_array_equal(mask, phantom()[1])
    assert spacing == (2, 2, 2)
    with VALUES.open(encoding="utf-8") as file:
        ours = [tuple(row.values()) for row in csv.DictReader(line for line in file if not line.startswith("#"))]
    with (data / "reference-values" / "dig_phantom.csv").open(encoding="utf-8") as file:
        theirs = list(csv.DictReader(file, delimiter=";"))
    assert ours == [(row["tag"], row["reference value"], row["tolerance"]) for row in theirs if row["reference value"]]
    assert [row["tag"] for row in theirs if not row["reference value"]] == [
        "morph_vol_dens_ombb",
        "morph_area_dens_ombb",
        "morph_vol_dens_mvee",
        "morph_area_dens_mvee",
        "ivh_auc",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("A", 368), ("B", 368), ("C", 232), ("D", 232), ("E", 232)])
def test_the_chest_ct_gives_every_value_that_ibsi_has_of_it(shared: Path, name: str, count: int):
    values = list(compared(shared / "data" / "ibsi", name))
    assert len(values) == count
    assert [one for one in values if not agrees(*one[1:])] == []
