"""Local mutual information: its time against the network's, and what it carries from one modality to another.

Times are the least of several, taken in turns in one run, of a 128² slice: one evaluation of the small U-Net as a run
makes it; LMI(G, F_t) of several patches, of which 3 × 3 is the default (what is G's alone is computed before); and
``plain``, the vectorised form with soft histograms that the paper's code has: 3 × 3 patches, 9 windows, 27 bins.

What is carried is measured on two patients of shared/data/ms-brain (T1 and FLAIR of one patient on one grid), where
that folder lies beside the repository: the correlation over pixels of LMI(FLAIR, FLAIR) with LMI(T1, T1) of the same
patient, and of the other one, who is a wrong source. Only what lies 8 px within both brains counts: outlines alone
would correlate. Both pictures were brought to one grid by interpolation, of which traces may be shared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, binary_fill_holes
from torch import Tensor

from benchmarks.shared.figures import Goal
from benchmarks.shared.places import DATA
from diffuscope.devices import pick_device, pick_precision
from diffuscope.engine.compute import autocast
from diffuscope.scans import open_volume
from diffuscope.scans.foreground import volume_foreground
from diffuscope.scans.intensity import to_range, volume_range
from diffuscope.systems.midiffusion.condition import Condition, prepare
from diffuscope.systems.midiffusion.config import WIDTHS, GuidanceConfig
from diffuscope.systems.midiffusion.estimator import LMI
from diffuscope.systems.midiffusion.lmi import Guide
from diffuscope.systems.midiffusion.network import ScoreNetwork

PATIENTS = DATA / "ms-brain"
SIDE, ROUNDS = 128, 30
SLICES = range(60, 140, 16)
PLAIN = LMI(patch=3, windows=3, bandwidth=2 * 8**0.5 / 255, estimator="histogram", bins=27, range=(-1.0, 1.0))
CONFIGS = {
    "3x3": GuidanceConfig(),
    "5x5": GuidanceConfig(patch=5),
    "7x7": GuidanceConfig(patch=7),
    "3x3_smoothed": GuidanceConfig(smooth=1.0),
    "7x7_smoothed": GuidanceConfig(patch=7, smooth=1.0),
    "3x3_halved": GuidanceConfig(reduce=2),
    "5x5_halved": GuidanceConfig(patch=5, reduce=2),
}
GOALS = {"3x3_share": Goal(high=0.3), "seconds_of_50_evaluations": Goal(high=6.0)}


def timed() -> dict[str, float]:
    """Return the seconds of each part, and their ratios."""
    generator = torch.Generator().manual_seed(0)
    guide, noisy = (torch.randn(1, 1, SIDE, SIDE, generator=generator) for _ in range(2))
    network = ScoreNetwork(WIDTHS["small"], attention=False).eval().to(memory_format=torch.channels_last)
    maps, now = torch.rand(1, 2, SIDE, SIDE, generator=generator), torch.full((1,), 0.5)
    device = pick_device()
    precision = pick_precision(device)
    plain = Guide(guide, PLAIN)
    parts: dict[str, Callable[[], object]] = {"network": lambda: network(noisy, now, maps)}
    for name in ("3x3", "5x5", "7x7", "5x5_halved"):
        parts[name] = partial(Condition(guide, CONFIGS[name]), noisy)
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    with torch.inference_mode(), autocast(device, precision):
        for _ in range(ROUNDS):
            for name, part in parts.items():
                seconds[name].append(_seconds(part))
        whole = min(_seconds(lambda: plain(noisy)) for _ in range(3))
    least = {name: min(times) for name, times in seconds.items()}
    return {
        **{f"{name}_share": least[name] / (least[name] + least["network"]) for name in parts if name != "network"},
        "plain_over_3x3": whole / least["3x3"],
        "plain_over_network": whole / least["network"],
        "seconds_of_50_evaluations": 50 * (least["3x3"] + least["network"]),
        "threads": torch.get_num_threads(),
    }


def _seconds(part: Callable[[], object]) -> float:
    start = time.perf_counter()
    part()
    return time.perf_counter() - start


def carried(config: GuidanceConfig, patients: dict[str, dict[str, NDArray[np.float32]]]) -> dict[str, float]:
    """Return the correlations of a source's LMI(G, G) with the target's, and how often Theorem 1 is broken."""
    true, wrong, broken = [], [], []
    for names in (("patient07", "patient19"), ("patient19", "patient07")):
        own, other = (patients[name] for name in names)
        for z in SLICES:
            inside = _within(own["T1"][z], other["T1"][z])[:: config.reduce, :: config.reduce]
            target, source, stranger = (
                Guide(prepare(_picture(slice_), config), config.lmi)
                for slice_ in (own["FLAIR"][z], own["T1"][z], other["T1"][z])
            )
            map_of = {guide: guide.itself().raw[0, 0].numpy()[inside] for guide in (target, source, stranger)}
            true.append(np.corrcoef(map_of[source], map_of[target])[0, 1])
            wrong.append(np.corrcoef(map_of[stranger], map_of[target])[0, 1])
            between = source(prepare(_picture(own["FLAIR"][z]), config)).raw[0, 0].numpy()[inside]
            broken.append((between > map_of[source] + 1e-5).mean())
    return {"true": float(np.mean(true)), "wrong": float(np.mean(wrong)), "theorem_1_broken": float(np.mean(broken))}


def _within(*brains: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return what lies 8 px within all of them."""
    filled = [binary_fill_holes(brain > 0.05) for brain in brains]
    return np.asarray(binary_erosion(np.logical_and.reduce(filled), iterations=8))


def _picture(slice_: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(2 * slice_.clip(0, 1) - 1)[None, None]


def volumes() -> Iterator[tuple[str, dict[str, NDArray[np.float32]]]]:
    """Yield each patient's volumes as a run reads them, (z, y, x) in [0, 1]."""
    for folder in sorted(PATIENTS.glob("patient*")):
        opened = {name: open_volume(folder / f"{name}.nii.gz") for name in ("T1", "FLAIR")}
        mask = volume_foreground(list(opened.values()), [None, None])
        yield (
            folder.name,
            {
                name: to_range(np.asarray(volume.voxels[:, :, :]), volume_range(volume, mask), (0.0, 1.0))
                for name, volume in opened.items()
            },
        )


def measure() -> dict[str, float]:
    """Measure both."""
    figures = timed()
    patients = dict(volumes())
    if patients:
        for name, config in CONFIGS.items():
            figures |= {f"{name}_{key}": value for key, value in carried(config, patients).items()}
    return figures
