"""Scores of a cohort's rows, without a result for each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.ports.score import Score
from diffuscope.ports.table import Table
from diffuscope.systems.base import Whole


@torch.no_grad()
def score_rows(
    system: Whole, rows: Mapping[str, Tensor], *, device: torch.device, seed: int = 0
) -> NDArray[np.float64]:
    """Score each case of a cohort with the default preset, as a run of that case does.

    Parameters
    ----------
    system : Whole
        In evaluation mode, on `device`; its main output is a score.
    rows : mapping of str to Tensor (n, columns)
        By table, NaN where nothing is known.
    device : torch.device
        Where the system is.
    seed : int
        Of the noise, the same of every case.

    Returns
    -------
    ndarray (n,)
        Mean of the draws of each.
    """
    port, settings = system.outputs[0], next(iter(system.presets.values()))
    assert isinstance(port, Score)
    keys = [table.key for table in system.inputs if isinstance(table, Table)]
    count = len(rows[keys[0]])
    means = np.empty(count)
    for number in range(count):
        inputs = {key: rows[key][number].to(device) for key in keys}
        steps = system.sample(inputs, CaseNoise(seed, device), settings)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                means[number] = float(end.value[port.key].double().mean())
                break
    return means
