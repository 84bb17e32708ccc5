"""How good a system is on what its training validated on: the figures of a new model's card."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean
from types import MappingProxyType
from typing import Any

import torch
from torch import sigmoid

from diffuscope.evaluation.cohort import draw_rows, score_rows
from diffuscope.evaluation.decision import choose_threshold, fit_calibration
from diffuscope.evaluation.metrics.paired import psnr, ssim
from diffuscope.evaluation.scores import score_figures
from diffuscope.ports.score import Score
from diffuscope.systems.base import System, Tiled, Whole
from diffuscope.systems.calibration import evidence
from diffuscope.systems.protocols import Decides
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.data.cohort import LABEL
from diffuscope.training.pictures import sample


def measure(system: System, data: TrainingData, *, device: torch.device) -> dict[str, float]:
    """Score a system's main output on the validation crops.

    Parameters
    ----------
    system : System
        In evaluation mode.
    data : TrainingData
        For its validation batches.
    device : torch.device
        Where to sample.

    Returns
    -------
    dict of str to float
        Mean PSNR over crops, SSIM of pictures, and the number of crops; of a score what `score_figures` measures, and
        the number of cases; empty where the batches have no truth of the main output, or, of a system that is trained
        on its target alone, no input.
    """
    if not isinstance(system, Tiled):
        return _measure_scores(system, data, device=device)
    port = system.output_rasters[0]
    paired = [
        batch for batch in data.validation if {port.key, *(one.key for one in system.input_rasters)} <= batch.keys()
    ]
    if not paired:
        return {}
    system.to(device)
    extent = port.range[1] - port.range[0]
    peaks, structures = [], []
    for batch in paired:
        found = sample(system, batch, device=device)[port.key].clamp(*port.range)
        for truth, image in zip(batch[port.key].numpy(), found.numpy(), strict=True):
            peaks.append(psnr(truth, image, data_range=extent))
            if truth.ndim == 3:
                structures.append(ssim(truth.transpose(1, 2, 0), image.transpose(1, 2, 0), data_range=extent))
    figures = {"validation PSNR (dB)": mean(peaks), "validation crops": float(len(peaks))}
    return figures | ({"validation SSIM": mean(structures)} if structures else {})


def settle(
    system: System, data: TrainingData, *, device: torch.device, given: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Choose where a score decides, and whether its probability is calibrated, by the patients who validate alone.

    Parameters
    ----------
    system : System
        In evaluation mode; what it has of both is taken from it.
    data : TrainingData
        For its validation batches.
    device : torch.device
        Where to sample.
    given : mapping of str
        What the recipe states of its configuration: that stays.

    Returns
    -------
    dict of str
        What its configuration is to state; empty of a system that decides nothing, and without patients who validate.
    """
    if not isinstance(system, Whole) or not isinstance(system, Decides) or not data.validation:
        return {}
    rows = data.validation[0]
    truth = rows[LABEL].numpy()
    system.decide(threshold=None, calibration=None)
    draws = draw_rows(system.to(device), rows, device=device)
    found, count = draws.mean(axis=(1, 2)), draws[0].size
    calibration = given["calibration"] if "calibration" in given else fit_calibration(truth, found, count=count)
    if calibration is not None:
        calibration = (round(calibration[0], 4), round(calibration[1], 4))
        found = sigmoid(calibration[0] * evidence(torch.from_numpy(found), count) + calibration[1]).numpy()
    chosen = given["threshold"] if "threshold" in given else choose_threshold(truth, found)
    return system.decide(threshold=None if chosen is None else round(chosen, 4), calibration=calibration)


def _measure_scores(system: System, data: TrainingData, *, device: torch.device) -> dict[str, float]:
    """Score the rows that validate, which chose weights, threshold and calibration."""
    if not isinstance(system, Whole) or not isinstance(system.outputs[0], Score) or not data.validation:
        return {}
    rows, score = data.validation[0], system.outputs[0]
    found = score_rows(system.to(device), rows, device=device)
    figures = score_figures(rows[LABEL].numpy(), found, threshold=0.5 if score.threshold is None else score.threshold)
    return {f"validation {name}": value for name, value in figures.items()} | {"validation cases": float(len(found))}
