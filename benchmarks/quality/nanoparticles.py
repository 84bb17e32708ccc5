"""One property of a DAMM-Diffusion of the simulated tumours: its quality, its label, calibration, seconds or seams.

The animals are those of `benchmarks.reproduce.damm.tumours` (seed 0), which the shipped recipe (seed 1) never saw: six
of the tumour model that it trained on, and two of another one. All of it is simulated.

- ``quality``: the prediction as d decides, and always uni- and always multi-modal, beside one number for every px;
  what nuclei are worth, and what deciding by d is, each with its 95 % interval over animals; whether d tells fields
  whose nuclei mislead. One sample, default quality. This goes on the model's card.
- ``label``: how well the feedback's label can tell fields whose nuclei mislead, by the number of draws of (t, ε).
- ``calibration``: whether U, and the deviation over samples, tell where errors are.
- ``seconds``: of a region of 1024 px at default quality through the engine, as a run computes it.
- ``seams``: steps across tiles' borders, with branches forced and by d.
- ``sample``: the section that ships, run as it is, and its last 32 µm along the right edge alone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from benchmarks.reproduce.damm.measure import calibration, large_field, sampled, scored
from benchmarks.reproduce.damm.sections import separation
from benchmarks.reproduce.damm.tasks import BUDGETS, DAMMP, ROWS, Task
from benchmarks.reproduce.damm.tumours import EXTERNAL, INTERNAL, KEYS, MPP, Cohort, Fold
from benchmarks.shared.figures import Goal
from benchmarks.shared.forced import seams
from diffuscope import finish, load_model, run
from diffuscope.engine.events import Finished
from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.paired import psnr
from diffuscope.evaluation.metrics.statistics import bootstrap_interval
from diffuscope.results.result import open_result
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan
from diffuscope.simulation.tumour.dataset import CHANNELS, write_image
from diffuscope.systems.damm.system import DAMM
from diffuscope.tiling.region import Region

SIDE = 1024
# µm: how far beyond the sample's edge its last tiles look.
_RIM = 32
_WAYS = {"": None, "_unimodal": 0.0, "_multimodal": 1.0}
_DRAWS = (1, 2, 4, 8)
_OF_FIELDS = ("psnr_db", "psnr_concordant", "psnr_discordant")
GOALS = {
    **{f"{cohort}_auroc_of_d": Goal(low=0.9) for cohort in (INTERNAL, EXTERNAL)},
    "gain_of_nuclei_psnr_concordant": Goal(low=3.0),
    "gain_of_d_psnr_db_low": Goal(low=0.0),
    "seconds_1024px": Goal(high=90.0),
    **{f"border_ratio_{way}": Goal(high=1.1) for way in ("by_d", "checkerboard")},
}
_GAINS = {"gain_of_nuclei": ("_multimodal", "_unimodal"), "gain_of_d": ("", "_multimodal")}


def measure(
    what: Literal["quality", "label", "calibration", "seconds", "seams", "sample"],
    model: str,
    *,
    phantom: Literal["even", "endosomal"] = "even",
) -> dict[str, float]:
    """Measure one property of a model.

    Parameters
    ----------
    what : str
        The property, see above.
    model : str
        A model folder, or a name.
    phantom : str
        What it was trained on.
    """
    system, task = loaded(model, phantom)
    match what:
        case "quality":
            return quality(system, task)
        case "label":
            return label(system, task)
        case "calibration":
            return uncertainty(system, task)
        case "seconds":
            return seconds(model, task)
        case "seams":
            return seams(system, large_field(task))
        case "sample":
            return sample(model, system)


def loaded(name: str, phantom: str) -> tuple[DAMM, Task]:
    """Return a model's system, and how it is asked: tiles of its own patch, every animal held out."""
    system = load_model(name).system
    keys = [port.key for port in (*system.inputs, *system.outputs[:1])]
    if not isinstance(system, DAMM) or keys != list(KEYS):
        raise InputError(f"{name} does not predict nanoparticles from vessels and nuclei: give one that does.")
    [row] = [one for one in ROWS if one.name == DAMMP]
    # No animal trains here: of each there are as many fields as test.
    cohort, patch = Cohort(folds=1, fields=Cohort.tested, phantom=phantom), system.config.patch
    if round(cohort.size / MPP) % patch:
        raise InputError(f"{name} has patches of {patch} px, which do not fill fields of {cohort.size / MPP:g} px.")
    return system, Task(Fold(0, cohort), row, replace(BUDGETS["standard"], patch=patch, cohort=cohort))


def quality(system: DAMM, task: Task) -> dict[str, float]:
    """Score the model on both cohorts."""
    figures: dict[str, float] = {}
    tests = task.fold.tests()
    known = np.concatenate([animal.images[:, 2] for animal in tests[INTERNAL]])
    for cohort, animals in tests.items():
        told: dict[str, dict[str, list[float]]] = {"divergence": {}, "multimodal": {}}
        reached: dict[str, dict[str, np.ndarray]] = {}
        for way, gamma in _WAYS.items():
            drawn = {animal.name: sampled(task, system, animal, gamma=gamma) for animal in animals}
            scores = [one["scores"] for one in scored(animals, drawn).values()]
            reached[way] = {key: np.array([one[key] for one in scores], dtype=float) for key in _OF_FIELDS}
            columns = scores[0] if not way else _OF_FIELDS
            for key in columns:
                # an animal may have no field whose nuclei mislead
                values = [one[key] for one in scores if one[key] is not None]
                figures[f"{cohort}_{key}{way}"] = float(np.mean(values))
            if not way:
                told = {key: {name: getattr(one, key) for name, one in drawn.items()} for key in told}
        for key in _OF_FIELDS if cohort == INTERNAL else ():
            for gain, (first, second) in _GAINS.items():
                found_by = reached[first][key] - reached[second][key]
                interval = bootstrap_interval(found_by[np.isfinite(found_by)])
                figures |= {f"{gain}_{key}{end}": v for end, v in zip(("", "_low", "_high"), interval, strict=True)}
        kinds = {animal.name: list(animal.kinds) for animal in animals}
        found = separation({"kinds": kinds} | {key: {cohort: value} for key, value in told.items()}, cohort)
        names = ("auroc_of_d", "d_concordant", "d_discordant", "multimodal_concordant", "multimodal_discordant")
        figures |= {f"{cohort}_{name}": value for name, value in zip(names, found, strict=True)}
        # the best single number for every px, known from the animals of the model's own kind
        even = [np.mean([psnr(one, np.full_like(one, known.mean()), data_range=255) for one in animal.images[:, 2]])
                for animal in animals]  # fmt: skip
        figures[f"{cohort}_psnr_db_of_one_number"] = float(np.mean(even))
    return figures


@torch.inference_mode()
def label(system: DAMM, task: Task) -> dict[str, float]:
    """Return how well the difference of the branches' errors tells what a tile's nuclei are, by the number of draws."""
    side = system.config.patch
    differences: list[NDArray[np.float64]] = []
    misleads: list[bool] = []
    for animal in task.fold.tests()[INTERNAL]:
        for field, kind in zip(animal.images, animal.kinds, strict=True):
            starts = range(0, field.shape[1] - side + 1, side)
            tiles = torch.from_numpy(np.stack([field[:, y : y + side, x : x + side] for y in starts for x in starts]))
            images = {key: tiles[:, i : i + 1] for i, key in enumerate(KEYS)}
            differences.append(_differences(system, images).double().numpy())
            misleads += [kind != "concordant"] * len(tiles)
    found, wrong = np.concatenate(differences), np.array(misleads)
    figures: dict[str, float] = {}
    for draws in _DRAWS:
        told = found[:, :draws].mean(axis=1)
        figures |= {
            f"auroc_of_{draws}_draws": float(roc_auc_score(wrong, told)),
            f"multimodal_better_concordant_{draws}_draws": float((told[~wrong] <= 0).mean()),
            f"multimodal_better_discordant_{draws}_draws": float((told[wrong] <= 0).mean()),
        }
    return figures


def _differences(system: DAMM, images: Mapping[str, Tensor]) -> Tensor:
    """Return the multi-modal less the uni-modal branch's error of each tile and draw, (n, draws)."""
    calls = -(-max(_DRAWS) // system.config.draws)
    found = [system.distances(images, torch.Generator().manual_seed(seed)) for seed in range(calls)]
    return torch.cat([multimodal - unimodal for unimodal, multimodal in found], dim=1)


def uncertainty(system: DAMM, task: Task) -> dict[str, float]:
    """Return the areas under the sparsification error, mean over two animals."""
    found = [calibration(task, system, animal) for animal in task.fold.tests()[INTERNAL][:2]]
    return {f"ause: {name}": float(np.mean([one[name] for one in found])) for name in found[0]}


def seconds(name: str, task: Task) -> dict[str, float]:
    """Time a run over a region of 1024 px: one large field, side by side, in a file of half of the model's µm/px."""
    field = large_field(task)
    planes = [np.tile(field[key][..., 0], [-(-SIDE // length) for length in field[key].shape[:2]]) for key in KEYS[:2]]
    fine = np.stack([plane[:SIDE, :SIDE].round().astype(np.uint8).repeat(2, 0).repeat(2, 1) for plane in planes])
    with tempfile.TemporaryDirectory() as folder:
        slide = Path(folder) / "slide.ome.tif"
        write_image(slide, fine, [CHANNELS[key] for key in KEYS[:2]])
        start = time.perf_counter()
        *_, done = run(name, slide, Path(folder) / "out.ome.zarr", region=Region(0, 0, 2 * SIDE, 2 * SIDE))
        taken = time.perf_counter() - start
    assert isinstance(done, Finished)
    return {"seconds_1024px": taken, "tiles": done.tiles, "threads": torch.get_num_threads()}


def sample(name: str, system: DAMM) -> dict[str, float]:
    """Score a run over the whole sample that ships, with its truth in its third channel."""
    slide = sample_path("tumour-simulated.ome.tif")
    truth = open_scan(slide).channel(2)
    with tempfile.TemporaryDirectory() as folder:
        finish(run(name, slide, Path(folder) / "out.ome.zarr", device="cpu"))
        found = np.asarray(open_result(Path(folder) / "out.ome.zarr").images[KEYS[2]][0])[..., 0]
    height, width = found.shape
    wanted = truth.read((0, 0), (height, width), factors=truth.factors(system.input_rasters[0]), fill=0)[..., 0]
    rim = np.s_[:, -round(_RIM / MPP) :]
    return {
        "sample_psnr_db": psnr(wanted, found, data_range=255),
        "sample_psnr_db_of_rim": psnr(wanted[rim], found[rim], data_range=255),
    }
