"""``python -m benchmarks reproduce SYSTEM``: compute the cells of a paper's table that are missing, write the page.

Several of these at once share the cells; networks this small train faster as two processes of one thread
(OMP_NUM_THREADS=1) than as one of two.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.shared.places import ROOT, RUNS

SYSTEMS = ("staindiffuser", "damm", "midiffusion", "mmfusion", "medm2g")


def main(words: Sequence[str]) -> None:
    """Say what will be done and how long it takes; do it; write the page after every cell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks reproduce", description=main.__doc__)
    parser.add_argument("system", choices=SYSTEMS, help="whose table")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a few minutes: checks the machinery")
    size.add_argument("--full", action="store_true", help="the paper's protocol: weeks of GPU")
    parser.add_argument("--plan", action="store_true", help="print cells and time, and stop")
    parser.add_argument("--page", action="store_true", help="write the page of what there is, and stop")
    arguments = parser.parse_args(words)

    # After the options: these wait for torch.
    from benchmarks.reproduce import kept
    from benchmarks.reproduce.fill import fill
    from benchmarks.reproduce.tables import TABLES

    name = "quick" if arguments.quick else "full" if arguments.full else "standard"
    table = TABLES[arguments.system]
    budget = table.budgets[name]
    root = RUNS / "reproduce" / arguments.system
    docs = ROOT / "docs/reproduce" if name == "standard" else root
    target = docs / (f"{arguments.system}.md" if name == "standard" else f"{name}.md")
    todo, notices = table.todo(budget, arguments.quick)
    print("\n".join(f"Left out: {notice}" for notice in notices), flush=True)
    if name == "standard":
        kept.restore(todo, kept=kept.KEPT / arguments.system, root=root)
    if not arguments.page:
        print(table.plan(todo, root=root), flush=True)
    if arguments.plan:
        return
    if arguments.quick:
        print("QUICK: a few steps of tiny networks. This checks the machinery; the figures mean nothing.", flush=True)

    def write(complete: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
        if name == "standard":
            kept.keep(todo, kept=kept.KEPT / arguments.system, root=root)
        _write(target, table.page(complete, budget=budget, kind=name, notices=notices, cells=len(todo)))
        print(f"wrote {target}", flush=True)

    if not arguments.page:
        fill(todo, table.measure, root=root, write=write)
    elif complete := [(task, known) for task in todo if (known := task.cell.found(root)) is not None]:
        write(complete)
    else:
        print("No cell is complete: there is no page to write.")


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial_file = target.with_suffix(".partial")
    partial_file.write_text(text, encoding="utf-8")
    partial_file.replace(target)


if __name__ == "__main__":
    main(sys.argv[1:])
