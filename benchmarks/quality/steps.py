"""What a few steps cost: the default sampler against all T steps, same noise, 8 tiles of 64 px of the held-out slide.

Few steps blur toward the mean, and blur flatters PSNR: so texture and the histogram of DAB are measured beside it.
Every figure is over three seeds: one draw's PSNR is chance (which cells were painted), sd 0.4 dB between seeds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import laplace
from scipy.stats import wasserstein_distance

from benchmarks.shared.figures import Goal
from benchmarks.shared.slide import as_taken, places_with_cells, sample, teacher_sample
from diffuscope import DEMO_MODEL, load_model
from diffuscope.evaluation.metrics.paired import psnr
from diffuscope.ports.settings import SampleSettings
from diffuscope.simulation.restaining.teacher import paint

SIDE, TILES, SEEDS = 64, 8, 3
GOALS = {"db_lost": Goal(high=0.2), "high_frequency_ratio": Goal(low=0.95, high=1.05)}


def high_frequencies(image: NDArray[np.floating]) -> float:
    """Return the variance of the Laplacian of the tiles, channel by channel."""
    return float(np.mean([laplace(tile[..., c].astype(np.float64)).var() for tile in image for c in range(3)]))


def measure() -> dict[str, float]:
    """Sample the same tiles twice and hold both against the teacher."""
    model = load_model(DEMO_MODEL)
    system = model.system
    taught = teacher_sample("CD3")
    places = places_with_cells(taught, SIDE, TILES)
    windows = [np.s_[y : y + SIDE, x : x + SIDE] for y, x in places]
    he = np.stack([as_taken(model, taught)[window] for window in windows])
    truth = np.stack([paint(taught, np.random.default_rng(0), window).ihc for window in windows])
    default = next(iter(system.presets.values()))
    every = SampleSettings(sampler="ddpm", steps=system.config.T)  # type: ignore[union-attr]
    fast, full = (
        [sample(model, he, places, settings, seed=seed) for seed in range(SEEDS)] for settings in (default, every)
    )
    texture = {
        name: np.mean([high_frequencies(out["ihc"]) for out in outs]) for name, outs in (("fast", fast), ("full", full))
    }
    decibels = {
        name: np.mean([psnr(truth, out["ihc"].round().astype(np.uint8), data_range=255) for out in outs])
        for name, outs in (("fast", fast), ("full", full))
    }
    dab, dab_all = (np.concatenate([out["dab"].ravel() for out in outs]) for outs in (fast, full))
    figures = {
        "psnr_db": decibels["fast"],
        "psnr_db_all_steps": decibels["full"],
        "db_lost": decibels["full"] - decibels["fast"],
        "high_frequency_ratio": texture["fast"] / texture["full"],
        "high_frequency_ratio_to_teacher": texture["fast"] / high_frequencies(truth),
        "dab_histogram_distance": wasserstein_distance(dab, dab_all),
        "mean_dab": dab.mean(),
        "mean_dab_all_steps": dab_all.mean(),
        "mean_dab_of_the_teacher": np.mean(
            [paint(taught, np.random.default_rng(draw), window).dab.mean() for draw in range(20) for window in windows]
        ),
    }
    return {key: float(value) for key, value in figures.items()}
