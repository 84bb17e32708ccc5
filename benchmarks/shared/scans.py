"""Scans of patients, two modalities on one grid: slices of those that test, and what is known of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.histogram import with_histogram
from benchmarks.shared.places import DATA, RECIPES
from diffuscope.cases import Case
from diffuscope.jobs.inputs import check_lattice
from diffuscope.systems.midiffusion.config import MIDiffusionConfig, ModalityConfig
from diffuscope.systems.midiffusion.system import MIDiffusion
from diffuscope.systems.registry import build_system
from diffuscope.training.data.crops import ports_of
from diffuscope.training.data.volumes import VolumeSampler, open_volumes
from diffuscope.training.data.whole_slices import whole
from diffuscope.training.recipe import Recipe, load_recipe
from diffuscope.training.recipe_data import Cases

#: What of a shipped configuration is not the paper's.
PAPER = {"place": False, "guide": "itself", "noise": "even", "consistency": 0.0}
# Slices of each patient that trained which the mean image and the target's histogram are taken from.
_LEARNED = 24
# Least part of a whole slice, and what lies beside it, that is foreground.
_SHOWN = 0.02

Pictures = NDArray[np.float32]


@dataclass(frozen=True)
class Direction:
    """From one modality to another, by a shipped recipe: its configuration and the patients that it holds out.

    Attributes
    ----------
    name : str
        In the table, e.g. ``"MR to CT"``.
    shipped : str
        Name of the recipe.
    folder : str
        In `DATA`, with a folder a patient.
    files : tuple of str
        The source's and the target's, in each of those.
    side : int
        Px that hold any slice.
    tune : bool
        Stand patients in for those that test on which constants may be chosen: those that validate, or, where these
        test, those that train.
    """

    name: str
    shipped: str
    folder: str
    files: tuple[str, str]
    side: int
    tune: bool = False

    @cached_property
    def recipe(self) -> Recipe:
        """The shipped one."""
        return load_recipe(RECIPES / f"{self.shipped}.yaml")

    @property
    def settings(self) -> Cases:
        """Its data."""
        assert isinstance(self.recipe.data, Cases)
        return self.recipe.data

    @cached_property
    def modalities(self) -> tuple[ModalityConfig, ModalityConfig]:
        """Source and target."""
        config = MIDiffusionConfig.model_validate(self.recipe.config)
        return config.source, config.target

    @property
    def path(self) -> Path:
        """Where its data lie, beside the repository."""
        return DATA / self.folder

    @property
    def held(self) -> tuple[str, ...]:
        """Patients that test: those that the recipe never reads, or, where there are none, those that validate."""
        settings = self.settings
        if self.tune:
            return settings.validate_on if settings.test_on else self.trained
        return settings.test_on or settings.validate_on

    @property
    def trained(self) -> tuple[str, ...]:
        """Patients that train."""
        out = {*self.settings.test_on, *self.settings.validate_on}
        return tuple(sorted(path.name for path in self.path.iterdir() if path.name not in out))

    @property
    def crops(self) -> Cases:
        """Its data, of crops and not of whole slices."""
        return self.settings.model_copy(update={"whole_slices": False, "tissue": None})

    @property
    def is_there(self) -> bool:
        """Whether its data lie beside the repository."""
        return self.path.is_dir()


_MS, _SARCOMA = "ms-brain", "sarcoma-ct-mr"
_T1, _FLAIR, _CT, _MR = "T1.nii.gz", "FLAIR.nii.gz", "ct.nii.gz", "mr_t1.nii.gz"
DIRECTIONS = (
    Direction("T1 to FLAIR", "t1-to-flair-ms", _MS, (_T1, _FLAIR), 224),
    Direction("FLAIR to T1", "flair-to-t1-ms", _MS, (_FLAIR, _T1), 224),
    Direction("MR to CT", "mr-to-ct-sarcoma", _SARCOMA, (_MR, _CT), 208),
    Direction("CT to MR", "ct-to-mr-sarcoma", _SARCOMA, (_CT, _MR), 208),
)


@dataclass(frozen=True, eq=False)
class Slices:
    """Crops of slices, or whole ones, at fixed places, both modalities, each in its port's range as 0 … 1.

    Attributes
    ----------
    patients : tuple of str
        Of each crop.
    places : tuple of (z, y, x)
        Of each crop, px of the model.
    around : ndarray of shape (n, 3, side, side)
        float32, the source, between the slices before and after it, as a run reads them: beside a scan lies its
        darkest.
    target : ndarray of shape (n, side, side)
        float32.
    inside : tuple of (slice, slice)
        The part of each crop that lies in the scan.
    """

    patients: tuple[str, ...]
    places: tuple[tuple[int, int, int], ...]
    around: Pictures
    target: Pictures
    inside: tuple[tuple[slice, slice], ...]

    @property
    def source(self) -> Pictures:
        """The source alone, (n, side, side)."""
        return self.around[:, 1]


@cache
def slices_of(direction: Direction, patients: tuple[str, ...], number: int, side: int) -> Slices:
    """Return crops in the middle of so many slices of each patient, spread evenly over the source's foreground.

    With the side of a run's tile they are the whole slices, as a run reads them.
    """
    names, places, inside = [], [], []
    pictures: tuple[list[Pictures], list[Pictures]] = ([], [])
    for patient in patients:
        both = [opened(direction, patient, (which,), side) for which in (0, 1)]
        check_lattice(both[0].volumes[0], both[1].volumes[0])
        for corner in both[0].spread(number):
            names.append(patient)
            places.append((int(corner[0]), int(corner[1]), int(corner[2])))
            inside.append(_inside(both[0], places[-1], side))
            for which, sampler in enumerate(both):
                pictures[which].append(_picture(direction, sampler, corner, side, which))
    return Slices(tuple(names), tuple(places), np.stack(pictures[0]), np.stack(pictures[1]), tuple(inside))


def consecutive(direction: Direction, patient: str, number: int, side: int) -> Slices:
    """Return the same crop of so many slices of a patient, one after the other, around the middle of its foreground."""
    both = [opened(direction, patient, (which,), side) for which in (0, 1)]
    z, y, x = (int(v) for v in both[0].spread(1)[0])
    places = tuple((z - number // 2 + i, y, x) for i in range(number))
    around, target = (
        np.stack([_picture(direction, sampler, np.array(place), side, which) for place in places])
        for which, sampler in enumerate(both)
    )
    inside = tuple(_inside(both[0], place, side) for place in places)
    return Slices((patient,) * number, places, around, target, inside)


def strangers(direction: Direction, number: int, side: int) -> Pictures:
    """Return for each crop of the patients that test the source of another patient, (n, side, side).

    Of the next one that tests; where one alone tests, of one that trained, whose source the model never saw.
    """
    held = direction.held
    others = (*held[1:], held[0]) if len(held) > 1 else replace(direction, tune=not direction.tune).held[:1]
    return slices_of(direction, others, number, side).source


@cache
def learned(direction: Direction, side: int) -> Pictures:
    """Return crops of the target of the patients that trained, (n, side, side)."""
    samplers = [opened(direction, patient, (1,), side) for patient in direction.trained]
    return np.stack(
        [_picture(direction, sampler, corner, side, 1) for sampler in samplers for corner in sampler.spread(_LEARNED)]
    )


def matched(tests: Slices, target: Pictures) -> Pictures:
    """Return the sources with the histogram of `target`, patient by patient."""
    found = np.empty_like(tests.source)
    for patient in dict.fromkeys(tests.patients):
        mine = np.array([one == patient for one in tests.patients])
        found[mine] = with_histogram(tests.source[mine], target)
    return found


def physical(picture: Pictures, modality: ModalityConfig) -> Pictures:
    """Return 0 … 1 in the modality's range."""
    return picture * np.float32(modality.high - modality.low) + np.float32(modality.low)


def unit(picture: NDArray[np.floating], modality: ModalityConfig) -> Pictures:
    """Return a picture in the modality's range as 0 … 1."""
    return ((picture - modality.low) / (modality.high - modality.low)).astype(np.float32)


@cache
def system_of(direction: Direction) -> MIDiffusion:
    """Return a system that says what the scans are to it; its weights do not matter."""
    system = build_system("midiffusion", direction.recipe.config | PAPER | {"size": "tiny"})
    assert isinstance(system, MIDiffusion)
    return system


def opened(direction: Direction, patient: str, which: Sequence[int], side: int) -> VolumeSampler:
    """Open the source (0), the target (1) or both of a patient; foreground and range are those of what is opened."""
    system, folder = system_of(direction), direction.path / patient
    files = {direction.modalities[i].key: folder / direction.files[i] for i in which}
    case, ports = Case(patient, patient, files), ports_of(system)
    if side < direction.side:
        return open_volumes(case, ports, system, direction.crops, side=side)
    settings = direction.crops.model_copy(update={"tissue": _SHOWN})
    return whole(open_volumes(case, ports, system, settings, side=side))


def _picture(
    direction: Direction, sampler: VolumeSampler, corner: NDArray[np.int64], side: int, which: int
) -> Pictures:
    """Return a slice of the target (side, side), or of the source with its neighbours (3, side, side)."""
    modality = direction.modalities[which]
    found = unit(sampler.read(corner, side)[modality.key].astype(np.float64), modality)
    return found[..., 0] if which else np.moveaxis(found, -1, 0)


def _inside(sampler: VolumeSampler, place: tuple[int, int, int], side: int) -> tuple[slice, slice]:
    extents = zip(sampler.volumes[0].scan.shape[1:], sampler.factors[1:], place[1:], strict=True)
    rows, columns = (slice(max(0, -start), min(side, int(extent / by + 1e-6) - start)) for extent, by, start in extents)
    return rows, columns
