"""How near the shipped model comes to its teacher on the slide that it never saw, all tissue, default quality.

The truth is simulated: the teacher's rule on the same pixels. The figures tell how well the rule was learned, not how
well CD3 is predicted. `psnr_db_without_dab` is the teacher's own picture without its DAB: what a model reaches that
knows the counterstain and never paints a cell.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label
from skimage.metrics import peak_signal_noise_ratio

from benchmarks._report import Goal, main
from diffuscope.run import DEMO_MODEL, DEMO_SLIDE, load_model, open_result, open_scan, run
from diffuscope.sample_data import sample_path
from diffuscope.scans import read_region, tissue_mask
from diffuscope.stains import HDAB, combine, dab_density, separate
from diffuscope.training.teacher import restain


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient of two masks; 1 where both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def measure(model: str) -> dict[str, float]:
    """Stain the slide, restain it by the rule, and compare where there is tissue."""
    path = sample_path(DEMO_SLIDE)
    scan = open_scan(path)
    height, width = scan.shape
    he = read_region(scan, y=0, x=0, height=height, width=width, factor=1.0)
    truth = restain(he, "CD3", mpp=0.5)
    with tempfile.TemporaryDirectory() as folder:
        for _ in run(model, path, Path(folder) / "out.ome.zarr", seed=0):
            pass
        result = open_result(Path(folder) / "out.ome.zarr")
        ihc, dab = (np.asarray(result.images[key][0]) for key in ("ihc", "dab"))
    tissue = tissue_mask(scan)
    rows, columns = (
        np.minimum(np.arange(n) / tissue.downsample, m - 1).astype(int)
        for n, m in zip(he.shape, tissue.mask.shape, strict=False)
    )
    inside = tissue.mask[np.ix_(rows, columns)]
    threshold = load_model(model).system.config.dab_threshold  # type: ignore[union-attr]
    painted, found = dab_density(truth.ihc) >= threshold, dab[..., 0] >= threshold
    densities = separate(truth.ihc, HDAB)
    densities[..., 1] = 0.0
    bare = combine(densities, HDAB)
    cells = label(truth.dab >= threshold)
    hit = np.unique(cells[found & (cells > 0)]).size
    return {
        "psnr_db": peak_signal_noise_ratio(truth.ihc[inside], ihc[inside]),
        "psnr_db_without_dab": peak_signal_noise_ratio(truth.ihc[inside], bare[inside]),
        "dab_dice": dice(painted & inside, found & inside),
        "dab_area_ratio": float((found & inside).sum() / (painted & inside).sum()),
        "dab_od_error": float(np.abs(dab[..., 0] - dab_density(truth.ihc))[inside].mean()),
        "cells_touched_ratio": hit / cells.max(),
    }


if __name__ == "__main__":
    main(lambda: measure(DEMO_MODEL), {"dab_dice": Goal(low=0.5)})
