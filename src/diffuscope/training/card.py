"""``python -m diffuscope.training.card MODEL FIGURES.json …``: put what benchmarks measured on a model's card."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from diffuscope.model import set_figures


def main() -> None:
    """Read the figures that benchmarks wrote with --json, and write the card anew with these and no others."""
    parser = argparse.ArgumentParser(prog="python -m diffuscope.training.card", description=main.__doc__)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help='of {"figures": {name: number}}')
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    for file in arguments.files:
        figures |= json.loads(file.read_text(encoding="utf-8"))["figures"]
    set_figures(arguments.model, figures)


if __name__ == "__main__":
    main()
