"""What the cases of an evaluation amount to, gathered one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from diffuscope.cases import OpenCase
from diffuscope.errors import InputError
from diffuscope.evaluation.figures import METRICS, mean_curves
from diffuscope.evaluation.found import Found
from diffuscope.evaluation.judge import Judge, Judged
from diffuscope.evaluation.metrics.sets import set_figures
from diffuscope.evaluation.report.pictures import Shown
from diffuscope.evaluation.report.summary import summarise


@dataclass
class Seen:
    """What has been judged so far; of pictures only those of the worst cases are kept.

    Attributes
    ----------
    rows : list of dict
        A case each, as report.json has them.
    judged : list of Judged
        In the same order.
    shown : list of (dict, sequence of Shown)
        Rows of the worst cases, the worst first, and their pictures.
    skipped : list of str
        A sentence for each case that could not be judged.
    unknown : bool
        Whether an uncertainty was given of which the curves say nothing.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    shown: list[tuple[dict[str, Any], Sequence[Shown]]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unknown: bool = False

    def add(self, judge: Judge, opened: OpenCase, answer: Found, record: Mapping[str, Any], worst: int) -> None:
        """Judge a case, or note why it cannot be."""
        try:
            one = judge.judge(opened, answer)
        except InputError as error:
            self.skipped.append(f"Case {opened.case.name} was left out: {error}")
            return
        row: dict[str, Any] = {
            "case": opened.case.name,
            "group": opened.case.group,
            "truth": opened.scans[judge.main.key].fingerprint,
            "fields": len(one.windows),
            "worst_field": list(one.worst),
            "figures": one.figures,
            "input": one.input,
            "run": dict(record),
        }
        self.rows.append(row)
        self.judged.append(one)
        self.unknown |= "uncertainty" in answer.keys and one.curves is None and one.figures["mse"] > 0
        if len(self.shown) < worst or (worst and row["figures"]["mse"] > self.shown[-1][0]["figures"]["mse"]):
            self.shown.append((row, judge.pictures(opened, answer, one.worst)))
            self.shown = sorted(self.shown, key=lambda entry: -entry[0]["figures"]["mse"])[:worst]

    def figures(self, judge: Judge) -> dict[str, Any]:
        """Return what the cases amount to, for report.json."""
        curves = [one.curves for one in self.judged if one.curves is not None]
        return {
            "groups": len({row["group"] for row in self.rows}),
            "fields": sum(row["fields"] for row in self.rows),
            "summary": summarise(self.rows),
            "input_summary": summarise(self.rows, "input"),
            "sets": set_figures([one.features for one in self.judged]),
            "extractor": judge.extractor.name if judge.extractor is not None else None,
            "distance": judge.distance.name if judge.distance is not None else None,
            "sparsification": mean_curves(curves) if curves else None,
            "cases": sorted(self.rows, key=lambda row: -row["figures"]["mse"]),
        }


def title(row: Mapping[str, Any]) -> str:
    """Return the heading of a case that is shown, from its row."""
    figures = row["figures"]
    figured = [
        f"{METRICS[key].name} {figures[key]:.{METRICS[key].digits}f}"
        for key in ("psnr", "ssim", "dab_dice")
        if key in figures
    ]
    return f"{row['case']}: {', '.join(figured)}"
