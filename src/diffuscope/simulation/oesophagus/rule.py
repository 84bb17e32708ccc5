"""The written rule: which factors of a patient make a metastasis how likely, and what the best judge can reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Term:
    """A summand of the logit: a coefficient times a product of factors.

    Attributes
    ----------
    name : str
        Of the term.
    weight : float
        Its coefficient.
    factors : tuple of str
        One, or two that interact; keys of `diffuscope.simulation.oesophagus.factors.Drawn.factors`.
    seen_in : str
        Which inputs one must know, and relate where there are two.
    """

    name: str
    weight: float
    factors: tuple[str, ...]
    seen_in: str


#: Logit of a metastasis, beside its intercept. Factors have mean 0 and standard deviation about 1; those of nodes are 0
#: where no node is there.
RULE = (
    Term(name="node size", weight=1.8, factors=("node_size",), seen_in="CT"),
    Term(name="margin", weight=0.6, factors=("node_roughness",), seen_in="CT"),
    Term(name="roundness", weight=-0.4, factors=("node_eccentricity",), seen_in="CT"),
    Term(name="number of nodes", weight=0.5, factors=("node_count",), seen_in="CT"),
    Term(name="no node", weight=-1.0, factors=("no_node",), seen_in="CT"),
    Term(name="depth", weight=2.0, factors=("depth",), seen_in="CT; cT of the clinical data, with noise"),
    Term(name="grade", weight=1.0, factors=("grade",), seen_in="clinical data"),
    Term(name="location", weight=0.5, factors=("location",), seen_in="clinical data"),
    Term(name="SCC antigen", weight=1.6, factors=("scc",), seen_in="blood"),
    Term(name="same pattern", weight=2.0, factors=("tumour_pattern", "node_pattern"), seen_in="CT: tumour × node"),
    Term(name="necrosis", weight=1.0, factors=("node_necrosis", "depth"), seen_in="CT: node × tumour"),
    Term(name="reactive node", weight=-2.8, factors=("node_size", "crp"), seen_in="CT × blood"),
    Term(name="defence", weight=-1.6, factors=("aggressiveness", "lymphocytes"), seen_in="clinical data × blood"),
)
#: Names of the terms in which two factors interact.
INTERACTIONS = tuple(term.name for term in RULE if len(term.factors) > 1)


@dataclass(frozen=True)
class Bayes:
    """What a judge reaches who knows the rule and every factor: nobody reaches more, but by chance.

    Attributes
    ----------
    accuracy : float
        Expected share of right decisions, p > 0.5 being decided for a metastasis.
    auroc : float
        Probability that of two patients, one with and one without, the first has the higher p.
    brier : float
        Expected squared distance of p from the label.
    prevalence : float
        Expected share of patients with a metastasis.
    """

    accuracy: float
    auroc: float
    brier: float
    prevalence: float


def contributions(factors: Mapping[str, Values]) -> dict[str, Values]:
    """Return what each term of `RULE` adds to the logit, by its name.

    Parameters
    ----------
    factors : mapping of str to ndarray (n,)
        See `diffuscope.simulation.oesophagus.factors.Drawn`.
    """
    return {term.name: term.weight * np.prod([factors[name] for name in term.factors], axis=0) for term in RULE}


def probability(factors: Mapping[str, Values], intercept: float) -> Values:
    """Return p(metastasis | factors) of patients, (n,)."""
    return np.asarray(expit(intercept + sum(contributions(factors).values())), np.float64)


def find_intercept(factors: Mapping[str, Values], prevalence: float) -> float:
    """Return the intercept with which the mean probability of patients is `prevalence`."""
    logit = np.asarray(sum(contributions(factors).values()))
    low, high = -50.0, 50.0
    # The mean rises with the intercept: halve until a double knows no better.
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(middle + logit).mean() < prevalence else (low, middle)
    return (low + high) / 2


def bayes(probabilities: Values) -> Bayes:
    """Return what the best judge reaches on patients of known probability, in expectation over their labels.

    Parameters
    ----------
    probabilities : ndarray (n,)
        Of a metastasis; of one patient alone there is no AUROC (NaN).

    Notes
    -----
    The labels are Bernoulli(p), each by itself; accuracy is mean max(p, 1 − p), the Brier score mean p(1 − p). The
    AUROC is the ratio of the expected pairs in the right order to the expected pairs, ties half.
    """
    p = np.sort(np.asarray(probabilities, np.float64))
    # Of each patient taken for positive: the expected negatives before them, and half of those at the same p.
    first, last = np.searchsorted(p, p, "left"), np.searchsorted(p, p, "right")
    negatives = np.concatenate([[0.0], np.cumsum(1.0 - p)])
    own = 1.0 - p
    below = negatives[first] + (negatives[last] - negatives[first] - own) / 2
    pairs = float((p * (negatives[-1] - own)).sum())
    return Bayes(
        accuracy=float(np.maximum(p, 1.0 - p).mean()),
        auroc=float((p * below).sum()) / pairs if pairs > 0 else math.nan,
        brier=float((p * (1.0 - p)).mean()),
        prevalence=float(p.mean()),
    )
