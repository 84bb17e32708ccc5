"""Whether two models can be compared on a data set, found out before one of them is run over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from diffuscope.cases import Case, OpenCase, open_case
from diffuscope.errors import InputError
from diffuscope.evaluation.judge import Judge
from diffuscope.evaluation.report.summary import Row, check_same


def check_comparable(
    cases: Sequence[Case],
    judge: Judge,
    others: Sequence[Row],
    *,
    mpp: float | None,
    check: Callable[[OpenCase], None],
) -> None:
    """Refuse a comparison that no run could make possible.

    Parameters
    ----------
    cases : sequence of Case
        Which are to be evaluated; each is opened, and those that cannot be used do not count.
    judge : Judge
        For the model's output.
    others : sequence of Row
        Cases of the other report.
    mpp : float or None
        µm/px of the files that do not say it.
    check : callable
        Refuses a case that cannot be used.

    Raises
    ------
    InputError
        As `check_same`; a case of the other report cannot be used here.
    """
    theirs = {row["case"] for row in others}
    rows = []
    for case in cases:
        try:
            opened = open_case(case, mpp=judge.main.mpp, assumed_mpp=mpp)
            check(opened)
        except InputError as error:
            if case.name in theirs:
                raise InputError(f"case {case.name} is in the other report but cannot be used here: {error}") from error
            continue
        truth = opened.scans[judge.main.key].fingerprint
        rows.append({"case": case.name, "group": case.group, "truth": truth})
    check_same(rows, others)
