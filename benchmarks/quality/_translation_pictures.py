"""Of every patient that was held out the slice on which a model is worst, as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.shared.in_plane import registered
from benchmarks.shared.scans import Direction, Pictures, slices_of
from benchmarks.shared.translated import translated
from diffuscope.evaluation.metrics.paired import psnr
from diffuscope.systems.midiffusion.system import MIDiffusion

# Slices in all, of each patient as many; rows of text above the pictures, px.
_JUDGED, _TEXT = 20, 14


def worst_slices(system: MIDiffusion, direction: Direction, path: Path) -> dict[str, float]:
    """Write source, truth, mean, sample and support of the worst slices side by side, and return their PSNR.

    The mean's PSNR, of pairs brought onto each other, tells which slice is the worst of a patient's.

    Parameters
    ----------
    system : MIDiffusion
        Trained.
    direction : Direction
        Its source and target.
    path : Path
        PNG to write: a row a patient.
    """
    each = max(_JUDGED // len(direction.held), 1)
    tests = slices_of(direction, direction.held, each, direction.side)
    drawn = translated(system, tests.around, tests.places)
    mean = translated(system, tests.around, tests.places, settings=system.presets["mean"]).sample
    pairs = registered(direction, tests)
    level = [
        psnr(truth[inside], guess[inside], data_range=1.0)
        for truth, guess, inside in zip(pairs.target, mean, pairs.inside, strict=True)
    ]
    rows, found = [], {}
    for patient in dict.fromkeys(tests.patients):
        worst = min((n for n, name in enumerate(tests.patients) if name == patient), key=lambda n: level[n])
        found[f"psnr_db_{patient}"] = level[worst]
        pictures = (tests.source, pairs.target, mean, drawn.sample, drawn.support)
        title = f"{patient}, slice {tests.places[worst][0]}: {level[worst]:.1f} dB (mean)"
        rows.append(_row([one[worst] for one in pictures], title))
    sheet = np.concatenate(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(path, optimize=True)
    return found


def _row(pictures: list[Pictures], title: str) -> np.ndarray:
    """Return pictures in 0 … 1 side by side as 8 bits, under a line of text."""
    grey = np.round(255 * np.concatenate(pictures, axis=1).clip(0, 1)).astype(np.uint8)
    above = Image.new("L", (grey.shape[1], _TEXT))
    ImageDraw.Draw(above).text((2, 1), f"{title}   source | truth | mean | sample | support", fill=255)
    return np.concatenate([np.asarray(above), grey])
