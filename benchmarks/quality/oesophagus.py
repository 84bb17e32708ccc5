"""What a judge can reach on simulated oesophageal cancer: who knows the rule, and who misses one of its interactions.

Bayes figures are exact in expectation over the labels. Who misses something is a logistic regression on all other terms
of the rule, trained on half of the patients and measured on the rest; who sees tables or CT alone, gradient boosting on
every factor that they show.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.shared.figures import Goals
from diffuscope.ports.table import Column, Row, Table
from diffuscope.simulation.oesophagus import BLOOD, CLINICAL, INTERACTIONS, bayes
from diffuscope.simulation.oesophagus.factors import Drawn, draw
from diffuscope.simulation.oesophagus.rule import contributions, find_intercept, probability
from diffuscope.simulation.oesophagus.tables import blood_rows, clinical_rows

#: Interactions by what can see them.
MISSED = {
    "tissues": ("same pattern", "necrosis"),
    "node_and_blood": ("reactive node",),
    "clinical_and_blood": ("defence",),
    "any": INTERACTIONS,
}
_OF_CT = ("depth", "tumour_pattern", "node_size", "node_pattern", "node_necrosis", "node_roughness")
GOALS: Goals = {}


def measure(*, patients: int = 40_000, seed: int = 0) -> dict[str, float]:
    """Draw patients without images, and compare.

    Parameters
    ----------
    patients : int
        Half of them train.
    seed : int
        Of the cohort.
    """
    drawn = draw(patients, seed=seed)
    chances = probability(drawn.factors, find_intercept(drawn.factors, 0.45))
    labels = np.asarray(ndtr(drawn.normals["label"]) < chances)
    best = bayes(chances)
    figures = {
        "bayes_accuracy": best.accuracy,
        "bayes_auroc": best.auroc,
        "bayes_brier": best.brier,
        "prevalence": best.prevalence,
    }
    terms = contributions(drawn.factors)
    for name, missed in MISSED.items():
        known = np.stack([value for term, value in terms.items() if term not in missed], axis=1)
        figures[f"accuracy_without_{name}"] = _accuracy(LogisticRegression(max_iter=1000), known, labels)
    tables = _encoded(CLINICAL, clinical_rows(drawn)), _encoded(BLOOD, blood_rows(drawn))
    seen = {"clinical": tables[:1], "blood": tables[1:], "tables": tables, "ct": (_of_ct(drawn),)}
    for name, parts in seen.items():
        boosted = HistGradientBoostingClassifier(random_state=0)
        figures[f"accuracy_of_{name}"] = _accuracy(boosted, np.concatenate(parts, axis=1), labels)
    return figures


def _of_ct(drawn: Drawn) -> NDArray[np.float64]:
    names = (*_OF_CT, "node_eccentricity", "node_count", "no_node")
    return np.stack([drawn.factors[name] for name in names], axis=1)


def _encoded(columns: tuple[Column, ...], rows: Sequence[Row]) -> NDArray[np.float64]:
    table = Table(name="rows", key="rows", columns=columns)
    return np.array([table.encode(row) for row in rows])


def _accuracy(
    model: LogisticRegression | HistGradientBoostingClassifier, features: NDArray[np.float64], labels: NDArray[np.bool_]
) -> float:
    half = len(labels) // 2
    model.fit(features[:half], labels[:half])
    return float((model.predict(features[half:]) == labels[half:]).mean())
