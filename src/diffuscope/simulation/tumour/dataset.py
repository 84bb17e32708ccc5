"""A simulated cohort of tumours, as cases to train and measure on.

A case is a field, with the pictures ``vessels`` (CD31), ``nuclei`` (DAPI) and ``nanoparticles``; its group is the
animal, so that splits and folds go by animal. Animals of the other tumour model are the part ``test``: no training
reads them. **Simulated**, with a known physics (`diffuscope.simulation.tumour`): no figure from it says how a model
does on an animal.
"""

from __future__ import annotations

import csv
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffuscope.cases.find import SIMULATED, TABLE
from diffuscope.errors import InputError
from diffuscope.files.place import FILE, FOLDER, check_place
from diffuscope.files.put import in_place_of
from diffuscope.simulation.tumour import (
    BREAST,
    MPP,
    PHANTOMS,
    Animal,
    Kind,
    draw_animal,
    draw_fields,
    simulate_field,
)

#: Channel names by port key.
CHANNELS = {"vessels": "CD31", "nuclei": "DAPI", "nanoparticles": "nanoparticles"}
#: Side of the sample that ships, px, and its animal's seed.
SAMPLE_SIDE, SAMPLE_SEED = 1024, 2024

_NOTE = (
    "SIMULATED by diffuscope.simulation.tumour: vessels, nuclei, and nanoparticles from a diffusion equation. "
    "No animal."
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a cohort folder is to hold.

    Attributes
    ----------
    animals, external : int
        Animals of the tumour model to train on, and of the other one.
    fields : int
        Of each animal.
    size : int
        Side of a field, px of 1 µm; even.
    discordant : float
        Share of fields whose nuclei channel misleads.
    seed : int
        Of everything.
    phantom : {"even", "endosomal"}
        Where cells keep particles: which two tumour models (see `diffuscope.simulation.tumour.PHANTOMS`).
    """

    animals: int = 6
    external: int = 2
    fields: int = 24
    size: int = 256
    discordant: float = 0.25
    seed: int = 0
    phantom: str = "even"


def write_cohort(folder: Path, plan: Plan, *, workers: int = 1) -> int:
    """Simulate a cohort and write it as cases.

    Parameters
    ----------
    folder : Path
        Is made, whole or not at all: ``cases.csv`` (with the columns ``model``, ``number`` and ``kind``, which training
        does not read, beside those of `diffuscope.cases.find_cases`), ``SIMULATED.txt``, and a folder a picture with
        an OME-TIFF a case, uint8, 1 µm/px.
    plan : Plan
        How many of what.
    workers : int
        Processes that simulate; what they write is the same whatever their number.

    Returns
    -------
    int
        Cases written.

    Raises
    ------
    InputError
        The folder exists, or the plan cannot be simulated.
    """
    check_place(folder, FOLDER, way_out="choose another folder")
    with in_place_of(folder, replace=False) as part:
        for key in CHANNELS:
            (part / key).mkdir(parents=True)
        drawn = _drawn(plan)
        if workers > 1:
            # Not forked: a process with threads, as torch starts them, must not be.
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                rows = list(pool.map(partial(_write_case, part, plan.size), drawn, chunksize=4))
        else:
            rows = [_write_case(part, plan.size, one) for one in drawn]
        with (part / TABLE).open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, fieldnames=list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        (part / SIMULATED).write_text(f"{_NOTE} {plan}\n", encoding="utf-8")
    return len(rows)


def write_sample(path: Path) -> None:
    """Write one concordant field of `SAMPLE_SIDE` px as an OME-TIFF of three channels.

    Parameters
    ----------
    path : Path
        File to make, ``.ome.tif``.

    Raises
    ------
    InputError
        It exists, or cannot be written.
    """
    check_place(path, FILE, way_out="choose another name")
    field = simulate_field(draw_animal(BREAST, seed=SAMPLE_SEED, number=0), 0, size=SAMPLE_SIDE)
    with in_place_of(path, replace=False) as part:
        write_image(part, np.stack([getattr(field, key) for key in CHANNELS]), list(CHANNELS.values()))


def write_image(path: Path, planes: NDArray[np.uint8], channels: list[str]) -> None:
    """Write planes (c, h, w) as a tiled OME-TIFF that says their names, µm/px, and that they are simulated."""
    per_cm = 1e4 / MPP
    tifffile.imwrite(
        path,
        planes,
        tile=(256, 256),
        photometric="minisblack",
        compression="adobe_deflate",
        compressionargs={"level": 9},
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
        ome=True,
        metadata={
            "axes": "CYX",
            "Name": "simulated tumour section",
            "Description": _NOTE,
            "PhysicalSizeX": MPP,
            "PhysicalSizeY": MPP,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeYUnit": "µm",
            "Channel": {"Name": channels},
        },
    )


def _drawn(plan: Plan) -> list[tuple[Animal, int, Kind]]:
    """Return what is to be simulated."""
    if plan.phantom not in PHANTOMS:
        raise InputError(f"There is no phantom {plan.phantom!r}: choose one of {', '.join(PHANTOMS)}.")
    numbers = zip(PHANTOMS[plan.phantom], (plan.animals, plan.external), strict=True)
    return [
        one
        for model, animals in numbers
        if animals
        for one in draw_fields(
            seed=plan.seed, model=model, animals=animals, fields=plan.fields, discordant=plan.discordant
        )
    ]


def _write_case(folder: Path, size: int, drawn: tuple[Animal, int, Kind]) -> dict[str, str | int]:
    """Simulate a field, write its pictures, and return its line of the table."""
    animal, number, kind = drawn
    field = simulate_field(animal, number, size=size, kind=kind)
    group = f"{field.animal.model.name}-{field.animal.number}"
    name = f"{group}-{field.number:03d}"
    for key, channel in CHANNELS.items():
        write_image(folder / key / f"{name}.ome.tif", getattr(field, key)[None], [channel])
    return {
        "case": name,
        "group": group,
        "part": "test" if animal.model in (external for _, external in PHANTOMS.values()) else "",
        **{key: f"{key}/{name}.ome.tif" for key in CHANNELS},
        "model": field.animal.model.name,
        "number": field.number,
        "kind": field.kind,
    }
