"""lyDATA, the 2021 cohort of the CLB: is level III of the neck involved, given what imaging said before.

Its columns have three heads (what, side, level), and lymph-model takes them as they are.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.reproduce.mmfusion.study import Fold, Study
from benchmarks.reproduce.study import digest
from benchmarks.shared.places import DATA

FILE = DATA / "lymph-node-tables/2021-clb-oropharynx.csv"
LEVEL = "III"
_IMAGED, _TRUTH = "diagnostic_consensus", "pathology"
_LEVELS = ("Ia", "Ib", "II", "III", "IV", "V", "VII")
_BEFORE = ("sex", "nicotine_abuse", "alcohol_abuse", "hpv_status")
# As the group of lyDATA takes imaging to be (R. Ludwig et al., Scientific Reports 2021): specificity and sensitivity.
_SPECIFICITY, _SENSITIVITY = 0.76, 0.81
# Spread from the tumour into each level, and on along the neck; how late patients of T3 and T4 are diagnosed.
_GRAPH = {
    ("tumor", "T"): ["Ib", "II", "III", "IV"],
    ("lnl", "Ib"): ["II"],
    ("lnl", "II"): ["III"],
    ("lnl", "III"): ["IV"],
    ("lnl", "IV"): [],
}
_TIMES, _EARLY = 10, 0.3


def missing() -> str | None:
    """Return why there is no study, or None."""
    return (
        None if FILE.exists() else "lyDATA: there is no folder ../shared/data/lymph-node-tables beside the repository."
    )


@cache
def frame() -> Any:
    """Return the patients whose level was opened, as lymph-model takes them."""
    import pandas as pd

    every = pd.read_csv(FILE, header=[0, 1, 2])
    return every[every[_TRUTH, "ipsi", LEVEL].notna()].reset_index(drop=True)


@cache
def lydata() -> Study:
    """Return the patients whose ipsilateral level III was opened, with what was known before."""
    known = frame()
    imaged = [
        {"name": f"{side} {level}", "categories": ["no", "yes"]} for side in ("ipsi", "contra") for level in _LEVELS
    ]
    subsites = sorted(known["tumor", "1", "subsite"].unique())
    tumour = [{"name": "T", "range": [0, 4]}, {"name": "subsite", "categories": subsites}]
    patient = [{"name": "age", "unit": "years", "range": [0, 120]}]
    patient += [{"name": name, "categories": ["no", "yes"]} for name in _BEFORE]
    tables = [
        {"name": "imaging", "key": "imaging", "columns": imaged},
        {"name": "tumour", "key": "tumour_table", "columns": tumour},
        {"name": "patient", "key": "patient", "columns": patient},
    ]
    cases = {
        "imaging": [known[_IMAGED, side, level] for side in ("ipsi", "contra") for level in _LEVELS],
        "tumour_table": [known["tumor", "1", "t_stage"], known["tumor", "1", "subsite"].map(subsites.index)],
        "patient": [known["patient", "#", "age"], known["patient", "#", "sex"] == "male"]
        + [known["patient", "#", name] for name in _BEFORE[1:]],
    }
    rows = {
        key: torch.from_numpy(np.stack([one.astype(object).map(_number) for one in columns], 1).astype(np.float32))
        for key, columns in cases.items()
    }
    return Study(
        name="lydata",
        title="lyDATA (oropharynx, real)",
        tables=tables,
        cases=rows,
        label=known[_TRUTH, "ipsi", LEVEL].astype(bool).to_numpy().astype(np.int64),
        patients=tuple(known["patient", "#", "id"].astype(str)),
        facts={"study": "lydata", "file": digest(FILE), "level": LEVEL, "tables": tables},
    )


def _number(value: Any) -> float:
    """Return true and false as 1 and 0, and what is not known as NaN."""
    return float("nan") if value is None or value != value else float(value)  # noqa: PLR0124


def lymph_model(fold: Fold) -> NDArray[np.float64]:
    """Return the probability of everyone by the hidden Markov model of lymphatic spread, fitted to those who train.

    R. Ludwig et al., A hidden Markov model for lymphatic tumor progression in the head and neck, Scientific Reports
    2021 (package lymph-model). One side, four levels; its spread and the time to a late diagnosis by maximum
    likelihood of imaging and pathology of those who train; then the risk of level III given imaging and T.
    """
    from lymph.models import Unilateral
    from scipy.optimize import minimize
    from scipy.stats import binom

    every = frame()
    model = Unilateral(graph_dict=_GRAPH, max_time=_TIMES)
    model.set_modality(_IMAGED, _SPECIFICITY, _SENSITIVITY, kind="clinical")
    model.set_modality(_TRUTH, 1.0, 1.0, kind="pathological")
    times = np.arange(_TIMES + 1)
    model.set_distribution("early", binom.pmf(times, _TIMES, _EARLY))
    model.set_distribution("late", lambda support, p=0.5: binom.pmf(support, support[-1], p))
    model.load_patient_data(every.iloc[fold.train], side="ipsi")
    names = list(model.get_params(as_dict=True))

    def loss(z: NDArray[np.float64]) -> float:
        return -float(model.likelihood(given_params=dict(zip(names, 1 / (1 + np.exp(-z)), strict=True))))

    best = minimize(loss, np.full(len(names), -2.0), method="L-BFGS-B", bounds=[(-8.0, 4.0)] * len(names))
    model.set_params(**dict(zip(names, map(float, 1 / (1 + np.exp(-best.x))), strict=True)))
    stage = np.where(every["tumor", "1", "t_stage"] >= 3, "late", "early")
    levels = list(model.graph.lnls)
    known: dict[Any, float] = {}
    found = []
    for number, t in enumerate(stage):
        pattern = {level: bool(every.loc[number, (_IMAGED, "ipsi", level)]) for level in levels}
        key = (t, *pattern.values())
        if key not in known:
            known[key] = float(model.risk({LEVEL: True}, given_diagnosis={_IMAGED: pattern}, t_stage=t))
        found.append(known[key])
    return np.array(found)
