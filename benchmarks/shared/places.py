"""Where things lie that are not part of the package: the repository, what benchmarks leave, data beside it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What is computed once and found again; not under version control.
RUNS = ROOT / "runs"
#: Real scans and strips, which do not ship.
DATA = ROOT / "../shared/data"
#: Of the models that ship.
RECIPES = ROOT / "src/diffuscope/training/recipes"
