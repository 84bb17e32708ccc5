"""What a reader of figures must be told before reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from diffuscope.jobs.likeness.notices import UNLIKE
from diffuscope.jobs.scaling import CUT_UM2
from diffuscope.model.card import ModelCard

# Fewer patients or slides than this: the smallest two-sided p of 2ⁿ swaps is above 0.05.
_FEW = 6
# Unlike inputs that are told one by one.
_TOLD = 6


def caveats(
    rows: Sequence[Mapping[str, Any]],
    *,
    simulated_truth: str | None,
    card: ModelCard | None,
    tested: bool,
    sets: Mapping[str, Any],
    uncertainty_unknown: bool,
    substitute: bool,
) -> list[str]:
    """Return what limits the figures, one sentence each, the gravest first.

    Parameters
    ----------
    rows : sequence of mapping
        The cases of the report.
    simulated_truth : str or None
        How the truth was simulated, where it was.
    card : ModelCard or None
        Of the model; None of finished pictures.
    tested : bool
        Whether the data states which cases test.
    sets : mapping
        Set measures of the model; empty without.
    uncertainty_unknown : bool
        Whether the model's uncertainty map holds no numbers.
    substitute : bool
        Whether features are those of the substitute for Inception.
    """
    groups = len({row["group"] for row in rows})
    alone = sum(any(map(_is_alone, row.get("run", {}).get("inputs", {}).values())) for row in rows)
    said = []
    if simulated_truth is not None:
        said.append(f"The truth is simulated, so the figures say nothing about a real stain: {simulated_truth}")
    if card is not None and card.simulated:
        said.append(f"The model's weights are a demonstration, trained on simulated truth ({card.trained_on}).")
    elif card is not None and card.simulated_before:
        said.append(
            f"The model began from a demonstration, trained on simulated truth ({card.simulated_before}); its last "
            "steps were on its user's own data."
        )
    if alone:
        said.append(
            f"The H&E of {alone} of {len(rows)} cases is under 0.25 mm² and was normalised by its own stains, which so "
            "small a cut shows badly: say in a column slide which slide each was cut from."
        )
    if groups == 1:
        said.append(
            f"All figures come from one patient or slide ({rows[0]['group']}): an anecdote, without intervals or tests."
        )
    elif groups < _FEW:
        said.append(
            f"{groups} patients or slides are few: intervals are rough, and no paired test can reach p < 0.05 "
            f"(the smallest is {2.0 ** (1 - groups):.3g})."
        )
    if not tested:
        said.append(
            "The data does not say which cases test (column part in cases.csv): all were taken; figures of cases that "
            "the model was trained on would flatter it."
        )
    if substitute:
        said.append(
            "Without Inception weights, set measures and the perceptual distance use random convolutions: they are not "
            "FID, KID or LPIPS, and comparable only with themselves."
        )
    if sets and sets["tiles"] <= sets["dimensions"]:
        said.append(
            f"{sets['tiles']} tiles for features of {sets['dimensions']} numbers: too few for the Fréchet distance to "
            "tell more than gross differences."
        )
    if uncertainty_unknown:
        said.append("The model gave no uncertainty: ask for two samples or more.")
    return said


def unlike_cases(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what runs told of inputs that do not look like those that the model is for, a sentence a case.

    Parameters
    ----------
    rows : sequence of mapping
        The cases of the report, each with the record of its run, which is empty where finished pictures were given.
    """
    told = [
        f"Case {row['case']}: {notice}" for row in rows for notice in row["run"].get("notices", ()) if UNLIKE in notice
    ]
    more = len(told) - _TOLD
    return told if more <= 0 else [*told[:_TOLD], f"{more} more inputs are unlike: report.json has them by case."]


def _is_alone(stated: Mapping[str, Any]) -> bool:
    """Whether an input, as a run record states it, is a small cut whose stains were measured on it alone."""
    stains = stated.get("stains")
    if not stains or stains.get("measured_on"):
        return False
    return float(np.prod(stated["shape"][:2])) * stated["mpp"] ** 2 < CUT_UM2
