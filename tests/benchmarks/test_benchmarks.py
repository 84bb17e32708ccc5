"""Benchmarks by name: what there is, where figures go, and what a machine without a GPU says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_name_that_is_none_lists_those_that_are():
    refused = run("nonsense")
    assert refused.returncode == 1
    assert {"speed.gpu_proxy", "speed.kernels", "reproduce"} <= set(
        refused.stderr.split("one of ")[1].strip().split(", ")
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_a_benchmark_of_kernels_says_so_and_passes(tmp_path: Path):
    told = run("speed/kernels", "--json", str(tmp_path / "figures.json"))
    assert told.returncode == 0 and "no GPU" in told.stdout
    assert json.loads((tmp_path / "figures.json").read_text()) == {"figures": {}}
