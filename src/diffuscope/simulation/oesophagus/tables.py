"""The tables of simulated patients: clinical data and blood, with units, ranges and categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from diffuscope.ports.table import Column, Row
from diffuscope.simulation.oesophagus.factors import Drawn
from diffuscope.simulation.oesophagus.rule import Values

#: Clinical data, as known before surgery.
CLINICAL = (
    Column(name="age", title="Age", unit="years", range=(18, 110)),
    Column(name="sex", title="Sex", categories=("female", "male")),
    Column(name="location", title="Third of the oesophagus", categories=("upper", "middle", "lower")),
    Column(name="ct_stage", title="cT", categories=("cT1", "cT2", "cT3", "cT4")),
    Column(name="grade", title="Grade of the biopsy", categories=("G1", "G2", "G3")),
    Column(name="alcohol", title="Alcohol", categories=("none", "moderate", "heavy")),
    Column(name="smoking", title="Smoking", unit="pack-years", range=(0, 150)),
    Column(name="weight_loss", title="Weight lost in 6 months", unit="kg", range=(0, 60)),
)
#: Blood, as known before surgery.
BLOOD = (
    Column(name="leukocytes", title="Leukocytes", unit="10³/µl", range=(0.5, 60)),
    Column(name="lymphocytes", title="Lymphocytes", unit="10³/µl", range=(0.05, 20)),
    Column(name="haemoglobin", title="Haemoglobin", unit="g/dl", range=(4, 22)),
    Column(name="platelets", title="Platelets", unit="10³/µl", range=(10, 1500)),
    Column(name="albumin", title="Albumin", unit="g/l", range=(10, 65)),
    Column(name="crp", title="CRP", unit="mg/l", range=(0, 500)),
    Column(name="scc", title="SCC antigen", unit="ng/ml", range=(0, 200)),
)


def clinical_rows(drawn: Drawn) -> list[Row]:
    """Return the clinical data of patients, one row each.

    cT is read off the tumour's depth with an error, so that it tells part of what the CT does; location and grade are
    those of the rule; weight lost goes with the tumour's length, alcohol with the location; age and smoking tell
    nothing.
    """
    z, measures = drawn.normals, drawn.measures
    stage = np.digitize(drawn.factors["depth"] + 0.6 * z["stage"], (-1.0, 0.0, 1.2))
    alcohol = np.digitize(z["alcohol"] + 0.3 * drawn.factors["location"], (-0.4, 0.8))
    numbers = {
        "age": np.clip(63 + 9 * z["age"], 35, 90).round(),
        "smoking": np.clip(22 + 18 * z["smoking"], 0, 120).round(),
        "weight_loss": np.clip(4 + 2 * z["weight_loss"] + 1.5 * z["length"], 0, 30).round(1),
    }
    places = {
        "sex": z["sex"] > -0.7,
        "location": measures["location"],
        "ct_stage": stage,
        "grade": measures["grade"] - 1,
        "alcohol": alcohol,
    }
    return _rows(CLINICAL, numbers, places)


def blood_rows(drawn: Drawn) -> list[Row]:
    """Return the blood of patients, one row each.

    SCC antigen (which goes with the tumour's length), CRP (with its depth) and lymphocytes are those of the rule;
    leukocytes follow CRP, albumin falls with it; haemoglobin and platelets tell nothing.
    """
    z, measures = drawn.normals, drawn.measures
    crp = drawn.factors["crp"]
    numbers = {
        "leukocytes": np.clip(7.5 * np.exp(0.2 * z["leukocytes"] + 0.15 * crp), 2, 30).round(1),
        "lymphocytes": measures["lymphocytes"].round(2),
        "haemoglobin": np.clip(13.2 + 1.5 * z["haemoglobin"], 7, 18).round(1),
        "platelets": np.clip(250 * np.exp(0.25 * z["platelets"]), 60, 800).round(),
        "albumin": np.clip(40 - 1.5 * crp + 3.5 * z["albumin"], 20, 55).round(1),
        "crp": measures["crp"].round(1),
        "scc": measures["scc"].round(2),
    }
    return _rows(BLOOD, numbers, {})


def empty_row(columns: tuple[Column, ...]) -> Row:
    """Return a row of which nothing is known."""
    return {column.name: None for column in columns}


def is_missing(normals: Values, share: float) -> NDArray[np.bool_]:
    """Return of which patients a part is missing, bool (n,): `share` of all, whatever else they are."""
    return np.asarray(ndtr(normals) < share)


def _rows(
    columns: tuple[Column, ...], numbers: Mapping[str, NDArray[Any]], places: Mapping[str, NDArray[Any]]
) -> list[Row]:
    values: dict[str, list[Any]] = {
        column.name: [column.categories[int(place)] for place in places[column.name]]
        if column.categories
        else [float(number) for number in numbers[column.name]]
        for column in columns
    }
    names = tuple(values)
    return [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True)]
