"""The simulated cohort, folds by animal: what is trained on, and what tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.reproduce.study import Batches
from diffuscope.simulation.tumour import PHANTOMS, TumourModel, draw_animal, kind_of, simulate_field

KEYS = ("vessels", "nuclei", "nanoparticles")
#: µm per px: the transport equation is solved on 2 µm, and fields are simulated with half of that.
MPP = 2.0
#: Part of the fields whose nuclei channel misleads, in training and in tests.
DISCORDANT = 0.25
INTERNAL, EXTERNAL = "internal", "external"


@dataclass(frozen=True)
class Cohort:
    """How much is simulated.

    Attributes
    ----------
    animals, folds, external : int
        Animals of the tumour model that is trained on, parts that they are held out in, and animals of the other one.
    fields, tested : int
        Fields of each animal, and how many of them test where it is held out.
    size : int
        Side of a field, px of 1 µm.
    phantom : {"even", "endosomal"}
        Key of the two tumour models in `PHANTOMS`.
    """

    animals: int = 6
    folds: int = 3
    external: int = 2
    fields: int = 24
    tested: int = 8
    size: int = 256
    phantom: str = "endosomal"


@dataclass(frozen=True, eq=False)
class Animal:
    """Fields of an animal.

    Attributes
    ----------
    name : str
    images : ndarray of shape (n, 3, h, w)
        float32 counts at `MPP`, in the order of `KEYS`.
    kinds : tuple of str
        What the nuclei channel of each field is.
    """

    name: str
    images: NDArray[np.float32]
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Fold:
    """Train on all animals but some, test on those, and on the animals of the other tumour model.

    Attributes
    ----------
    number : int
        0 … folds − 1.
    cohort : Cohort
    """

    number: int
    cohort: Cohort

    @property
    def name(self) -> str:
        """Name of the fold."""
        return f"fold{self.number}"

    @property
    def held(self) -> tuple[int, ...]:
        """Animals that are tested on."""
        return tuple(range(self.number, self.cohort.animals, self.cohort.folds))

    def facts(self) -> dict[str, Any]:
        """Return JSON values: all that changes a batch or a test."""
        return {
            "study": "tumours", "cohort": asdict(self.cohort), "held": list(self.held), "discordant": DISCORDANT,
            "mpp": MPP, "seed": 0,
        }  # fmt: skip

    def batches(self, *, seed: int, batch: int, patch: int) -> Batches:
        """Return crops by key, (batch, 1, patch, patch) in counts, of a step, from 0; turned and mirrored."""
        numbers = [number for number in range(self.cohort.animals) if number not in self.held]

        def at(step: int) -> dict[str, Tensor]:
            rng = np.random.default_rng([seed, step])
            crops = []
            for _ in range(batch):
                fields = self._animal(numbers[rng.integers(len(numbers))]).images
                index = int(rng.integers(len(fields)))
                y, x = rng.integers(0, np.array(fields.shape[2:]) - patch + 1)
                turned = np.rot90(fields[index, :, y : y + patch, x : x + patch], int(rng.integers(4)), (1, 2))
                crops.append(turned[:, ::-1] if rng.integers(2) else turned)
            stacked = torch.from_numpy(np.stack(crops))
            return {key: stacked[:, i : i + 1] for i, key in enumerate(KEYS)}

        return at

    def tests(self) -> dict[str, list[Animal]]:
        """Return the animals of each cohort, with the fields that test."""
        internal = [self._animal(number) for number in self.held]
        external = [self._animal(number, external=True) for number in range(self.cohort.external)]
        first = slice(self.cohort.tested)
        return {
            name: [Animal(one.name, one.images[first], one.kinds[first]) for one in animals]
            for name, animals in ((INTERNAL, internal), (EXTERNAL, external))
        }

    def _animal(self, number: int, *, external: bool = False) -> Animal:
        cohort = self.cohort
        fields = cohort.tested if external else cohort.fields
        return _animal(PHANTOMS[cohort.phantom][external], number, cohort.size, fields)


@cache
def _animal(model: TumourModel, number: int, size: int, fields: int) -> Animal:
    animal = draw_animal(model, seed=0, number=number)
    kinds = tuple(kind_of(model, 0, number, field, discordant=DISCORDANT) for field in range(fields))
    simulated = [simulate_field(animal, field, size=size, kind=kind) for field, kind in enumerate(kinds)]
    images = np.stack([[halved(getattr(field, key)) for key in KEYS] for field in simulated])
    return Animal(f"{model.name}-{number}", images, kinds)


def halved(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return an image of 1 µm/px at `MPP`."""
    height, width = image.shape
    return image.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3), dtype=np.float32)
