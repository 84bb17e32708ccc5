"""The row of a case: a tumour, its nodes as one, the largest node's shape, and NaN for what is not there."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.radiomics.case import case_row
from diffuscope.radiomics.columns import columns
from diffuscope.radiomics.measure import measure
from diffuscope.radiomics.settings import RadiomicsSettings

SETTINGS = RadiomicsSettings(features=("morph_volume", "morph_diam", "stat_mean", "cm_contrast_3D_comb"))
SPACING = (2.0, 1.0, 1.0)


@pytest.fixture
def case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    ct, labels = rng.normal(40, 25, (16, 40, 40)), np.zeros((16, 40, 40), np.uint8)
    labels[4:12, 4:20, 4:20] = 1
    labels[3:6, 25:30, 25:30] = 2
    labels[9:14, 28:36, 26:38] = 4
    return ct, labels


def test_a_row_is_the_tumour_the_nodes_as_one_and_the_largest_node(case: tuple[np.ndarray, np.ndarray]):
    ct, labels = case
    row = case_row(ct, labels, SPACING, SETTINGS)
    assert tuple(row) == tuple(columns(SETTINGS))
    tumour, nodes, largest = (measure(ct, mask, SPACING, SETTINGS) for mask in (labels == 1, labels > 1, labels == 4))
    assert {name.removeprefix("tumour_"): value for name, value in row.items() if name.startswith("tumour_")} == tumour
    del nodes["morph_diam"]  # across all of them it is how far they lie apart
    found = {name.removeprefix("nodes_"): value for name, value in row.items() if name.startswith("nodes_")}
    assert found == pytest.approx(nodes, rel=1e-6)
    assert row["largest_node_morph_diam"] == largest["morph_diam"]
    assert row["largest_node_morph_volume"] == largest["morph_volume"] < row["nodes_morph_volume"]


def test_columns_have_units():
    assert columns(SETTINGS)["largest_node_morph_volume"] == "mm³"
    assert columns(SETTINGS)["nodes_stat_mean"] == "HU" and columns(SETTINGS)["tumour_cm_contrast_3D_comb"] == ""


def test_what_is_not_there_is_nan(case: tuple[np.ndarray, np.ndarray]):
    ct, labels = case
    for kept, prefix in ((labels == 1, "tumour_"), (labels > 1, ("nodes_", "largest_node_"))):
        row = case_row(ct, np.where(kept, labels, 0), SPACING, SETTINGS)
        assert tuple(row) == tuple(columns(SETTINGS))
        assert all(np.isfinite(value) == name.startswith(prefix) for name, value in row.items())
    assert np.isnan(list(case_row(ct, np.zeros_like(labels), SPACING, SETTINGS).values())).all()


def test_an_error_says_of_what(case: tuple[np.ndarray, np.ndarray]):
    ct, labels = case
    ct[10, 30, 30] = np.nan
    with pytest.raises(InputError, match=r"^nodes: the CT has no value"):
        case_row(ct, labels, SPACING, SETTINGS)
    with pytest.raises(InputError, match=r"^tumour: the CT has"):
        case_row(ct[:-1], labels, SPACING, SETTINGS)
