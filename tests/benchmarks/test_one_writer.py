"""Two processes on one result, and kills: the benchmark of them, each kind of pair and of kill once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from patience import SECONDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_two_at_once_and_kills_spoil_nothing():
    line = [sys.executable, "-m", "benchmarks", "one_writer", "--trials", "3", "--kills", "4", "--seed", "7"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True, timeout=4 * SECONDS)
    found = dict(row.split()[:2] for row in done.stdout.splitlines() if len(row.split()) > 1)
    assert (found["wrong"], found["lost"], found["left_behind"]) == ("0", "0", "0"), done.stdout
    assert (found["trials"], found["kills"], found["gone_on_with"]) == ("3", "4", "4"), done.stdout
