"""The section on real MR of DAMM-Diffusion's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.reproduce.damm.heads import COLUMNS, PATIENTS, SIDE, SLICES, HeadTask
from benchmarks.reproduce.damm.tasks import Budget

_HEADS = """## Real MR

T1, T2 and FLAIR of a brain, one from the other two, leave one of two patients out (MS data of Lesjak et al. 2017,
CC BY): crops of {side} px of {slices} axial slices of the patient that was held out, put together from tiles of {patch}
px; the same steps, batch and networks as above, one seed. PSNR is over the range of a run (percentiles of the scan).
`constant` is the mean of the patient that trained: what a picture of nothing scores. Two patients are few. The
uni-modal branch of `damm` sees the first of the two inputs, that of the column beside it the second (the paper's table
9: 24.13 and 24.23 dB, 25.07 and 25.25, 25.61 and 25.29 in the order of the rows).
"""


def section(found: Sequence[tuple[HeadTask, Mapping[str, Any]]], budget: Budget) -> str:
    """Return the table of real MR, a line a task."""
    if not found:
        return "## Real MR\n\nNo cell is complete.\n"
    by_task: dict[str, dict[str, dict[str, Mapping[str, Any]]]] = {}
    for task, result in found:
        row = by_task.setdefault(task.name, {})
        row.setdefault(task.column, {})[task.held] = result["scores"]
        row.setdefault("constant", {})[task.held] = result["constant"]
    columns = (*COLUMNS.values(), "constant")
    titles = [f"{name}, {held}" for name in columns for held in PATIENTS]
    text = [f"| PSNR, dB / SSIM | {' | '.join(titles)} |", f"|{'---|' * (1 + len(titles))}"]
    for name, row in by_task.items():
        cells = [_both(row.get(column, {}).get(held)) for column in columns for held in PATIENTS]
        text.append(f"| {name} | {' | '.join(cells)} |")
    told = _HEADS.format(side=SIDE, slices=SLICES, patch=budget.patch)
    return told + "\n" + "\n".join(text) + "\n"


def _both(scores: Mapping[str, Sequence[float]] | None) -> str:
    return f"{np.mean(scores['psnr_db']):.2f} / {np.mean(scores['ssim']):.3f}" if scores else "–"
