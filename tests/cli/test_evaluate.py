"""What `diffuscope evaluate` prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from diffuscope.api.events import Evaluated
from diffuscope.cli import app
from diffuscope.evaluation.report.summary import against, summarise


def rows(values: np.ndarray) -> list[dict]:
    return [
        {"case": f"c{i}", "group": f"c{i}", "truth": f"t{i}", "figures": {"psnr": value}, "input": {}}
        for i, value in enumerate(values.tolist())
    ]


@pytest.mark.parametrize("other", ["before", None])
def test_a_comparison_is_printed_as_the_report_has_it(monkeypatch: pytest.MonkeyPatch, other: str | None):
    """Eight patients, each of 1 dB more: the least p of a signed-rank test is 2 / 2⁸."""
    before = np.linspace(20, 27, 8)
    tests = {"name": "first (before)", "tests": against(rows(before + 1), rows(before))} if other else None
    report = {"notices": [], "summary": summarise(rows(before + 1)), "input_summary": {}, "against": tests}

    def verb(*_: object, **__: object) -> Iterator[Evaluated]:
        yield Evaluated(path=Path("after"), report=report)

    monkeypatch.setattr("diffuscope.api.evaluate.evaluate", verb)
    done = CliRunner().invoke(app, ["evaluate", "m", "pairs", "-o", "after"])
    assert done.exit_code == 0, done.output
    if other is None:
        assert "Against" not in done.stdout
        return
    said, head, line = done.stdout.partition("\nAgainst ")[2].splitlines()[:3]
    assert said == "first (before) (this less the other, paired by patient or slide):"
    assert re.split("  +", head.strip()) == [
        "better",
        "difference [95 %]",
        "Wilcoxon p",
        "permutation p",
        "adjusted (Holm)",
        "pairs",
    ]
    assert line.split()[:3] == ["PSNR,", "dB", "higher"]
    assert line.split()[-4:] == ["0.0078", "0.0078", "0.0078", "8"]
    assert "1.00 [1.00, 1.00]" in line
