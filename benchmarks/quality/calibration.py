"""Whether uncertainty tells the truth: against the teacher's own spread, 16 tiles of 128 px of the held-out slide.

The teacher paints each cell with a known probability, so that the standard deviation of DAB at a pixel has a truth:
that over 200 of its own draws. AUSE: error left after removing the most uncertain pixels, less that with the best order
there is (0 is perfect; `ause_random` is what removing at random gives).
"""

from __future__ import annotations

import numpy as np

from benchmarks.shared.figures import Goal
from benchmarks.shared.slide import as_taken, places_with_cells, sample, teacher_sample
from diffuscope import DEMO_MODEL, load_model
from diffuscope.evaluation.metrics.calibration import ause, correlation
from diffuscope.ports.settings import SampleSettings
from diffuscope.simulation.restaining.teacher import paint

SIDE, TILES, DRAWS = 128, 16, 200
GOALS = {"correlation_k8": Goal(low=0.5)}


def measure() -> dict[str, float]:
    """Sample once and eight times, and compare with 200 draws of the teacher."""
    model = load_model(DEMO_MODEL)
    taught = teacher_sample("CD3")
    places = places_with_cells(taught, SIDE, TILES, chance=0.3)
    windows = [np.s_[y : y + SIDE, x : x + SIDE] for y, x in places]
    he = np.stack([as_taken(model, taught)[window] for window in windows])
    rng = np.random.default_rng(0)
    draws = np.stack([[paint(taught, rng, window).dab for window in windows] for _ in range(DRAWS)])
    spread = draws.std(axis=0, ddof=1).ravel()
    fast = next(iter(model.system.presets.values()))
    figures = {}
    for k in (1, 8):
        out = sample(model, he, places, SampleSettings(sampler=fast.sampler, steps=fast.steps, samples=k))
        uncertainty, dab = out["uncertainty"].ravel(), out["dab"].ravel()
        # the error against each of some draws, not one: which cell was painted is chance
        error = np.abs(draws[:20].reshape(20, -1) - dab).mean(axis=0)
        figures |= {
            f"ause_k{k}": ause(error, uncertainty),
            f"ause_random_k{k}": ause(error, np.zeros_like(error)),
            f"correlation_k{k}": correlation(spread, uncertainty).pearson,
            f"mean_uncertainty_k{k}": float(uncertainty.mean()),
        }
    return figures | {"mean_spread_of_the_teacher": float(spread.mean())}
