"""``python -m diffuscope.training.card MODEL FIGURES.json``: put what a benchmark measured on a model's card."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from diffuscope.model.folder import set_figures


def main() -> None:
    """Read the figures that a benchmark wrote with --json, and write the card anew."""
    parser = argparse.ArgumentParser(prog="python -m diffuscope.training.card", description=main.__doc__)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("figures", type=Path, help='file of {"figures": {name: number}}')
    arguments = parser.parse_args()
    set_figures(arguments.model, json.loads(arguments.figures.read_text(encoding="utf-8"))["figures"])


if __name__ == "__main__":
    main()
