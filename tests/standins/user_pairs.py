"""Pairs of a user, small: H&E and IHC of a rule, and a recipe on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.sources import Source, read_source
from diffuscope.simulation.restaining.teacher import paint, prepare


def write_pairs(folder: Path) -> Path:
    """Write four pairs of 128 px, in ``pairs/he/`` and ``pairs/ihc/``, and ``recipe.yaml`` beside them."""
    tile = Source(file="he-tiles/medium-nuclei-score-level0.png", mpp=0.5, evidence="a test")
    he = read_source(tile, sample_path(), 0.5)
    ihc = paint(prepare(he, "CD3", mpp=0.5), np.random.default_rng(0)).ihc
    for key, image in (("he", he), ("ihc", ihc)):
        (folder / "pairs" / key).mkdir(parents=True)
        for i, name in enumerate("abcd"):
            y, x = 256 * (i // 2), 256 * (i % 2)
            Image.fromarray(image[y : y + 128, x : x + 128]).save(folder / "pairs" / key / f"{name}.png")
    recipe = {
        "name": "mine",
        "system": "staindiffuser",
        "config": {"stain": "CD3", "size": "tiny", "T": 20, "patch": 32},
        "data": {"path": "pairs", "mpp": 0.5, "validation": 0.25},
        "optimisation": {"steps": 6, "batch": 2, "learning_rate": 1e-3, "warmup": 2, "validations": 2},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder
