"""Batches of a cohort: its cases in a random order, each once an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.cases.case import Case
from diffuscope.cases.cohort import Cohort
from diffuscope.errors import InputError
from diffuscope.jobs.case_inputs import prepare_case
from diffuscope.systems.base import CaseInput, Whole
from diffuscope.training.data.batches import TrainingData, stacked
from diffuscope.training.data.reading import Tell, told, untold

LABEL, NUMBER = "label", "case"


def prepared(
    system: Whole, cohort: Cohort, parts: Mapping[str, Sequence[Case]], tell: Tell = untold
) -> dict[str, dict[str, Tensor]]:
    """Return what a system sees of some of a cohort's cases, those of a part one beside the other.

    Parameters
    ----------
    system : Whole
        On the CPU.
    cohort : Cohort
        With their rows and images.
    parts : mapping of str to sequence of Case
        Which.
    tell : callable, optional
        As of `diffuscope.training.data.reading.told`.

    Returns
    -------
    dict of str to dict of str to Tensor (n, …)
        By part, and by key of what `Whole.prepare` gives, NaN where a case does not have it; crops as float16, of which
        a cohort is held. ``"label"`` (n,), and ``"case"`` (n,), their numbers from 0.

    Raises
    ------
    InputError
        An image does not fit; the sentence names the patient.
    """
    wanted = {case.name: part for part, cases in parts.items() for case in cases}
    places = {part: [n for n, case in enumerate(cohort.cases) if wanted.get(case.name) == part] for part in parts}
    seen: dict[str, list[dict[str, Tensor]]] = {part: [] for part in parts}
    for part, place in told([(part, place) for part, own in places.items() for place in own], tell):
        case = cohort.cases[place]
        rows = {key: values[place] for key, values in cohort.rows.items()}
        try:
            found = prepare_case(system, case.files, rows, device=torch.device("cpu"))
        except InputError as error:
            raise InputError(f"{case.name}: {error}") from error
        seen[part].append({key: _small(one) for key, one in found.items() if _trains(one)})
    return {part: _labelled(own, cohort.labels[places[part]]) for part, own in seen.items()}


def _labelled(seen: Sequence[Mapping[str, Tensor]], labels: NDArray[np.float32]) -> dict[str, Tensor]:
    """Return cases one beside the other, with their labels and numbers."""
    return stacked(seen) | {
        LABEL: torch.from_numpy(labels),
        NUMBER: torch.arange(len(labels), dtype=torch.float32),
    }


def _trains(one: CaseInput) -> TypeGuard[Tensor]:
    """Return whether a network is trained on it: whole numbers say where something lies, to show what comes out."""
    return isinstance(one, Tensor) and one.is_floating_point()


def _small(one: Tensor) -> Tensor:
    """Return images at half the size; a row of numbers stays."""
    return one.half() if one.ndim > 1 else one


def rows_data(train: Mapping[str, Tensor], held: Mapping[str, Tensor], *, seed: int, batch: int) -> TrainingData:
    """Return training batches, a function of (seed, number), and all that validates as one batch.

    Parameters
    ----------
    train, held : mapping of str to Tensor
        From `prepared`; those that validate may be none.
    seed, batch : int
        Of the order, and rows a batch; a batch that would be larger than all rows is all of them.
    """
    count = len(train[LABEL])
    size = min(batch, count)
    a_round = count // size

    def batch_at(number: int) -> dict[str, Tensor]:
        epoch, place = divmod(number, a_round)
        order = np.random.default_rng((seed, epoch)).permutation(count)
        chosen = torch.from_numpy(order[place * size : (place + 1) * size])
        return {key: values[chosen].float() for key, values in train.items()}

    validation = [{key: values.float() for key, values in held.items()}] if len(held[LABEL]) else []
    return TrainingData(batch_at, validation)
