"""What benchmarks measured goes on a model's card."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from model_card import CARD

from diffuscope.model import load_model, save_model
from diffuscope.systems.registry import build_system
from diffuscope.training import card

CONFIG = {"target": {"name": "PET"}, "source": {"name": "MR"}, "size": "tiny"}


def test_figures_of_files_go_on_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = save_model(tmp_path / "m", build_system("midiffusion", CONFIG), "midiffusion", CONFIG, CARD)
    for name, figures in {"a": {"psnr_db": 15.678, "ssim": 0.4}, "b": {"flicker_default": 0.9}}.items():
        (tmp_path / name).write_text(json.dumps({"figures": figures}), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["x", str(folder), str(tmp_path / "a"), str(tmp_path / "b")])
    card.main()
    assert load_model(folder).card.figures == {"psnr_db": 15.68, "ssim": 0.4, "flicker_default": 0.9}
