"""What a round is trained on where a table names it: a cohort of patients, or cases with images and texts."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any

from diffuscope.cases.cohort import read_cohort
from diffuscope.cases.paired import read_paired
from diffuscope.cases.split import split
from diffuscope.errors import InputError
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.table import Table
from diffuscope.ports.text import Text
from diffuscope.systems.base import System, Whole
from diffuscope.systems.protocols import FitsRows, TakesPairs
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.data.cohort import prepared, rows_data
from diffuscope.training.data.paired import paired_data, seen_of
from diffuscope.training.plan import Planned, plan_rounds
from diffuscope.training.recipe import Recipe
from diffuscope.training.recipe_data import Cohort, Pairs


def cohort_data(
    recipe: Recipe, planned: Planned, system: System, data: Cohort, folder: Path, *, new: bool
) -> tuple[TrainingData, dict[str, str]]:
    """Read a cohort, and give a new system the scale of the rows that train, of no others.

    Parameters
    ----------
    recipe, planned, folder
        As of `diffuscope.training.model.make_data`.
    system : System
        That trains.
    data : Cohort
        Which.
    new : bool
        Whether it goes on from no other model.

    Returns
    -------
    TrainingData
    dict of str to str
        Part of each patient.

    Raises
    ------
    InputError
        Files are missing or do not fit, or the system takes no tables.
    """
    tables = [port for port in system.inputs if isinstance(port, Table)]
    if not isinstance(system, FitsRows) or not isinstance(system, Whole):
        raise InputError(f"{type(system).__name__} takes no tables: give it data of its own kind.")
    cohort = read_cohort(
        [folder / path for path in data.cohort],
        tables,
        label=data.label,
        positive=data.positive,
        negative=data.negative,
        above=data.above,
        images=[port.key for port in system.inputs if isinstance(port, Raster | Mask)],
    )
    named = dict.fromkeys(data.validate_on, "validation") | dict.fromkeys(data.test_on, "test")
    cases = [replace(case, part=named.get(case.name, case.part)) for case in cohort.cases]
    # As of cases: where any is named to validate, no share is taken.
    share = 0.0 if data.validate_on else data.validation
    parts = split(cases, validation=share, seed=recipe.optimisation.seed)
    train, held = (prepared(system, cohort, parts[part]) for part in ("train", "validation"))
    if new:  # weights that were trained on one scale are worth nothing on another
        system.fit(train)
    made = rows_data(train, held, seed=planned.optimisation.seed, batch=planned.optimisation.batch)
    return replace(made, notices=cohort.notices), {case.name: part for part, own in parts.items() for case in own}


def pairs_data(
    recipe: Recipe, planned: Planned, system: System, data: Pairs, folder: Path, shared: dict[Hashable, Any]
) -> tuple[TrainingData, dict[str, str]]:
    """Open cases that have some of many images and texts: those of them that the round's objective can be trained on.

    Parameters and errors are those of `cohort_data`; `shared` as of `diffuscope.training.model.make_data`.
    """
    if not isinstance(system, TakesPairs) or not isinstance(system, Whole):
        raise InputError(f"{type(system).__name__} takes no pairs of many kinds: give it data of its own kind.")
    if data not in shared:
        images = [port.key for port in system.input_rasters]
        texts = [port.key for port in system.inputs if isinstance(port, Text)]
        found = read_paired(folder / data.pairs, images, texts)
        by_name = {one.case.name: one for one in found.cases}
        parts = split([one.case for one in found.cases], validation=data.validation, seed=recipe.optimisation.seed)
        # No round looks at the others, and of many cases opening all of them takes minutes.
        rounds = [one for one in plan_rounds(recipe) if one.data == data]
        keys = {key for one in rounds for group in system.needed(_objective(system, one)) for key in group}
        seen = {
            part: seen_of(system, [by_name[case.name] for case in parts[part]], keys)
            for part in ("train", "validation")
        }
        shared[data] = seen, {case.name: part for part, own in parts.items() for case in own}, found.notices
    seen, where, notices = shared[data]
    plan = planned.optimisation
    needed = system.needed(_objective(system, planned))
    made = paired_data(seen["train"], seen["validation"], needed, seed=plan.seed, batch=plan.batch)
    return replace(made, notices=notices if planned.number == 1 else ()), where


def _objective(system: System, planned: Planned) -> str:
    return planned.objective or next(iter(system.objectives))
