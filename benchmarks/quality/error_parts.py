"""Where the squared error of StainDiffuser's rows lies: in the spread of samples, in colour casts of tiles, elsewhere.

Of the models that ``python -m benchmarks reproduce staindiffuser`` has trained (seed 0, held out by slide), and of the
shipped weights, on tiles of the slide that none of them saw. With K samples x_k of a tile, their mean m and the truth
y, the mean of ‖x_k - y‖² is ‖μ - y‖² + spread, μ being the mean of infinitely many: the spread is estimated by
K/(K-1) · mean ‖x_k - m‖². The colour cast is the part of ‖μ - y‖² that a constant per tile and channel would mend; it
is estimated as that of m less its share of the spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.staindiffuser.restained import Restained
from benchmarks.reproduce.staindiffuser.tasks import BUDGETS, Task, tasks
from benchmarks.shared.cells import Cell
from benchmarks.shared.figures import Goals
from benchmarks.shared.places import ROOT, RUNS
from benchmarks.shared.scores import SAMPLED_AT_ONCE, THRESHOLD, Tiles, shipped_recipe, stain_word, taken
from benchmarks.shared.slide import sample
from diffuscope import load_model
from diffuscope.measurement.dab import dice
from diffuscope.model.folder import Model
from diffuscope.simulation.restaining.teacher import Stain
from diffuscope.stains import dab_density

PAGE = ROOT / "docs/reproduce/staindiffuser-error.md"
ROWS = ("multi-task", "lambda-0", "bidirectional", "multi-stain", "unet-regression", "palette", "bbdm")
SLIDE, EVERY, SAMPLES = "CMU-1-Small-Region", 3, 4
# Palette's and BBDM's outputs are drawn at random, too; a regression has one answer.
_CERTAIN = ("unet-regression",)
GOALS: Goals = {}
_HEAD = f"""# Where the error of StainDiffuser's rows lies

Made by `python -m benchmarks error_parts` from the models of [the table](staindiffuser.md) (seed 0) and the shipped
weights, on every third test tile of {SLIDE}, which none of them saw; {SAMPLES} samples a tile. The truth is
simulated. "Spread" is what samples of one tile differ by, "cast" a constant error of colour in a tile, "rest" what is
wrong in place: parts of the squared error of one sample. Dice is of DAB from {THRESHOLD} OD. The shipped weights had
larger crops (128 px, not 64) and one slide more.

"""
_SCORES = ("PSNR, one sample", f"PSNR, mean of {SAMPLES}", "spread, %", "cast, %", "rest, %")
_COLUMNS = ("stain", "model", "steps", *_SCORES, "Dice, one sample", "Dice, mean")


def parts(samples: NDArray[np.floating[Any]], truth: NDArray[np.uint8]) -> dict[str, float]:
    """Split the squared error of samples (K, n, h, w, 3) of tiles (n, h, w, 3); shares are of that of one sample.

    Returns
    -------
    dict
        ``psnr_one``, ``psnr_mean`` (dB), ``spread``, ``cast``, ``rest`` (shares, which add up to 1).
    """
    number = len(samples)
    x, y = samples.astype(np.float64), truth.astype(np.float64)
    mean = x.mean(axis=0)
    one, of_mean = float(((x - y) ** 2).mean()), float(((mean - y) ** 2).mean())
    spread = 0.0 if number == 1 else float(((x - mean) ** 2).mean()) * number / (number - 1)
    colours = x.mean(axis=(2, 3)) - y.mean(axis=(1, 2))
    drift = 0.0 if number == 1 else float(colours.var(axis=0, ddof=1).mean()) / number
    cast = float((colours.mean(axis=0) ** 2).mean()) - drift
    return {
        "psnr_one": 10 * float(np.log10(255**2 / one)),
        "psnr_mean": 10 * float(np.log10(255**2 / of_mean)),
        "spread": spread / one,
        "cast": cast / one,
        "rest": 1 - (spread + cast) / one,
    }


def measured(model: Model, tiles: Tiles, *, key: str, samples: int) -> dict[str, float]:
    """Sample the tiles and split the error."""
    fast = replace(next(iter(model.system.presets.values())), samples=1)
    drawn = np.stack(
        [
            np.concatenate(
                [
                    sample(
                        model, tiles.he[i : i + SAMPLED_AT_ONCE], tiles.places[i : i + SAMPLED_AT_ONCE], fast, seed=k
                    )[key]
                    for i in range(0, len(tiles.he), SAMPLED_AT_ONCE)
                ]
            )
            for k in range(samples)
        ]
    )
    found = parts(drawn, tiles.ihc)
    for name, picture in (("dice_one", drawn[0]), ("dice_mean", drawn.mean(axis=0))):
        dab = dab_density(picture.round().astype(np.uint8))
        found[name] = float(dice(tiles.dab, dab, threshold=THRESHOLD))
    return found


def models(root: Path) -> Iterator[tuple[Stain, str, int, str | Path, str]]:
    """Yield stain, name, steps, model and its output's key: what is trained so far, and the shipped weights."""
    for task in tasks(quick=False, budget=BUDGETS["standard"]):
        if not _is_shown(task) or task.cell.found(root) is None:
            continue
        assert task.row is not None
        for stain in task.study.stains:
            key = f"ihc_{stain_word(stain)}" if task.row.several else "ihc"
            steps = task.training.optimisation.steps // len(task.study.stains)
            yield stain, task.row.name, steps, root / task.cell.key / "model", key
    for stain in get_args(Stain):
        name = f"stain-{stain_word(stain)}-demo"
        yield stain, f"{name} (shipped)", shipped_recipe(name).optimisation.steps, name, "ihc"


def _is_shown(task: Task) -> bool:
    return isinstance(task.study, Restained) and task.row is not None and task.row.name in ROWS and task.seed == 0


def measure() -> dict[str, float]:
    """Measure what is missing, and write the page."""
    figures: dict[str, float] = {}
    root = RUNS / "reproduce/staindiffuser"
    lines = []
    for stain, name, steps, place, key in models(root):
        model = load_model(place)
        [whole] = [tiles for tiles in Restained((stain,)).tests(stain) if tiles.name == SLIDE]
        tiles = Tiles(
            name=whole.name,
            places=whole.places[::EVERY],
            he=taken(model, whole)[::EVERY],
            ihc=whole.ihc[::EVERY],
            dab=whole.dab[::EVERY],
        )
        samples = 1 if name in _CERTAIN else SAMPLES
        facts = {"model": model.hash, "slide": SLIDE, "every": EVERY, "samples": samples, "stain": stain}
        cell = Cell(f"error-{stain_word(stain)}-{name.split()[0]}", facts)
        found = cell.compute(root, lambda _, m=model, t=tiles, k=key, n=samples: measured(m, t, key=k, samples=n))
        print(f"{stain} {name}: {found}", flush=True)
        figures |= {f"{stain_word(stain)}: {name.split()[0]}: {key}": value for key, value in found.items()}
        lines.append(_line(stain, name, steps, found))
    table = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}\n"
    PAGE.write_text(_HEAD + table + "".join(lines), encoding="utf-8")
    print(f"wrote {PAGE}")
    return figures


def _line(stain: str, name: str, steps: int, found: Mapping[str, float]) -> str:
    shares = " | ".join(f"{100 * found[part]:.0f}" for part in ("spread", "cast", "rest"))
    return (
        f"| {stain} | {name} | {steps} | {found['psnr_one']:.2f} | {found['psnr_mean']:.2f} | {shares} "
        f"| {found['dice_one']:.3f} | {found['dice_mean']:.3f} |\n"
    )
