"""What trains on scans of patients: the target alone, or a few pairs; and whether pairs lie on each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock
from sklearn.metrics import roc_auc_score
from torch import Tensor

from benchmarks.shared.scans import Direction, opened, system_of
from diffuscope.cases.patients import lay_out
from diffuscope.scans import Volume
from diffuscope.training.data.crops import batch_at, crops_of, read_cases

#: Of the pairs every so manieth slice is the few-shot baseline's: 5 %.
FEW = 20
#: HU of fat and of muscle, which T1-weighted MR shows bright and dark.
FAT, MUSCLE = (-150.0, -30.0), (10.0, 100.0)


def target_batches(
    direction: Direction, root: Path, *, seed: int, batch: int, patch: int
) -> Callable[[int], Mapping[str, Tensor]]:
    """Return the recipe's batches, from a folder in `root` that holds files of the target and no others."""
    folder = root / direction.settings.path
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            lay_out(direction.path, folder, {direction.modalities[1].key: direction.files[1]})
    system = system_of(direction)
    parts = read_cases(direction.recipe, direction.crops, system, root) | {"validation": []}
    return crops_of(parts, direction.crops, system, seed=seed, batch=batch, side=patch).batch_at


def few_pairs(direction: Direction, *, seed: int, batch: int, patch: int) -> Callable[[int], Mapping[str, Tensor]]:
    """Return batches of both modalities, from every 20th slice of the patients that trained."""
    samplers = []
    for patient in direction.trained:
        sampler = opened(direction, patient, (0, 1), patch)
        few = sampler.corners[sampler.corners[:, 0] % FEW == FEW // 2]
        if len(few):
            samplers.append(replace(sampler, corners=few))
    system = system_of(direction)
    source = direction.modalities[0].key

    def at(step: int) -> Mapping[str, Tensor]:
        images = batch_at(samplers, system, step, seed=seed, size=batch, side=patch)
        # The slice itself, of those that a run of MIDiffusion sees.
        return {**images, source: images[source][:, 1:2]}

    return at


def registration_auc(direction: Direction, patient: str) -> float:
    """Return how well MR tells what is fat from what is muscle in CT: the chance that a voxel of fat is the brighter.

    Fat is bright in T1-weighted MR. Of pairs that do not lie on each other it says less, down to a half.
    """
    both = dict(zip((one.key for one in direction.modalities), (0, 1), strict=True))
    values = {}
    for key, which in both.items():
        scan = opened(direction, patient, (which,), 16).volumes[0].scan
        assert isinstance(scan, Volume)
        values[key] = np.asarray(scan.voxels[:, :, :])
    fat, muscle = ((values["ct"] > low) & (values["ct"] < high) for low, high in (FAT, MUSCLE))
    either = fat | muscle
    return float(roc_auc_score(fat[either], values["mr"][either]))
