"""A small untrained model of tables, or of CT and tables, that scores; and patients for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from model_card import CARD

from diffuscope.model.folder import save_model
from diffuscope.systems.registry import build_system

CLINICAL = {
    "name": "clinical data",
    "key": "clinical",
    "columns": [
        {"name": "age", "unit": "years", "range": [0, 120]},
        {"name": "sex", "categories": ["0", "1"]},
        {"name": "site", "categories": ["0", "1", "2"]},
    ],
}
BLOOD = {
    "name": "blood",
    "key": "blood",
    "columns": [
        {"name": "Hemoglobin [Mass/volume] in Blood", "title": "hemoglobin", "unit": "g/dl", "range": [2, 25]},
        {"name": "leukocytes", "unit": "10³/µl"},
    ],
}
CLINICAL_CSV = "patient_id,age,sex,site\n001,61,1,0\n002,70,,2\n003,55,0.0,\n"
BLOOD_CSV = "patient_id,Hemoglobin [Mass/volume] in Blood,leukocytes\n001,14.1,7.5\n003,9.9,12\n"


def write_model(folder: Path, **config: Any) -> Path:
    """Write a model with random weights."""
    config = {"tables": [CLINICAL, BLOOD], "width": 16, "members": 3, "threshold": 0.5} | config
    torch.manual_seed(3)
    return save_model(folder, build_system("mmfusion", config), "mmfusion", config, CARD)


def write_patients(folder: Path, clinical: str = CLINICAL_CSV, blood: str = BLOOD_CSV) -> list[Path]:
    """Write two tables."""
    paths = [folder / "clinical.csv", folder / "blood.csv"]
    for path, text in zip(paths, (clinical, blood), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths
