"""What a few steps cost: the default sampler against all T steps, same noise, 8 tiles of 64 px of the held-out slide.

Few steps blur toward the mean, and blur flatters PSNR: so texture and the histogram of DAB are measured beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import laplace
from scipy.stats import wasserstein_distance
from skimage.metrics import peak_signal_noise_ratio

from benchmarks._report import Goal, main
from benchmarks._slide import lesson, places_with_cells, sample
from diffuscope.run import DEMO_MODEL, load_model
from diffuscope.systems.base import SampleSettings
from diffuscope.training.teacher import paint

SIDE, TILES = 64, 8


def high_frequencies(image: NDArray[np.floating]) -> float:
    """Return the variance of the Laplacian of the tiles, channel by channel."""
    return float(np.mean([laplace(tile[..., c].astype(np.float64)).var() for tile in image for c in range(3)]))


def measure() -> dict[str, float]:
    """Sample the same tiles twice and hold both against the teacher."""
    model = load_model(DEMO_MODEL)
    system = model.system
    taught = lesson("CD3")
    places = places_with_cells(taught, SIDE, TILES)
    windows = [np.s_[y : y + SIDE, x : x + SIDE] for y, x in places]
    he = np.stack([taught.he[window] for window in windows])
    truth = np.stack([paint(taught, np.random.default_rng(0), window).ihc for window in windows])
    fast = sample(model, he, places, next(iter(system.presets.values())))
    full = sample(model, he, places, SampleSettings(sampler="ddpm", steps=system.config.T))  # type: ignore[union-attr]
    psnr = {
        name: peak_signal_noise_ratio(truth, out["ihc"].round().astype(np.uint8))
        for name, out in (("fast", fast), ("full", full))
    }
    return {
        "psnr_db": psnr["fast"],
        "psnr_db_all_steps": psnr["full"],
        "db_lost": psnr["full"] - psnr["fast"],
        "high_frequency_ratio": high_frequencies(fast["ihc"]) / high_frequencies(full["ihc"]),
        "high_frequency_ratio_to_teacher": high_frequencies(fast["ihc"]) / high_frequencies(truth),
        "dab_histogram_distance": wasserstein_distance(fast["dab"].ravel(), full["dab"].ravel()),
        "mean_dab": float(fast["dab"].mean()),
        "mean_dab_all_steps": float(full["dab"].mean()),
    }


if __name__ == "__main__":
    main(measure, {"db_lost": Goal(high=0.2), "high_frequency_ratio": Goal(low=0.95, high=1.05)})
