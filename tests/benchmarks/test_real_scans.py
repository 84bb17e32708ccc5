"""MedM2G on real scans: whole slices from tiles, and what cannot be measured."""

from __future__ import annotations

from pathlib import Path

import any_to_any
import numpy as np
import pytest
import torch
from model_card import CARD

from benchmarks.quality import real_scans
from benchmarks.shared.scans import Slices
from diffuscope.errors import InputError
from diffuscope.model.folder import save_model
from diffuscope.systems.registry import build_system


class Echo:
    """Gives back the one image that it was given, as the other one."""

    presets = build_system("medm2g-slices", any_to_any.SMALL).presets
    tile, overlap = 16, 4

    def to(self, _device):
        return self

    def sample(self, inputs, _noise, settings):
        ((_, image),) = inputs.items()
        yield from ()
        return {settings.wanted[0]: image}


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 40, 33), (1, 29, 61)])
def test_tiles_are_blended_to_what_they_are_of(shape: tuple[int, int, int], rng: np.random.Generator):
    image = rng.uniform(-200, 300, shape).astype(np.float32)
    places = [(z, -3, 7) for z in range(shape[0])]
    found = real_scans._made(Echo(), {"ct": image}, "mr", places)
    # Computed in half precision where the machine has it.
    np.testing.assert_allclose(found, image, rtol=1e-5)


def test_the_middle_of_the_scan_is_cut_out_with_what_is_known_of_it(rng: np.random.Generator):
    """A scan in a corner of the slice, shorter than its middle is to be, and one that fills the slice."""
    around, target = rng.random((2, 3, 200, 200), np.float32), rng.random((2, 200, 200), np.float32)
    inside = ((slice(0, 60), slice(12, 191)), (slice(0, 200), slice(0, 200)))
    whole = Slices(("a", "b"), ((5, -10, 0), (6, 0, 0)), around, target, inside)
    at = real_scans._middles(whole)
    assert at == [(0, 36), (36, 36)]
    found = real_scans._middle(whole, at)
    assert found.places == ((5, -10, 36), (6, 36, 36)) and found.around.shape == (2, 3, 128, 128)
    parts = [one[part] for one, part in zip(found.target, found.inside, strict=True)]
    np.testing.assert_array_equal(parts[0], target[0, :60, 36:164])
    np.testing.assert_array_equal(parts[1], target[1, 36:164, 36:164])


def test_the_autoencoder_gives_back_the_range_of_its_port():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("medm2g-slices", any_to_any.SMALL)
    found = real_scans._encoded(system, "ct", np.full((2, 16, 16), 40, np.float32))
    assert found.shape == (2, 16, 16) and found.min() >= -1000 and found.max() <= 1000


@pytest.mark.parametrize("name", ["stain-cd3-demo", "any-to-any-demo"])
def test_another_kind_of_model_is_one_sentence(name: str):
    with pytest.raises(InputError, match=f"{name} is no MedM2G of slices: give one that is"):
        real_scans.measure(name)


def test_scans_of_which_nothing_is_known_are_one_sentence(tmp_path: Path):
    images = [{"key": key, "name": key, "modality": "mri"} for key in ("a", "b")]
    config = any_to_any.SMALL | {"images": images}
    save_model(tmp_path / "m", build_system("medm2g-slices", config), "medm2g-slices", config, CARD)
    with pytest.raises(InputError, match="no MIDiffusion between two of"):
        real_scans.measure(str(tmp_path / "m"))
