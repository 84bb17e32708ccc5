"""A report of `evaluate` as the dock shows it: figures with intervals, and what limits them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Reported:
    """The gist of a report.

    Attributes
    ----------
    page : str
        Its report.html.
    header : list of str
        Of the table.
    lines : list of list of str
        Name of the measure with its unit, the model's figure and the input's, with 95 % intervals over patients or
        slides.
    notices : list of str
        What limits the figures, a sentence each.
    worst : str
        Name of the case of the largest squared error.
    """

    page: str
    header: list[str]
    lines: list[list[str]]
    notices: list[str]
    worst: str


def reported(report: Mapping[str, Any], folder: Path) -> Reported:
    """Return the gist of what `diffuscope.api.evaluate.evaluate` returned.

    Parameters
    ----------
    report : mapping
        What report.json holds.
    folder : Path
        Where it was written.
    """
    # Not in napari's process, which only looks at what this returns.
    from diffuscope.evaluation.figures import METRICS
    from diffuscope.evaluation.report.folder import HTML
    from diffuscope.evaluation.report.html import interval

    lines = []
    for key, summary in report["summary"].items():
        metric = METRICS[key]
        beside = report["input_summary"].get(key)
        lines.append([metric.label, *(interval(one, metric.digits) for one in (summary, beside))])
    return Reported(
        page=str(folder / HTML),
        header=["Measure", report["model"]["name"], "the input itself"],
        lines=lines,
        notices=list(report["notices"]),
        worst=report["cases"][0]["case"],
    )
