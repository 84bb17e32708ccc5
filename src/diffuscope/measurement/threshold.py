"""The DAB above which a px counts as positive: as its run states it, or as somebody chose it since."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from diffuscope.errors import InputError
from diffuscope.ports.stains import find_stains

if TYPE_CHECKING:
    from diffuscope.results.result import Result

DAB_THRESHOLD = 0.15
"""OD above which a pixel counts as DAB-positive where the run record gives no ``dab_threshold``."""

# Of a record: what was chosen when its result was counted anew.
_COUNTED = "counted"


def check_threshold(threshold: float | None) -> None:
    """Refuse a threshold that is no number from 0 on."""
    if threshold is not None and not (math.isfinite(threshold) and threshold >= 0):
        raise InputError(f"the threshold is {threshold:g}: give a number from 0 on.")


def check_countable(result: Result, threshold: float) -> None:
    """Refuse to count a result anew that is no stain, or has no tissue mask, or from a threshold that is none on."""
    check_threshold(threshold)
    if not find_stains(result.ports):
        raise InputError(f"{result.path.name} holds no virtual stain to count: leave the threshold out.")
    if result.tissue is None:
        raise InputError(f"{result.path.name} has no tissue mask and cannot be counted anew: leave the threshold out.")


def run_threshold(record: Mapping[str, Any]) -> float:
    """Return the OD above which a px of a result is positive, as its run states it."""
    own = record.get("parameters", {}).get("dab_threshold")
    return DAB_THRESHOLD if own is None else float(own)


def chosen_threshold(record: Mapping[str, Any]) -> float | None:
    """Return the OD that was chosen in the stead of the run's; None where nobody did."""
    chosen = record.get(_COUNTED, {}).get("dab_threshold")
    return None if chosen is None else float(chosen)


def threshold_of(record: Mapping[str, Any]) -> float:
    """Return the OD above which a px of a result counts as positive: the one that was chosen, else the run's."""
    chosen = chosen_threshold(record)
    return run_threshold(record) if chosen is None else chosen


def with_threshold(record: Mapping[str, Any], threshold: float | None) -> dict[str, Any]:
    """Return a record that states which OD was chosen; None: the run's. What it says of the run stays."""
    rest = {key: value for key, value in record.items() if key != _COUNTED}
    return rest if threshold is None else {**rest, _COUNTED: {"dab_threshold": threshold}}


def told_threshold(record: Mapping[str, Any]) -> str:
    """Say from which OD on px count as positive, and where that is not the run's, which that is."""
    own, chosen = run_threshold(record), chosen_threshold(record)
    if chosen is None or chosen == own:
        return f"Positive is DAB above {own:g} OD, as the result was measured."
    return f"Positive is DAB above {chosen:g} OD, as was chosen; the result itself was measured at {own:g} OD."
