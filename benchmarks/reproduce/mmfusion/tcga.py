"""TCGA, oesophagus and stomach: real patients of many centres, by what was honestly known before surgery."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from benchmarks.reproduce.mmfusion.hancock import hancock
from benchmarks.reproduce.mmfusion.study import Study
from benchmarks.reproduce.study import digest
from benchmarks.shared.places import DATA

FOLDER = DATA / "tcga-nodes"
_LABEL = "label_node_positive"
_SMOKING = {"never": "never", "current": "current", "former_gt15y": "former", "former_le15y": "former"}
# As HANCOCK codes it; 3 is unknown there.
_HANCOCK_SMOKING = ("former", "never", "current")
_SEX = ("male", "female")
_AGE = {"name": "age_years", "unit": "years", "range": [0, 120]}
_YES = {"categories": ["0", "1"]}
_PATIENT: list[dict[str, Any]] = [
    _AGE,
    {"name": "sex", "categories": list(_SEX)},
    {"name": "smoking", "categories": list(_HANCOCK_SMOKING)},
]
_OESOPHAGUS: list[dict[str, Any]] = [
    {"name": "patient", "key": "patient", "columns": [*_PATIENT, {"name": "bmi"}, {"name": "alcohol", **_YES}]},
    {
        "name": "tumour",
        "key": "lesion",
        "columns": [
            {"name": "tumour_location", "categories": ["proximal", "mid", "distal"]},
            {"name": "histology", "categories": ["squamous", "adenocarcinoma"]},
            {"name": "radiographic_node_evidence", **_YES},
        ],
    },
    {"name": "reflux", "key": "reflux", "columns": [{"name": "reflux", **_YES}, {"name": "barrett", **_YES}]},
]
_COMMON: list[dict[str, Any]] = [
    {"name": "patient", "key": "patient", "columns": _PATIENT[:2]},
    {"name": "reflux", "key": "reflux", "columns": [{"name": "reflux", **_YES}, {"name": "barrett", **_YES}]},
]


def missing() -> str | None:
    """Return why there is no study, or None."""
    return None if FOLDER.is_dir() else "TCGA: there is no folder ../shared/data/tcga-nodes beside the repository."


@cache
def oesophagus() -> Study:
    """Return the oesophagus by itself. cT and cN look copied from pathology and are not used, nor is the centre."""
    rows = _rows("esca.csv")
    return _study("esca", "TCGA oesophagus", _OESOPHAGUS, rows, outside=None, groups=_histologies(rows))


@cache
def from_the_stomach() -> Study:
    """Return the stomach, which trains, and the oesophagus, which tests, by the columns that both have."""
    stomach, own = _rows("stad.csv"), _rows("esca.csv")
    rows = [*stomach, *own]
    outside = np.arange(len(rows)) >= len(stomach)
    return _study("stomach", "TCGA stomach to oesophagus", _COMMON, rows, outside=outside, groups=_histologies(rows))


@cache
def from_head_and_neck() -> Study:
    """Return HANCOCK, which trains, and oesophagus and stomach, which test, by age, sex and smoking."""
    near = hancock()
    clinical = next(table for table in near.tables if table["key"] == "clinical")
    names = [column["name"] for column in clinical["columns"]]
    inside = []
    for row, label in zip(near.cases["clinical"].tolist(), near.label, strict=True):
        known = dict(zip(names, row, strict=True))
        smoking = int(known["smoking_status"])
        inside.append(
            {
                "age_years": str(known["age_at_initial_diagnosis"]),
                "sex": _SEX[int(known["sex"])],
                "smoking": _HANCOCK_SMOKING[smoking] if smoking < len(_HANCOCK_SMOKING) else "",
                _LABEL: str(label),
                "patient": "hancock",
                "cancer": "",
            }
        )
    rows = [*inside, *_rows("esca.csv"), *_rows("stad.csv")]
    tables = [{"name": "patient", "key": "patient", "columns": _PATIENT}]
    outside = np.arange(len(rows)) >= len(inside)
    return _study("outside", "head and neck to TCGA", tables, rows, outside=outside, groups=_histologies(rows))


def _rows(name: str) -> list[dict[str, str]]:
    """Return the patients whose nodes are known."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if row[_LABEL]]
    return [row | {"smoking": _SMOKING.get(row.get("smoking", ""), "")} for row in found]


def _histologies(rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return who is of which cancer: histology, centre and node status go together, so that each is told by itself."""
    kinds = {
        "oesophagus, squamous": lambda row: row["cancer"] == "ESCA" and row["histology"] == "squamous",
        "oesophagus, adenocarcinoma": lambda row: row["cancer"] == "ESCA" and row["histology"] == "adenocarcinoma",
        "stomach": lambda row: row["cancer"] == "STAD",
    }
    return {name: np.array([is_it(row) for row in rows]) for name, is_it in kinds.items()}


def _study(
    name: str,
    title: str,
    tables: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, str]],
    *,
    outside: Any,
    groups: Mapping[str, Any],
) -> Study:
    cases = {
        table["key"]: torch.tensor([[_value(row, column) for column in table["columns"]] for row in rows])
        for table in tables
    }
    files = {path.name: digest(path) for path in sorted(FOLDER.glob("*.csv"))}
    return Study(
        name=name,
        title=title,
        tables=tables,
        cases=cases,
        label=np.array([int(row[_LABEL]) for row in rows]),
        patients=tuple(row["patient"] for row in rows),
        facts={"study": name, "files": files, "tables": list(tables), "near": hancock().facts},
        outside=outside,
        groups={key: who for key, who in groups.items() if who.any()},
    )


def _value(row: Mapping[str, str], column: Mapping[str, Any]) -> float:
    text = row.get(column["name"], "")
    choices = column.get("categories")
    if not text or (choices and text not in choices):
        return math.nan
    return float(choices.index(text)) if choices else float(text)
