"""How long one patient with a large CT takes: 512 x 512 x 300 voxels with outlines, radiomics included, on two cores.

`diffuscope run` in a process of its own, start and all: score, what it rests on, and relevance on the CT, written as a
volume; and `diffuscope score` of the same patient. The model has random weights and the size of lnm-demo, with a table
of radiomics that is measured. ``peak_gb`` is what the first had in memory at most.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
import torch

from benchmarks.shared.figures import Goal
from benchmarks.speed.score import CARD
from diffuscope.model.folder import save_model
from diffuscope.systems.registry import build_system

GOALS = {"run_seconds": Goal(high=20.0), "score_seconds": Goal(high=20.0)}
_SPACING = (2.0, 0.8, 0.8)
# Middle, as a part of the CT, and radius in mm of the tumour and of three nodes.
_STRUCTURES = (
    ((0.5, 0.5, 0.5), 19.0),
    ((0.4, 0.45, 0.6), 7.0),
    ((0.6, 0.55, 0.4), 6.0),
    ((0.7, 0.5, 0.45), 5.0),
)
_IMAGES = {
    "backbone": "resnet10",
    "planes": 8,
    "stem": "small",
    "norm": "group",
    "spacing": (3, 3, 3),
    "tumour": (24, 16, 16),
    "node": (12, 12, 12),
}
_TABLES = [
    {"name": "blood", "key": "blood", "columns": [{"name": "leukocytes"}]},
    {"name": "radiomics", "key": "radiomics", "measured": {}},
]


def measure(*, slices: int = 300, side: int = 512, threads: int = 2) -> dict[str, float]:
    """Make a CT, and score its patient.

    Parameters
    ----------
    slices, side : int
        Of the CT, voxels.
    threads : int
        Cores.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, (slices, side, side))
        config = {"images": _IMAGES, "tables": _TABLES, "members": 5, "width": 32}
        torch.manual_seed(0)
        save_model(folder / "model", build_system("mmfusion", config), "mmfusion", config, CARD)
        inputs = ["ct=ct.nii.gz", "mask=mask.nii.gz", "blood=leukocytes=8"]
        run = ["run", "model", *(word for one in inputs for word in ("--input", one)), "-o", "case.ome.zarr"]
        run_seconds = _timed(folder, run, threads)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        score = ["score", "model", "--ct", "ct.nii.gz", "--mask", "mask.nii.gz", "--row", "leukocytes=8"]
        return {
            "run_seconds": run_seconds,
            "peak_gb": peak,
            "score_seconds": _timed(folder, score, threads),
        }


def _write(folder: Path, shape: tuple[int, int, int]) -> None:
    """Write a patient: soft tissue with noise, air around, a tumour of 30 ml and three nodes."""
    rng = np.random.default_rng(0)
    ct = rng.normal(40, 15, shape).astype(np.int16)
    ct[:, : shape[1] // 8], ct[:, -shape[1] // 8 :] = -1000, -1000
    mask = np.zeros(shape, np.uint8)
    axes = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij", sparse=True)
    for label, (place, radius) in enumerate(_STRUCTURES, start=1):
        apart = [
            (axis - part * size) * step for axis, part, size, step in zip(axes, place, shape, _SPACING, strict=True)
        ]
        away = apart[0] ** 2 + apart[1] ** 2 + apart[2] ** 2
        inside = away < radius**2
        mask[inside] = label
        ct[inside] += np.int16(30 + 5 * label)
    affine = np.diag([-_SPACING[2], -_SPACING[1], _SPACING[0], 1.0])
    for name, voxels in (("ct", ct), ("mask", mask)):
        nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), affine), folder / f"{name}.nii.gz")


def _timed(folder: Path, words: list[str], threads: int) -> float:
    cores = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "diffuscope", *words, "--device", "cpu"]
    begun = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=True, cwd=folder, env=os.environ | cores, **quiet)  # noqa: S603  words of our own
    return time.perf_counter() - begun
