"""A cohort as the table takes it, and how its patients are shared out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.training.data.cohort import LABEL, NUMBER

FOLDS = 3
# Of the patients that do not test, those that validate.
_VALIDATE = 0.2
Places = NDArray[np.intp]
Cases = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Study:
    """Patients with what is known of them and of their class.

    Attributes
    ----------
    name : str
        Safe in a file name.
    title : str
        What the page calls it.
    tables : sequence of mapping
        As MMFusion's configuration has them.
    cases : mapping of str to Tensor (n, …)
        By table its rows, NaN where nothing is known, and crops where there are images.
    label : ndarray (n,)
        0 or 1.
    patients : tuple of str
        One a row.
    facts : mapping
        JSON values: all that changes what is learned or tested.
    truth : ndarray (n,), optional
        The probability that the label was drawn from, where it is known.
    outside : ndarray of bool (n,), optional
        Who only tests, while all others train and validate; where it is left out, each tests once.
    groups : mapping of str to ndarray of bool (n,)
        Patients that the page reports by themselves as well.
    """

    name: str
    title: str
    tables: Sequence[Mapping[str, Any]]
    cases: Mapping[str, Tensor]
    label: NDArray[np.int64]
    patients: tuple[str, ...]
    facts: Mapping[str, Any]
    truth: NDArray[np.float64] | None = None
    outside: NDArray[np.bool_] | None = None
    groups: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def tested(self) -> Places:
        """Places of the patients who test."""
        return np.arange(len(self.label)) if self.outside is None else np.flatnonzero(self.outside)

    def folds(self, *, seed: int) -> list[Fold]:
        """Return who trains, validates and tests with a seed."""
        if self.outside is None:
            return folds(self.label, seed=seed)
        return [_parted(np.flatnonzero(~self.outside), self.tested, self.label, np.random.default_rng((seed, 3)))]

    def some(self, places: Places, *, without: Sequence[str] = ()) -> Cases:
        """Return the cases of some patients as a training batch has them, with label and number from 0."""
        chosen = torch.from_numpy(places)
        seen = {key: values[chosen] for key, values in self.cases.items()}
        for key in without:
            seen[key] = torch.full_like(seen[key], torch.nan)
        label = torch.from_numpy(self.label[places]).float()
        return seen | {LABEL: label, NUMBER: torch.arange(len(places), dtype=torch.float32)}

    def with_tables(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Return the configuration of some of its tables."""
        return [dict(table) for table in self.tables if table["key"] in keys]


@dataclass(frozen=True, eq=False)
class Fold:
    """Who trains, who validates (epoch, threshold, calibration, settings) and who tests: places in the study."""

    train: Places
    validation: Places
    test: Places


def folds(label: NDArray[np.int64], *, seed: int) -> list[Fold]:
    """Share patients out by class, so that each tests once; none is in two parts of a fold.

    Parameters
    ----------
    label : ndarray (n,)
        0 or 1.
    seed : int
        Of who is where.
    """
    rng = np.random.default_rng((seed, 3))
    which = np.empty(len(label), int)
    for own in (0, 1):
        mine = rng.permutation(np.flatnonzero(label == own))
        # Where the first ends the second goes on, so that folds are of one size.
        which[mine] = (np.arange(len(mine)) + own) % FOLDS
    made = []
    for number in range(FOLDS):
        rest = np.flatnonzero(which != number)
        made.append(_parted(rest, np.flatnonzero(which == number), label, rng))
    return made


def _parted(rest: Places, test: Places, label: NDArray[np.int64], rng: np.random.Generator) -> Fold:
    """Return the fold of those who test, of each class of the rest a share validating."""
    mine = [rng.permutation(rest[label[rest] == own]) for own in (0, 1)]
    held = np.sort(np.concatenate([one[: round(_VALIDATE * len(one))] for one in mine]))
    return Fold(np.setdiff1d(rest, held), held, test)
