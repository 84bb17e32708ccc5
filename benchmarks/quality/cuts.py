"""How far small cuts of a slide, normalised by their own stains, are from what their slide's stains make of them.

The table of docs/staindiffuser.md ("Small cuts of a slide"): windows of the shipped H&E at 0.5 µm/px of which 60 % are
tissue. Beside it stand the H&E as scanned, the cut's own vectors with the slide's strengths, and all windows measured
together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio

from benchmarks.shared.figures import Goal
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan, read_region, resampling_factor, tissue_mask
from diffuscope.stains import StainStatistics, measure_stains, normalise

GOALS: Mapping[str, Goal] = {}

# By the name in keys: file, and µm/px where it does not say it (as in the recipes).
_SOURCES = {
    "cmu1": ("CMU-1-Small-Region.svs", None),
    "tcga": ("TCGA-CR-7395.svs", 0.5),
    "os1": ("OS-1-detail.ome.tif", None),
    "orion_c01": ("he-orion-C01.jpg", 0.325),
    "orion_c03": ("he-orion-C03.jpg", 0.325),
    "orion_c05": ("he-orion-C05.jpg", 0.325),
}
_MPP, _TISSUE, _TRIALS = 0.5, 0.6, 400


def measure(*, windows: int = 24) -> Mapping[str, float]:
    """Compare by source and side of the window: medians of the windows, PSNR in dB.

    Parameters
    ----------
    windows : int
        A source and size; what is no larger than 1.5 sides of the window is left out.
    """
    figures: dict[str, float] = {}
    for name, (file, mpp) in _SOURCES.items():
        scan = open_scan(sample_path(file), mpp=mpp)
        factor, inside = resampling_factor(scan, _MPP), tissue_mask(scan)
        whole = scan.stains(inside, factors=(factor, factor))
        assert whole is not None
        for um in (128, 256, 512):
            side = round(um / _MPP)
            if min(scan.shape) / factor < 1.5 * side:
                continue
            cuts = []
            for y, x in _places(scan.shape, factor, side):
                if inside.fraction_in(y * factor, x * factor, side * factor, side * factor) >= _TISSUE:
                    cut = read_region(scan, y=y, x=x, height=side, width=side, factor=factor, fill=255)
                    cuts.append(cut.round().astype(np.uint8))
                if len(cuts) == windows:
                    break
            figures |= {f"{name}_{um}um_{key}_db": value for key, value in _compared(cuts, whole).items()}
    return figures


def _places(shape: tuple[int, ...], factor: float, side: int) -> Iterator[tuple[int, int]]:
    rng = np.random.default_rng(0)
    height, width = (int(extent / factor) - side + 1 for extent in shape)
    for _ in range(_TRIALS):
        yield int(rng.integers(height)), int(rng.integers(width))


def _compared(cuts: list[NDArray[np.uint8]], whole: StainStatistics) -> dict[str, float]:
    """Return median PSNR of cuts, normalised in different ways, to what their slide's stains make of them."""
    together = measure_stains(cuts, mpp=_MPP)
    assert together is not None
    found: dict[str, list[float]] = {}
    for cut in cuts:
        own = measure_stains([cut], mpp=_MPP)
        if own is None:
            continue
        strengths = replace(own, nucleus=whole.nucleus, tissue=whole.tissue)
        wanted = normalise(cut, whole)
        ways = {
            "own": normalise(cut, own),
            "as_scanned": cut,
            "own_vectors": normalise(cut, strengths),
            "together": normalise(cut, together),
        }
        for key, picture in ways.items():
            found.setdefault(key, []).append(float(peak_signal_noise_ratio(wanted, picture, data_range=255)))
    return {key: float(np.median(values)) for key, values in found.items()}
