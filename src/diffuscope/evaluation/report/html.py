"""The report as one HTML file that needs no other: tables, plots, the worst cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from diffuscope.evaluation.figures import METRICS, Metric
from diffuscope.evaluation.report.pictures import Shown
from diffuscope.evaluation.report.plots import curves, dots

_TEMPLATE = "report.html.j2"
_COLUMNS = {"figures": "model", "input": "input itself"}
# Metrics that are drawn, where there are several cases.
_DRAWN = ("psnr", "ssim", "ms_ssim", "mutual_information", "perceptual", "dab_dice", "dab_area_error_percent", "ause")


def render(report: Mapping[str, Any], worst: Sequence[tuple[str, Sequence[Shown]]]) -> str:
    """Write the page.

    Parameters
    ----------
    report : mapping
        What report.json holds.
    worst : sequence of (str, sequence of Shown)
        Headline and pictures of the worst cases, the worst first.

    Returns
    -------
    str
        HTML 5; every text from outside is escaped.
    """
    page = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template(_TEMPLATE)
    shown = {key: METRICS[key] for key in METRICS if key in report["summary"]}
    curve = report["sparsification"]
    return page.render(
        report=report,
        metrics=shown,
        value=_value,
        interval=interval,
        number=_number,
        plots=[(metric, Markup(_dots(report, key, metric))) for key, metric in shown.items() if key in _DRAWN],  # noqa: S704
        sparsification=Markup(curves(curve["removed"], curve["uncertainty"], curve["best"])) if curve else None,  # noqa: S704
        worst=worst,
    )


def _dots(report: Mapping[str, Any], key: str, metric: Metric) -> str:
    columns, summaries = {}, {}
    for of, name in _COLUMNS.items():
        summary = report["summary" if of == "figures" else "input_summary"].get(key)
        if summary is not None:
            columns[name] = [row[of][key] for row in report["cases"] if isfinite(row[of].get(key, float("nan")))]
            summaries[name] = summary
    return dots(columns, summaries, digits=metric.digits, name=metric.name)


def _value(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def interval(summary: Mapping[str, Any] | None, digits: int) -> str:
    """Write a figure of `diffuscope.evaluation.report.summary.summarise` with its interval, or a dash."""
    if summary is None:
        return "–"
    text = _value(summary["value"], digits)
    if summary["low"] is None:
        return text
    return f"{text} [{_value(summary['low'], digits)}, {_value(summary['high'], digits)}]"


def _number(value: float) -> str:
    return f"{value:.4g}"
