"""From the figures of cases to those of a model: intervals over patients or slides, and tests against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.evaluation.figures import METRICS
from diffuscope.evaluation.metrics.statistics import bootstrap_interval, compare, holm

Row = Mapping[str, Any]
"""A case in a report: ``case``, ``group``, and figures by key."""


def by_group(rows: Sequence[Row], key: str, of: str = "figures") -> dict[str, float]:
    """Return a figure of each group: the mean over those of its cases in which it is finite.

    Parameters
    ----------
    rows : sequence of Row
        The cases.
    key : str
        Of `METRICS`.
    of : str
        Whose figures: ``"figures"`` are the model's, ``"input"`` those of the input itself.
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        value = row[of].get(key)
        if value is not None and isfinite(value):
            values.setdefault(row["group"], []).append(value)
    return {group: float(np.mean(own)) for group, own in values.items()}


def summarise(rows: Sequence[Row], of: str = "figures", *, seed: int = 0) -> dict[str, dict[str, float | int | None]]:
    """Return mean and 95 % interval (BCa, 9999 resamples of groups) of every figure that any case has.

    A group counts once, whatever the number of its cases: they are alike, and are not drawn independently.

    Returns
    -------
    dict of str to dict
        By key of `METRICS`: ``value``, ``low``, ``high`` (None of a single group), ``groups``, ``cases``.
    """
    summary: dict[str, dict[str, float | int | None]] = {}
    for key in METRICS:
        groups = list(by_group(rows, key, of).values())
        if not groups:
            continue
        cases = sum(1 for row in rows if isfinite(row[of].get(key, np.nan)))
        low = high = None
        if len(groups) > 1:
            _, low, high = bootstrap_interval(groups, seed=seed)
        summary[key] = {
            "value": float(np.mean(groups)),
            "low": low,
            "high": high,
            "groups": len(groups),
            "cases": cases,
        }
    return summary


def against(rows: Sequence[Row], others: Sequence[Row], *, seed: int = 0) -> dict[str, dict[str, float | int]]:
    """Test, figure by figure, whether two models differ on the same groups.

    Parameters
    ----------
    rows, others : sequence of Row
        This model's cases and the other's: the same ones.
    seed : int
        Of resamples and permutations.

    Returns
    -------
    dict of str to dict
        By key of `METRICS`: ``difference`` (this less the other) with ``low`` and ``high`` (95 %, BCa), ``groups``,
        ``wilcoxon_p``, ``permutation_p``, and ``permutation_p_holm``, adjusted over all figures. Figures that
        fewer than two groups have are left out.

    Raises
    ------
    InputError
        As `check_same`.
    """
    check_same(rows, others)
    found: dict[str, dict[str, float | int]] = {}
    for key in METRICS:
        own, other = by_group(rows, key), by_group(others, key)
        groups = sorted(own.keys() & other.keys())
        if len(groups) < 2:
            continue
        test = compare([own[group] for group in groups], [other[group] for group in groups], seed=seed)
        found[key] = {
            "difference": test.difference.value,
            "low": test.difference.low,
            "high": test.difference.high,
            "groups": len(groups),
            "wilcoxon_p": test.wilcoxon_p,
            "permutation_p": test.permutation_p,
        }
    for key, p in zip(found, holm([one["permutation_p"] for one in found.values()]), strict=True):
        found[key]["permutation_p_holm"] = p
    return found


def check_same(rows: Sequence[Row], others: Sequence[Row]) -> None:
    """Refuse to compare what is not paired; of a row only ``case``, ``group`` and ``truth`` count.

    Raises
    ------
    InputError
        The cases of both are not the same, with one truth and of one group each, or all are of one group.
    """
    mine, theirs = ({row["case"]: row for row in one} for one in (rows, others))
    for name in sorted(mine.keys() ^ theirs.keys()):
        lacking = "the other report" if name in mine else "this evaluation"
        raise InputError(f"case {name} is not in {lacking}: paired tests need the same cases in both.")
    for name, row in mine.items():
        if row["truth"] != theirs[name]["truth"]:
            raise InputError(f"case {name} has another truth in the other report: evaluate both on the same files.")
        if row["group"] != theirs[name]["group"]:
            raise InputError(f"case {name} is of another group in the other report: evaluate both on the same table.")
    groups = {row["group"] for row in rows}
    if len(groups) < 2:
        raise InputError(
            "two models are compared on two patients or slides at least, and all cases are of one "
            f"({', '.join(groups)}): evaluate each by itself."
        )
