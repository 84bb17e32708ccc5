"""Whether images that were made together agree in their findings, and whether a report's confidence says anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.reproduce.medm2g.figures import ATTRIBUTES, Measured, Pictures, rounded
from diffuscope.evaluation.metrics.items import overlap
from diffuscope.evaluation.scores import auroc, score_figures
from diffuscope.simulation.thorax_brain import Finding, Findings, read_report


def agreed(made: Mapping[str, Pictures], against: Measured) -> dict[str, list[float]]:
    """Return of every patient how far the readings of several images agree.

    Parameters
    ----------
    made : mapping of str to ndarray (n, h, w)
        Images of the same patients by key, two or more.
    against : Measured

    Returns
    -------
    dict
        ``"agree"``: mean over pairs of images of 2 · both / (one + other) of whole findings, 1 where neither has any;
        ``"place"``: the same of side and zone alone; ``"truth"``: mean over images of that against the truth.
    """
    read = {key: against.read(key, pictures) for key, pictures in made.items()}
    cases = [dict(zip(read, one, strict=True)) for one in zip(*read.values(), strict=True)]
    truth = against.test.findings
    found = {
        "agree": [_mean_overlap([one.items for one in case.values()]) for case in cases],
        "place": [_mean_overlap([_places(one) for one in case.values()]) for case in cases],
        "truth": [
            float(np.mean([overlap(true.items, one.items) for one in case.values()]))
            for true, case in zip(truth, cases, strict=True)
        ],
    }
    return {name: rounded(values) for name, values in found.items()}


def confidence(
    texts: Sequence[Sequence[tuple[str, float]]], truth: Sequence[Findings]
) -> dict[str, float | int | list[float]]:
    """Return whether the probability of a sentence's least sure piece tells that it is wrong.

    A sentence that states findings is right where the patient has each of them, in all attributes that it states.

    Parameters
    ----------
    texts : sequence of sequence of (str, float)
        Pieces of every report with their probabilities; they make up the report one after the other.
    truth : sequence of Findings
        Of the same patients.

    Returns
    -------
    dict
        ``sentences``; ``right``, their share; ``confidence``, the mean; ``ECE``, ``Brier``, and ``AUROC`` where there
        are right and wrong ones.
    """
    right, sure = [], []
    for pieces, true in zip(texts, truth, strict=True):
        for sentence in sentences(pieces):
            items = read_report("".join(piece for piece, _ in sentence)).items
            if items:
                right.append(all(any(_says(item, one) for one in true.items) for item in items))
                sure.append(min(p for _, p in sentence))
    if not right:
        return {"sentences": 0}
    told = score_figures(right, sure)
    found: dict[str, float | int | list[float]] = {
        "sentences": len(right), "right": float(np.mean(right)), "confidence": float(np.mean(sure)),
        "ECE": told["ECE"], "Brier": told["Brier"],
    }  # fmt: skip
    if 0 < sum(right) < len(right):
        found["AUROC"] = auroc(np.array(right), np.array(sure))
    return found


def _says(stated: Finding, true: Finding) -> bool:
    """Whether a finding is as stated, in all attributes that are."""
    return all(getattr(stated, name) in (None, getattr(true, name)) for name in ATTRIBUTES)


def sentences(pieces: Sequence[tuple[str, float]]) -> list[list[tuple[str, float]]]:
    """Return pieces sentence by sentence: each ends with its full stop."""
    found: list[list[tuple[str, float]]] = [[]]
    for piece in pieces:
        found[-1].append(piece)
        if "." in piece[0]:
            found.append([])
    return [one for one in found if "".join(piece for piece, _ in one).strip()]


def _places(one: Findings) -> list[Any]:
    return [(item.side, item.zone) for item in one.items]


def _mean_overlap(several: Sequence[Sequence[Any]]) -> float:
    return float(np.mean([overlap(a, b) for a, b in combinations(several, 2)]))
