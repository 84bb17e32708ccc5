"""A small MMFusion that sees CT, and cases for it."""

from __future__ import annotations

import pytest
import torch

from diffuscope.systems.mmfusion.config import MMFusionConfig
from diffuscope.systems.mmfusion.system import MMFusion

NAN = float("nan")
SMALL = {
    "backbone": "resnet10",
    "planes": 4,
    "stem": "small",
    "norm": "group",
    "spacing": (2.0, 2.0, 2.0),
    "tumour": (16, 16, 16),
    "node": (8, 8, 8),
}


def make(**config: object) -> MMFusion:
    pytest.importorskip("monai")
    torch.manual_seed(0)
    table = {"name": "blood", "key": "blood", "columns": [{"name": "x"}]}
    return MMFusion(MMFusionConfig.model_validate({"tables": [table], "width": 16, "images": SMALL, **config}))


def a_case(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a CT and its outlines: a tumour and the second of three nodes, voxels of (2, 1, 1) mm."""
    ct = torch.randn(1, 20, 40, 40, generator=torch.Generator().manual_seed(seed)) * 40 + 50
    labels = torch.zeros(20, 40, 40, dtype=torch.uint8)
    labels[5:12, 8:24, 10:22], labels[14:16, 30:34, 4:8] = 1, 3
    return ct, labels


def batch(system: MMFusion, count: int = 4) -> dict[str, torch.Tensor]:
    cases = []
    for number in range(count):
        ct, labels = a_case(number)
        cases.append(system.prepare({"ct": ct, "mask": labels, "blood": torch.tensor([number / 2])}, (2.0, 1.0, 1.0)))
    stacked = {key: torch.stack([case[key] for case in cases]) for key in cases[0]}
    return stacked | {"label": torch.arange(count).float() % 2, "case": torch.arange(count).float()}
