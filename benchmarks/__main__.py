"""``python -m benchmarks NAME …``: run a benchmark by its name, as ``python -m benchmarks.NAME …`` does.

Each prints its figures and goals last, and with ``--json FILE`` writes ``{"figures": {key: number}}``.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

_MAIN = 'if __name__ == "__main__":'


def _names() -> list[str]:
    """Return the benchmarks that there are; of those in a folder both, with a dot in between."""
    root = Path(__file__).parent
    files = [file for file in root.rglob("*.py") if file != Path(__file__)]
    run = [file for file in files if _MAIN in file.read_text(encoding="utf-8")]
    parts = [file.relative_to(root).with_suffix("").parts for file in run]
    return sorted(".".join(part for part in one if part != "__main__") for one in parts)


if __name__ == "__main__":
    known, asked = _names(), sys.argv[1].replace("/", ".") if len(sys.argv) > 1 else ""
    if asked not in known:
        sys.exit(f"usage: python -m benchmarks NAME [--json FILE], NAME one of {', '.join(known)}")
    del sys.argv[1]
    runpy.run_module(f"benchmarks.{asked}", run_name="__main__", alter_sys=True)
