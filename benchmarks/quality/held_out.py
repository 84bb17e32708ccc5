"""How near a shipped model comes to its teacher where no training was: held-out slides and held-out blocks.

The truth is simulated: the teacher's rule on the same pixels. The figures tell how well the rule was learned, not how
well an antibody is predicted. They go on the model's card (`diffuscope make card`).

Of each set: one sample; the mean (one evaluation); and P, the probability of a positive cell, as a mask by a threshold
that is chosen on blocks that training saw. Beside them what no model can beat: the teacher asked a second time (a draw
against a draw), and the true probability as a mask by its best threshold (a mask against a draw).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.figures import Goal
from benchmarks.shared.scores import (
    MPP,
    THRESHOLD,
    HeldOut,
    held_out_sets,
    score_baselines,
    scores,
    shipped_recipe,
    slide_tiles,
    source_pairs,
    stain_all,
    taught_stain,
    trained_tiles,
)
from diffuscope import load_model
from diffuscope.evaluation.metrics.paired import psnr
from diffuscope.measurement.dab import area_error_percent, dice, overlap
from diffuscope.model.folder import Model
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.sources import Source, read_source
from diffuscope.simulation.restaining.teacher import prepare
from diffuscope.stains import dab_density
from diffuscope.training.recipe import Recipe

#: A second slide that no training saw, of a scanner that training did see.
OTHER = Source(file="he-orion-C05.jpg", mpp=0.325, evidence="usual for ORION")
_GRID = np.arange(0.02, 0.9, 0.02)
GOALS = {
    "slide_area_error_percent": Goal(high=20.0),
    "slide_dice_p": {"stain-cd3-demo": Goal(low=0.45), "stain-ck818-demo": Goal(low=0.60)},
    "slide_dice": {"stain-cd3-demo": Goal(low=0.35), "stain-ck818-demo": Goal(low=0.45)},
}


def measure(*, model: Literal["stain-cd3-demo", "stain-ck818-demo"] = "stain-cd3-demo") -> dict[str, float]:
    """Score a model, and what no model can beat, on all sets.

    Parameters
    ----------
    model : str
        Whose figures.
    """
    loaded, recipe = load_model(model), shipped_recipe(model)
    slide, blocks, colours = held_out_sets(recipe)
    trained = trained_tiles(source_pairs(recipe))
    threshold = best_threshold(trained, stain_all(loaded, trained, quality="mean")["segmentation"][..., 0])
    figures = {"threshold_of_p": threshold}
    for where, tiles in (("slide", slide), ("blocks", blocks), ("orion", _other(recipe))):
        found = {**dict(_of_model(loaded, tiles, threshold)), **dict(_bounds(tiles, colours))}
        figures |= {f"{where}_{key}": value for key, value in found.items()}
    return figures


def best_threshold(tiles: HeldOut, probability: NDArray[np.floating]) -> float:
    """Return the threshold of a probability (n, h, w) whose mask overlaps most with the teacher's draw."""
    return float(max(_GRID, key=lambda level: _dice(tiles, probability > level)))


def _of_model(model: Model, tiles: HeldOut, threshold: float) -> Iterator[tuple[str, float]]:
    """Yield figures of one sample, of the mean, and of P."""
    drawn, mean = stain_all(model, tiles), stain_all(model, tiles, quality="mean")["ihc"].round()
    picture, p = drawn["ihc"].round().astype(np.uint8), drawn["segmentation"][..., 0]
    density = dab_density(picture)
    yield from scores(picture, density, tiles.ihc, tiles.dab).items()
    # Too much or too little, and how much of what is painted lies where the teacher's draw has it.
    counted = overlap(tiles.dab, density, threshold=THRESHOLD)
    yield "area_ratio", counted.found / counted.true
    yield "precision", counted.both / counted.found if counted.found else nan
    yield "psnr_db_mean", float(psnr(tiles.ihc, mean.astype(np.uint8), data_range=255))
    yield "dice_p", _dice(tiles, p > threshold)
    yield (
        "area_error_percent_p",
        area_error_percent((tiles.dab > THRESHOLD).astype(float), (p > threshold).astype(float), threshold=0.5),
    )
    yield "correlation_p", float(np.corrcoef(tiles.probability.ravel(), p.ravel())[0, 1])
    # Over tiles: is a probability of 0.3 painted three times in ten?
    yield "bias_of_p", float(p.mean() - tiles.probability.mean())


def _bounds(tiles: HeldOut, colours: NDArray[np.uint8]) -> Iterator[tuple[str, float]]:
    """Yield what no model can beat, and what needs none."""
    baselines = dict(score_baselines(tiles, colours))
    yield "psnr_db_without_dab", baselines["haematoxylin only, no DAB"]["psnr_db"]
    yield "dice_of_the_teacher_itself", baselines["the teacher's next draw"]["dice"]
    yield "dice_of_the_best_mask", _dice(tiles, tiles.probability > best_threshold(tiles, tiles.probability))


def _dice(tiles: HeldOut, mask: NDArray[np.bool_]) -> float:
    return dice((tiles.dab > THRESHOLD).astype(float), mask.astype(float), threshold=0.5)


def _other(recipe: Recipe) -> HeldOut:
    taught = prepare(read_source(OTHER, sample_path(), MPP), taught_stain(recipe), mpp=MPP)
    return HeldOut.of("held-out slide of ORION", slide_tiles(taught))
