"""How findings that were read agree with the truth: number, and kind, side, zone and size of each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.optimize import linear_sum_assignment

from diffuscope.simulation.thorax_brain.findings import Finding, Findings

#: What is compared of each finding.
ATTRIBUTES = ("kind", "side", "zone", "size")


def pair(read: Findings, truth: Findings) -> list[tuple[Finding | None, Finding]]:
    """Return each finding of the truth with the one that was read for it, so that most attributes agree.

    Parameters
    ----------
    read, truth : Findings
        Of one subject. Place counts before all else; what was read of nothing is left out.

    Returns
    -------
    list of (Finding or None, Finding)
        None: it was missed.
    """
    agreeing = np.array([[_agreeing(one, true) for true in truth.items] for one in read.items])
    rows, columns = linear_sum_assignment(agreeing.reshape(len(read.items), len(truth.items)), maximize=True)
    taken = {int(column): read.items[row] for row, column in zip(rows, columns, strict=True)}
    return [(taken.get(number), true) for number, true in enumerate(truth.items)]


def agreement(pairs: Iterable[tuple[Findings, Findings]]) -> dict[str, float]:
    """Return the shares in which what was read is right.

    Parameters
    ----------
    pairs : iterable of (Findings, Findings)
        Read, and true, of each subject; at least one.

    Returns
    -------
    dict of float
        ``count``: of subjects whose number of findings is right. ``kind``, ``side``, ``zone``, ``size``: of true
        findings of which that was read; what was missed is wrong in all four. ``finding``: F1 of whole findings, right
        in all four. NaN where there is nothing to count.
    """
    subjects = right = whole = read_items = true_items = 0
    agreed = dict.fromkeys(ATTRIBUTES, 0)
    for read, truth in pairs:
        subjects += 1
        right += len(read.items) == len(truth.items)
        read_items += len(read.items)
        true_items += len(truth.items)
        for one, true in pair(read, truth):
            whole += one == true
            for name in ATTRIBUTES:
                agreed[name] += one is not None and getattr(one, name) == getattr(true, name)
    shares = {name: _share(number, true_items) for name, number in agreed.items()}
    return {"count": _share(right, subjects), **shares, "finding": _share(2 * whole, read_items + true_items)}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _agreeing(one: Finding, true: Finding) -> int:
    """Return in how much two agree; side and zone count more than the rest together."""
    return 4 * (one.side == true.side) + 4 * (one.zone == true.zone) + (one.kind == true.kind) + (one.size == true.size)
