"""Whether uncertainty tells the truth: against the teacher's own spread, 16 tiles of 128 px of the held-out slide.

The teacher paints each cell with a known probability, so that the standard deviation of DAB at a pixel has a truth:
that over 200 of its own draws. AUSE: error left after removing the most uncertain pixels, less that with the best order
there is (0 is perfect; `ause_random` is what removing at random gives).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks._report import Goal, main
from benchmarks._slide import lesson, places_with_cells, sample
from diffuscope.run import DEMO_MODEL, load_model
from diffuscope.systems.base import SampleSettings
from diffuscope.training.teacher import paint

SIDE, TILES, DRAWS = 128, 16, 200
FRACTIONS = np.linspace(0.0, 0.99, 100)


def sparsification(error: NDArray[np.floating], order: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean error that is left when the given fractions of largest `order` are removed, over all error."""
    ranked = error[np.argsort(-order, kind="stable")].astype(np.float64)
    left = ranked[::-1].cumsum()[::-1]
    start = (FRACTIONS * len(ranked)).astype(int)
    return np.asarray(left[start] / (len(ranked) - start) / ranked.mean())


def ause(error: NDArray[np.floating], uncertainty: NDArray[np.floating]) -> float:
    """Return the area between the sparsification curves of the uncertainty and of the error itself."""
    return float(np.mean(sparsification(error, uncertainty) - sparsification(error, error)))


def measure() -> dict[str, float]:
    """Sample once and eight times, and compare with 200 draws of the teacher."""
    model = load_model(DEMO_MODEL)
    taught = lesson("CD3")
    places = places_with_cells(taught, SIDE, TILES, chance=0.3)
    windows = [np.s_[y : y + SIDE, x : x + SIDE] for y, x in places]
    he = np.stack([taught.he[window] for window in windows])
    rng = np.random.default_rng(0)
    draws = np.stack([[paint(taught, rng, window).dab for window in windows] for _ in range(DRAWS)])
    spread = draws.std(axis=0, ddof=1).ravel()
    fast = next(iter(model.system.presets.values()))
    figures = {}
    shuffled = np.random.default_rng(1).permutation(spread.size).astype(np.float64)
    for k in (1, 8):
        out = sample(model, he, places, SampleSettings(sampler=fast.sampler, steps=fast.steps, samples=k))
        uncertainty, dab = out["uncertainty"].ravel(), out["dab"].ravel()
        # the error against each of some draws, not one: which cell was painted is chance
        error = np.abs(draws[:20].reshape(20, -1) - dab).mean(axis=0)
        figures |= {
            f"ause_k{k}": ause(error, uncertainty),
            f"ause_random_k{k}": ause(error, shuffled),
            f"correlation_k{k}": float(np.corrcoef(uncertainty, spread)[0, 1]),
            f"mean_uncertainty_k{k}": float(uncertainty.mean()),
        }
    return figures | {"mean_spread_of_the_teacher": float(spread.mean())}


if __name__ == "__main__":
    main(measure, {"correlation_k8": Goal(low=0.5)})
