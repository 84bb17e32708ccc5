"""How good a system is on what its training validated on: the figures of a new model's card."""

from __future__ import annotations

from statistics import mean

import torch

from diffuscope.evaluation.cohort import score_rows
from diffuscope.evaluation.metrics.paired import psnr, ssim
from diffuscope.evaluation.scores import score_figures
from diffuscope.ports.score import Score
from diffuscope.systems.base import System, Tiled, Whole
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


def _measure_scores(system: System, data: TrainingData, *, device: torch.device) -> dict[str, float]:
    """Score the rows that validate, which chose the weights."""
    if not isinstance(system, Whole) or not isinstance(system.outputs[0], Score) or not data.validation:
        return {}
    rows, score = data.validation[0], system.outputs[0]
    found = score_rows(system.to(device), rows, device=device)
    figures = score_figures(rows[LABEL].numpy(), found, threshold=score.threshold or 0.5)
    return {f"validation {name}": value for name, value in figures.items()} | {"validation cases": float(len(found))}
