"""How pictures look that a system is trained on: the same numbers as a run finds in a file of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from model_card import CARD

from diffuscope.jobs.inputs import open_inputs
from diffuscope.jobs.likeness.looks import MANY, look
from diffuscope.jobs.scaling import find_foreground
from diffuscope.ports.seen import unlike
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.sources import Restaining, Source
from diffuscope.systems.registry import declare
from diffuscope.training.data.looks import seen_in_pictures
from diffuscope.training.data.reading import untold
from diffuscope.training.model import find_data, make_starts
from diffuscope.training.plan import plan_rounds
from diffuscope.training.recipe import Optimisation, Recipe

[PORT] = declare("staindiffuser", {"stain": "CD3"}).input_rasters


def stained(seed: int, colour: tuple[float, float, float]) -> np.ndarray:
    """Return dark discs on a paler ground of one stain, whose optical densities are as `colour`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:300, :400]
    discs = sum(((y - b) ** 2 + (x - a) ** 2 < 36) for a, b in rng.integers(0, 300, (60, 2))) > 0
    density = (0.15 + 0.4 * discs + rng.normal(0, 0.02, discs.shape))[..., None] * np.array(colour)
    return np.clip(np.rint(256 * 10.0**-density - 1), 0, 255).astype(np.uint8)


PINK, BROWN = (0.5, 1.2, 0.6), (0.4, 0.9, 1.2)


def test_pictures_in_memory_and_in_a_file_have_the_same_numbers(tmp_path: Path):
    picture = stained(0, PINK)
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb")
    [one] = open_inputs(tmp_path / "a.tif", [PORT], "m", mpp=PORT.mpp)
    found = look(one, find_foreground([one]), (1.0, 1.0), number=MANY).traits
    seen = seen_in_pictures([picture], PORT)["he"]
    assert {key: spread[1] for key, spread in seen.traits.items()} == pytest.approx(found, rel=1e-3)


def test_the_hue_is_that_of_the_densities():
    red, green, blue = PINK
    angle = np.rad2deg(np.arctan2((green - blue) / 2**0.5, (2 * red - green - blue) / 6**0.5))
    assert seen_in_pictures([stained(0, PINK)], PORT)["he"].traits["hue"][1] == pytest.approx(angle, abs=1)


def test_nuclei_are_counted():
    y, x = np.mgrid[:300, :400]
    discs = ((y % 50 - 25) ** 2 + (x % 50 - 25) ** 2) < 36  # 48, each 6 µm wide
    density = (0.15 + 0.4 * discs)[..., None] * np.array((0.9, 1.0, 0.4))
    picture = np.rint(256 * 10.0**-density - 1).astype(np.uint8)
    nuclei = seen_in_pictures([picture], PORT)["he"].traits["nuclei"][1]
    assert nuclei == pytest.approx(48 / (300 * 400 * 0.25e-6), rel=0.1)


def test_another_stain_is_unlike_and_the_same_one_is_not():
    seen = seen_in_pictures([stained(seed, PINK) for seed in range(3)], PORT)["he"]
    same, other = (seen_in_pictures([stained(9, colour)], PORT)["he"] for colour in (PINK, BROWN))
    assert seen.images == 3
    assert unlike({key: spread[1] for key, spread in same.traits.items()}, seen) == ""
    assert "hue of what absorbs" in unlike({key: spread[1] for key, spread in other.traits.items()}, seen)


def test_glass_states_nothing():
    assert seen_in_pictures([np.full((300, 400, 3), 250, np.uint8)], PORT) == {}


def test_h_and_e_that_is_restained_is_looked_at():
    tile = Source(file="he-tiles/tissue-level0-4302-10273-4814-10785.png", mpp=0.5, evidence="a test")
    recipe = Recipe(
        name="x",
        system="staindiffuser",
        config={"stain": "CD3", "size": "tiny", "T": 20},
        data=Restaining(stain="CD3", sources=(tile,), phantoms=1),
        optimisation=Optimisation(steps=1, batch=1),
        card=CARD,
    )
    found = find_data(recipe, plan_rounds(recipe)[0], make_starts(recipe)[0], sample_path(), {})
    assert found.read(untold).seen()["he"].images == 2
