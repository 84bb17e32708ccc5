"""What the page says of each study."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.reproduce.mmfusion.report import Line, table, tests

_HANCOCK = """## HANCOCK: real patients, tables alone

{patients} head-and-neck patients of one hospital whose nodes were examined, {positive:.0f} % with a positive one. Known
before surgery: age, sex, smoking, distant metastasis; site and p16; 16 blood values. The leaks that the data's README
names (pN, perinodal invasion and whether it is noted, ICD codes of nodes) and all that only surgery tells are not used.
**MMRL relates images to images and cannot be tested here**; HGA, CFD, the ways to train them and the calibration can.

{table}

{tests}
"""
_LYDATA = """## lyDATA: is level III involved?

{patients} patients with cancer of the oropharynx whose ipsilateral level III was opened (2021 cohort of the CLB), in
{positive:.0f} % of them with a metastasis. Known before: what imaging said of every level of both sides, T and subsite,
age, sex, smoking, alcohol, HPV. lymph-model gets of this what it is made for: imaging of levels Ib to IV of that side,
and whether T is late. N, and whether the neck was dissected, are not used.

{table}

{tests}
"""
_PAIRS = (
    ("mmfusion", "logistic"),
    ("mmfusion", "boosting"),
    ("mmfusion", "lymph"),
    ("hga", "base"),
    ("cfd", "base"),
    ("mmfusion", "base"),
    ("mmfusion", "hga"),
    ("joint", "mmfusion"),
    ("gcn", "mmfusion"),
    ("mmfusion", "single"),
)


def of(study: str, lines: Mapping[str, Line]) -> list[str]:
    """Return what the page says of a study by its name, of whom some rows are complete."""
    label = next(iter(lines.values())).study.label
    facts = {"patients": len(label), "positive": 100 * label.mean()}
    text = {"hancock": _HANCOCK, "lydata": _LYDATA}[study]
    return [text.format(table=table(list(lines.values())), tests=tests(lines, _PAIRS), **facts)]
