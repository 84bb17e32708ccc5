"""Batches of a cohort: rows of tables in a random order, each row once an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from diffuscope.cases.case import Case
from diffuscope.cases.cohort import Cohort
from diffuscope.training.data.batches import TrainingData

LABEL = "label"


def rows_of(cohort: Cohort, cases: Sequence[Case]) -> dict[str, Tensor]:
    """Return the rows of some of its cases by table, (n, columns), and their ``"label"``, (n,)."""
    wanted = {case.name for case in cases}
    places = [number for number, case in enumerate(cohort.cases) if case.name in wanted]
    rows = {key: torch.from_numpy(values[places]) for key, values in cohort.rows.items()}
    return rows | {LABEL: torch.from_numpy(cohort.labels[places])}


def rows_data(train: Mapping[str, Tensor], held: Mapping[str, Tensor], *, seed: int, batch: int) -> TrainingData:
    """Return training batches, a function of (seed, number), and all that validates as one batch.

    Parameters
    ----------
    train, held : mapping of str to Tensor
        From `rows_of`; those that validate may be none.
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
        return {key: values[chosen] for key, values in train.items()}

    return TrainingData(batch_at, [dict(held)] if len(held[LABEL]) else [])
