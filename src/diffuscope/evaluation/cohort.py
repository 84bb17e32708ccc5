"""Scores of a cohort's rows, without a result for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.ports.score import Score
from diffuscope.systems.base import CaseInput, Whole
from diffuscope.training.data.cohort import LABEL, NUMBER


def score_rows(
    system: Whole, rows: Mapping[str, Tensor], *, device: torch.device, seed: int = 0
) -> NDArray[np.float64]:
    """Return the score of each case of a cohort, (n,): the means of `draw_rows`, of which see there."""
    return draw_rows(system, rows, device=device, seed=seed).mean(axis=(1, 2))


@torch.no_grad()
def draw_rows(system: Whole, rows: Mapping[str, Tensor], *, device: torch.device, seed: int = 0) -> NDArray[np.float64]:
    """Draw the class of each case of a cohort with the default preset, as a run of that case does.

    Parameters
    ----------
    system : Whole
        In evaluation mode, on `device`; its main output is a score.
    rows : mapping of str to Tensor (n, …)
        From `diffuscope.training.data.cohort.prepared`.
    device : torch.device
        Where the system is.
    seed : int
        Of the noise, the same of every case.

    Returns
    -------
    ndarray (n, members, samples)
        One member of a system without.
    """
    port = system.outputs[0]
    assert isinstance(port, Score)
    settings = replace(next(iter(system.presets.values())), wanted=(port.key,))
    seen = {key: values for key, values in rows.items() if key not in (LABEL, NUMBER)}
    drawn = []
    for number in range(len(next(iter(seen.values())))):
        inputs: dict[str, CaseInput] = {key: values[number].to(device) for key, values in seen.items()}
        steps = system.sample(inputs, CaseNoise(seed, device), settings)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                drawn.append(np.atleast_2d(end.value[port.key].cpu().double().numpy()))
                break
    return np.stack(drawn)
