"""What a cell of DAMM-Diffusion's table finds: each field of each animal that tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from benchmarks.reproduce.claims import known_mean
from benchmarks.reproduce.damm.tasks import (
    AGREED,
    BASELINE,
    COLUMNS,
    DAMMP,
    NO_DFL,
    OTHER_GAMMAS,
    ROUNDS,
    UNIMODAL,
    Task,
    as_counts,
    as_picture,
    at_gamma,
)  # fmt: skip
from benchmarks.reproduce.damm.tumours import EXTERNAL, INTERNAL, KEYS, MPP, Animal, halved
from benchmarks.shared.cells import training_seconds
from benchmarks.shared.forced import forced, seams
from benchmarks.shared.slide import sample_tiles
from diffuscope import load_model
from diffuscope.evaluation.metrics.calibration import ause
from diffuscope.evaluation.metrics.paired import psnr, ssim
from diffuscope.measurement.penetration import find_vessels, measure_penetration
from diffuscope.ports.settings import SampleSettings
from diffuscope.simulation.tumour import PHANTOMS, draw_animal, simulate_field
from diffuscope.systems.base import System
from diffuscope.systems.damm import outputs
from diffuscope.systems.damm.system import DAMM
from diffuscope.training.data.batches import laid_out

# Fields that are sampled at once.
_AT_ONCE = 4
# Number of the field that seams are looked for in: no cohort has it.
_SEAM_FIELD = 2_000_000
# Side of the window of the plainest guess of where errors are: the prediction's own variance.
_WINDOW = 5


class Sampled(NamedTuple):
    """Fields of an animal, put together from tiles that lie side by side.

    Attributes
    ----------
    maps : dict of str to ndarray of shape (n, h, w)
        By key of the outputs.
    divergence, multimodal : list of float
        Of each field, the mean over tiles and evaluations; empty without values.
    """

    maps: dict[str, NDArray[np.float64]]
    divergence: list[float]
    multimodal: list[float]


def measure(task: Task, folder: Path) -> dict[str, Any]:
    """Train a task, or finish its training, and measure it.

    Returns
    -------
    dict
        ``cohorts``: {cohort: {method: {animal: {"scores": …, "tiles": …}}}} with a tile a field; ``kinds``: {animal:
        what the nuclei channel of each field is}; ``divergence``, ``multimodal``: {cohort: {animal: [of each field]}};
        ``calibration`` and ``seams`` of the whole model; ``seconds`` of training and ``parameters``.
    """
    system = load_model(_train(task, folder)).system
    tests = task.fold.tests()
    found: dict[str, Any] = {
        "cohorts": {INTERNAL: {}, EXTERNAL: {}}, "kinds": {}, "divergence": {}, "multimodal": {},
        "seconds": training_seconds(folder), "parameters": sum(p.numel() for p in system.parameters()),
    }  # fmt: skip
    for cohort, animals in tests.items():
        found["kinds"] |= {animal.name: list(animal.kinds) for animal in animals}
        drawn = {animal.name: sampled(task, system, animal) for animal in animals}
        found["cohorts"][cohort][task.row.name] = scored(animals, drawn)
        for key in ("divergence", "multimodal"):
            found[key][cohort] = {name: getattr(one, key) for name, one in drawn.items() if getattr(one, key)}
    for method, options in _others(task).items():
        drawn = {animal.name: sampled(task, system, animal, **options) for animal in tests[INTERNAL]}
        found["cohorts"][INTERNAL][method] = scored(tests[INTERNAL], drawn)
    if task.row.name == DAMMP:
        assert isinstance(system, DAMM)
        found["calibration"] = calibration(task, system, tests[INTERNAL][0])
        if task.fold.number == 0:
            found["seams"] = seams(system, large_field(task))
    return found


def _train(task: Task, folder: Path) -> Path:
    """Train a task, or finish its training, both rounds where there are two; return the model folder."""
    batches = task.fold.batches(seed=task.seed, batch=task.crops, patch=task.budget.patch)
    begun, origin = task.begun, None
    if begun is not None:
        # Shared by rows that differ in their second round.
        begun.cell.compute(folder.parent, lambda first: {"seconds": training_seconds(_train(begun, first).parent)})
        origin = folder.parent / begun.cell.key / "model"
    return task.training.run(folder, lambda step: task.batch(batches(step)), _card(task), begun=origin)


def sampled(
    task: Task, system: System, animal: Animal, *, gamma: float | None = None, unimodal: bool = False, samples: int = 1
) -> Sampled:
    """Sample all fields of an animal at default quality, tile by tile.

    Parameters
    ----------
    task : Task
    system : System
        Trained.
    animal : Animal
    gamma : float, optional
        Another γ than that of training.
    unimodal : bool
        Take the uni-modal branch of a system without a gate.
    samples : int
        K.
    """
    side = task.budget.patch
    parts: dict[str, list[NDArray[np.float64]]] = {}
    told: dict[str, list[NDArray[np.float64]]] = {"divergence": [], "multimodal": []}
    settings = replace(next(iter(system.presets.values())), samples=samples)
    if gamma is not None:
        settings = replace(settings, options={"gamma": gamma})
    rows, columns = (length // side for length in animal.images.shape[2:])
    for first in range(0, len(animal.images), _AT_ONCE):
        fields = animal.images[first : first + _AT_ONCE]
        # Every field lies in a place of its own, so that each has its own noise.
        corners = [(row * side, column * side) for row in range(rows) for column in range(columns)]
        places = [(y, x + (first + i) * 10_000) for i in range(len(fields)) for y, x in corners]
        tiles = np.stack([field[:, y : y + side, x : x + side] for field in fields for y, x in corners])
        maps, values = _tiles(task, system, tiles, places, settings, unimodal=unimodal)
        for key, one in maps.items():
            grid = one.reshape(len(fields), rows, columns, side, side)
            whole = grid.transpose(0, 1, 3, 2, 4).reshape(len(fields), rows * side, columns * side)
            parts.setdefault(key, []).append(whole.astype(np.float64))
        for key, one in values.items():
            told[key].append(one.reshape(len(fields), -1).mean(axis=1))
    joined = {key: np.concatenate(some) for key, some in parts.items()}
    return Sampled(joined, *([float(v) for some in told[key] for v in some] for key in ("divergence", "multimodal")))


def _tiles(
    task: Task,
    system: System,
    tiles: NDArray[np.float32],
    places: list[tuple[int, int]],
    settings: SampleSettings,
    *,
    unimodal: bool,
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """Return the outputs (n, h, w) by key, and the values (n, evaluations)."""
    images = {key: laid_out(torch.from_numpy(tiles[:, i : i + 1])) for i, key in enumerate(KEYS[:2])}
    if not task.row.is_damm:
        pictures, _ = sample_tiles(system, as_picture(images, task.row.inputs), places, settings)
        return {KEYS[2]: as_counts(pictures["ihc"])[:, 0].numpy()}, {}
    assert isinstance(system, DAMM)
    with forced(system, lambda _: False) if unimodal else nullcontext():
        found, values = sample_tiles(system, images, places, settings)
    return {key: one[:, 0].numpy() for key, one in found.items()}, values


def _others(task: Task) -> dict[str, dict[str, Any]]:
    """Return what a cell is asked besides, by what it is called: other γ, branches."""
    if task.row.name == BASELINE:
        return {UNIMODAL: {"unimodal": True}}
    always = (0.0, 1.0)
    rows = {DAMMP: (*OTHER_GAMMAS, *always), NO_DFL: OTHER_GAMMAS, ROUNDS: always, AGREED: always}
    asked = rows.get(task.row.name, ())
    return {at_gamma(task.row.name, gamma): {"gamma": gamma} for gamma in asked}


def scored(animals: Sequence[Animal], drawn: Mapping[str, Sampled]) -> dict[str, Any]:
    """Return {animal: {"scores": means over fields, "tiles": values of each field}}."""
    found = {}
    for animal in animals:
        guesses = drawn[animal.name].maps[KEYS[2]]
        rows = [_field(field, guess) for field, guess in zip(animal.images, guesses, strict=True)]
        tiles = {key: [row[key] for row in rows] for key in rows[0]}
        means = {key: known_mean(values) for key, values in tiles.items()}
        for name, wanted in (("psnr_concordant", True), ("psnr_discordant", False)):
            both = zip(tiles["psnr_db"], animal.kinds, strict=True)
            means[name] = known_mean([value for value, kind in both if (kind == "concordant") == wanted])
        found[animal.name] = {"scores": {key: means[key] for key in COLUMNS}, "tiles": tiles}
    return found


def _field(field: NDArray[np.float32], guess: NDArray[np.float64]) -> dict[str, float | None]:
    """Return the scores of one field: of pixels, of the load in all, and of how far particles are from vessels."""
    truth = field[2].astype(np.float64)
    vessels = find_vessels(field[0], mpp=MPP)
    (true,), (told,) = (measure_penetration(load, vessels, mpp=MPP) for load in (truth, guess))
    far = [row["load_distance_um"] for row in (true, told)]
    return {
        "psnr_db": psnr(truth, guess, data_range=255),
        "ssim": ssim(truth, guess, data_range=255),
        "load_error_percent": 100 * abs(told["total_load"] / true["total_load"] - 1),
        # a field without a vessel has no distances
        "distance_error_um": abs(far[1] - far[0]) if None not in far else None,
    }


def calibration(task: Task, system: DAMM, animal: Animal) -> dict[str, float]:
    """Return areas under the sparsification error: of U, of the deviation over K samples, and of what needs neither."""
    drawn = sampled(task, system, animal, samples=task.budget.samples)
    guess = drawn.maps[KEYS[2]]
    error = np.abs(guess - animal.images[:, 2])
    mean = uniform_filter(guess, (0, _WINDOW, _WINDOW))
    variance = uniform_filter(guess**2, (0, _WINDOW, _WINDOW)) - mean**2
    ways = {
        "attention uncertainty U": drawn.maps[outputs.MEAN_U],
        "deviation over K samples": drawn.maps[outputs.SPREAD],
        "plain variance": variance,
        "random": np.zeros_like(error),
    }
    return {name: ause(error, way) for name, way in ways.items()}


def large_field(task: Task) -> dict[str, NDArray[np.float32]]:
    """Simulate a field of many tiles, of an animal that is held out: its inputs (h, w, 1)."""
    cohort = task.fold.cohort
    animal = draw_animal(PHANTOMS[cohort.phantom][0], seed=0, number=task.fold.held[0])
    field = simulate_field(animal, _SEAM_FIELD, size=2 * cohort.size)
    return {key: halved(getattr(field, key))[..., None] for key in KEYS[:2]}


def _card(task: Task) -> dict[str, Any]:
    return {
        "title": f"A cell of benchmarks.reproduce: {task.cell.name}",
        "what_it_is": "Trained briefly, to be compared.",
        "what_it_is_not": "A model to use.",
        "data": f"simulated tumours, {task.fold.name}",
        "licence": "not for release",
        "trained_on": "simulated tumours",
        "simulated": True,
    }
