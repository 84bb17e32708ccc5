"""Pairs of another laboratory, and a recipe that fine-tunes on them.

A stand-in for pairs of your own, to follow docs/train.md with. The H&E is cut from the shipped slide that no shipped
model was trained on, stained as by another laboratory (more haematoxylin, less eosin); the IHC is the teacher's, with a
redder and stronger DAB on a paler counterstain. **A rule, not an antibody.**
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffuscope.cases.find import SIMULATED
from diffuscope.errors import InputError
from diffuscope.files.place import FOLDER, check_place
from diffuscope.files.put import in_place_of
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.sources import Source, read_source
from diffuscope.simulation.restaining.teacher import paint, prepare
from diffuscope.stains import combine, separate
from diffuscope.stains.deconvolution import HDAB, stain_matrix

MPP = 0.5
SLIDE = "CMU-1-Small-Region.svs"
SIDE = 256
#: Pairs to train and validate on, and pairs from the slide's lower end that stay apart.
PAIRS, APART = 20, 6

RECIPE = f"""\
# diffuscope train finetune.yaml -o my-cd3
name: my-cd3
init_from: stain-cd3-demo
data:
  path: pairs
  mpp: {MPP}  # PNG files do not say it
optimisation:
  steps: 300
  batch: 4
  learning_rate: 2.0e-4
  warmup: 20
  ema: 0.98
  validations: 6
"""

# What the other laboratory's H&E has of each stain, and its DAB: optical densities of red, green, blue.
_HE_DENSITY = (1.3, 0.6, 1.0)
_DAB_VECTOR = (0.35, 0.62, 0.70)
_IHC_DENSITY = (0.6, 1.5, 1.0)


def write_example(folder: Path) -> None:
    """Write the pairs, their table and the recipe.

    Parameters
    ----------
    folder : Path
        Empty, or is made; gets ``pairs/`` (``cases.csv``, ``SIMULATED.txt``, ``he/*.png``, ``ihc/*.png``) and
        ``finetune.yaml``.

    Raises
    ------
    InputError
        The folder is not empty, or the slide has too few places with tissue.
    """
    check_place(folder, FOLDER, way_out="choose another folder")
    source = Source(file=SLIDE)
    he, ihc = other_laboratory(read_source(source, sample_path(), MPP))
    places = [
        (y, x)
        for y in range(0, he.shape[0] - SIDE + 1, SIDE)
        for x in range(0, he.shape[1] - SIDE + 1, SIDE)
        if (he[y : y + SIDE, x : x + SIDE].min(axis=2) < 210).mean() > 0.6
    ]
    if len(places) < PAIRS + APART:
        raise InputError(f"{SLIDE} has only {len(places)} places with tissue.")
    # From above and from below, so that the two lie apart.
    chosen = [(place, "") for place in places[:PAIRS]] + [(place, "test") for place in places[-APART:]]
    with in_place_of(folder, replace=False) as part:
        _write(part, {"he": he, "ihc": ihc}, chosen)


def _write(folder: Path, pair: dict[str, NDArray[np.uint8]], chosen: list[tuple[tuple[int, int], str]]) -> None:
    """Write the crops at places, each with the part that it belongs to."""
    for key in pair:
        (folder / "pairs" / key).mkdir(parents=True)
    with (folder / "pairs" / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["case", "group", "part", "slide", "he", "ihc"])
        for (y, x), part in chosen:
            name = f"y{y:04d}-x{x:04d}"
            window = np.s_[y : y + SIDE, x : x + SIDE]
            for key, image in pair.items():
                Image.fromarray(image[window]).save(folder / "pairs" / key / f"{name}.png")
            table.writerow([name, name, part, SLIDE, f"he/{name}.png", f"ihc/{name}.png"])
    (folder / "pairs" / SIMULATED).write_text(
        f"CD3 painted on {SLIDE} by a written rule ("
        "diffuscope.simulation.restaining.teacher), in another laboratory's colours.\n",
        encoding="utf-8",
    )
    (folder / "finetune.yaml").write_text(RECIPE, encoding="utf-8")


def other_laboratory(he: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an H&E as another laboratory stains it, and its CD3 as that laboratory's.

    Parameters
    ----------
    he : ndarray of shape (h, w, 3)
        uint8, at `MPP`.

    Returns
    -------
    he, ihc : ndarray of shape (h, w, 3)
        uint8.
    """
    sample = prepare(he, "CD3", mpp=MPP)
    stained = combine(separate(he, sample.stains) * _HE_DENSITY, sample.stains)
    ihc = separate(paint(sample, np.random.default_rng(0)).ihc, HDAB) * _IHC_DENSITY
    return stained, combine(ihc, stain_matrix(HDAB[0], _DAB_VECTOR))
