"""Batches of cases of which each has some of many images and texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from diffuscope.cases.paired import PairedCase
from diffuscope.errors import InputError
from diffuscope.jobs.case_inputs import prepare_case
from diffuscope.systems.base import Whole
from diffuscope.training.data.batches import TrainingData, stacked
from diffuscope.training.data.reading import Tell, told, untold

# Cases that validate in a batch: as many as one training batch of any size may have.
_HELD = 64


def seen_of(
    system: Whole, parts: Mapping[str, Sequence[PairedCase]], keys: Collection[str], tell: Tell = untold
) -> dict[str, dict[str, Tensor]]:
    """Return what a system sees of cases, those of a part one beside the other.

    Parameters
    ----------
    system : Whole
        On the CPU.
    parts : mapping of str to sequence of PairedCase
        Which; those that have none of the keys are left out.
    keys : collection of str
        Of the images and texts that are opened.
    tell : callable, optional
        As of `diffuscope.training.data.reading.told`.

    Returns
    -------
    dict of str to dict of str to Tensor (n, …)
        By part, and by key of what `Whole.prepare` gives, float16 where that holds it, NaN where a case does not have
        it.

    Raises
    ------
    InputError
        An image or a text does not fit; the sentence names the case.
    """
    seen: dict[str, list[dict[str, Tensor]]] = {part: [] for part in parts}
    having = [
        (part, one)
        for part, cases in parts.items()
        for one in cases
        if any(key in one.case.files or key in one.texts for key in keys)
    ]
    for part, one in told(having, tell):
        files = {key: path for key, path in one.case.files.items() if key in keys}
        texts = {key: text for key, text in one.texts.items() if key in keys}
        try:
            found = prepare_case(system, files, {}, texts=texts, device=torch.device("cpu"))
        except InputError as error:
            raise InputError(f"{one.case.name}: {error}") from error
        seen[part].append(
            {key: _small(v) for key, v in found.items() if isinstance(v, Tensor) and v.is_floating_point()}
        )
    return {part: stacked(own) for part, own in seen.items()}


def paired_data(
    train: Mapping[str, Tensor],
    held: Mapping[str, Tensor],
    needed: Sequence[Sequence[str]],
    *,
    seed: int,
    batch: int,
) -> TrainingData:
    """Return training batches, a function of (seed, number), of those cases that have what is needed.

    Parameters
    ----------
    train, held : mapping of str to Tensor
        From `seen_of`.
    needed : sequence of sequences of str
        Groups of keys, of each of which a case must have one, and of one that stands there twice two.
    seed, batch : int
        Of the order, and cases a batch; a batch that would be larger than all cases is all of them.

    Raises
    ------
    InputError
        No case that trains has it.
    """
    train, held = _having(train, needed), _having(held, needed)
    count = len(next(iter(train.values()), ()))
    if not count:
        groups = " and ".join(
            " or ".join(group) if times == 1 else f"{times} of {', '.join(group)}" for group, times in _times(needed)
        )
        raise InputError(f"no case that trains has {groups}: add one, or leave the round out.")
    size = min(batch, count)
    a_round = count // size

    def batch_at(number: int) -> dict[str, Tensor]:
        epoch, place = divmod(number, a_round)
        order = np.random.default_rng((seed, epoch)).permutation(count)
        chosen = torch.from_numpy(order[place * size : (place + 1) * size])
        return {key: values[chosen].float() for key, values in train.items()}

    some = len(next(iter(held.values()), ()))
    validation = [
        {key: values[first : first + _HELD].float() for key, values in held.items()} for first in range(0, some, _HELD)
    ]
    return TrainingData(batch_at, validation)


def _having(seen: Mapping[str, Tensor], needed: Sequence[Sequence[str]]) -> dict[str, Tensor]:
    """Return the cases that have what is needed, and of them what may be looked at."""
    keys = {key for group in needed for key in group}
    own = {key: values for key, values in seen.items() if key in keys}
    if not own or any(not own.keys() & set(group) for group in needed):
        return {}
    there = {key: ~values.flatten(1).isnan().any(dim=1) for key, values in own.items()}
    rows = [
        torch.stack([there[key] for key in group if key in there]).sum(dim=0) >= times
        for group, times in _times(needed)
    ]
    return {key: values[torch.stack(rows).all(dim=0)] for key, values in own.items()}


def _times(needed: Sequence[Sequence[str]]) -> list[tuple[tuple[str, ...], int]]:
    """Return each group of keys once, with how many of it a case must have."""
    return list(Counter(tuple(group) for group in needed).items())


def _small(one: Tensor) -> Tensor:
    """Return images at half the size; whole numbers, of which texts are made, stay exact."""
    return one.half() if one.ndim > 1 else one
