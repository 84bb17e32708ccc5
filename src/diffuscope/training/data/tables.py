"""What a round is trained on where a table names it: a cohort of patients, or cases with images and texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
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
from diffuscope.training.data.held_out import held_out, split_as_before
from diffuscope.training.data.paired import paired_data, seen_of
from diffuscope.training.data.reading import Found, Tell
from diffuscope.training.plan import Planned, plan_rounds
from diffuscope.training.recipe import Recipe
from diffuscope.training.recipe_data import Cohort, Pairs

# By whether it is the second.
_CLASSES = {False: "negative", True: "positive"}


def cohort_data(
    recipe: Recipe, planned: Planned, system: System, data: Cohort, folder: Path, known: dict[str, str], *, new: bool
) -> Found:
    """Read the tables of a cohort; a new system is given the scale of the rows that train, of no others.

    Parameters
    ----------
    recipe, planned, folder
        As of `diffuscope.training.model.find_data`.
    system : System
        That trains.
    data : Cohort
        Which.
    known : dict of str to str
        As of `split_as_before`.
    new : bool
        Whether it goes on from no other model.

    Returns
    -------
    Found

    Raises
    ------
    InputError
        Files are missing or do not fit, the system takes no tables, the tables do not tell who is to be held out, or
        all patients or all who train are of one class.
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
    if unknown := [name for name in (*data.validate_on, *data.test_on) if name in cohort.unlabelled]:
        raise InputError(
            f"the recipe holds {unknown[0]} out, of whom nothing stands in {data.label}: they are in no part. Take the "
            "name out of the recipe, or fill the column."
        )
    tables_named = ", ".join(Path(path).name for path in data.cohort)
    named = held_out(data, {case.name for case in cohort.cases}, f"patient of {tables_named}")
    cases = [replace(case, part=named.get(case.name, case.part)) for case in cohort.cases]
    # As of cases: where any is named to validate, no share is taken.
    share = 0.0 if data.validate_on else data.validation
    parts = split_as_before(cases, known, validation=share, seed=recipe.optimisation.seed)
    positive = {case.name for case, label in zip(cases, cohort.labels, strict=True) if label}
    counts = {part: Counter(case.name in positive for case in own) for part, own in parts.items()}
    _check_classes(counts, data)

    def read(tell: Tell) -> TrainingData:
        seen = prepared(system, cohort, {part: parts[part] for part in ("train", "validation")}, tell)
        if new:  # weights that were trained on one scale are worth nothing on another
            system.fit(seen["train"])
        plan = planned.optimisation
        made = rows_data(seen["train"], seen["validation"], seed=plan.seed, batch=plan.batch)
        return replace(made, notices=(*_classes_told(counts), *cohort.notices))

    return Found({case.name: part for part, own in parts.items() for case in own}, read)


def _check_classes(counts: Mapping[str, Counter[bool]], data: Cohort) -> None:
    """Refuse a label by which nothing can be told apart: whatever is measured of such a model looks faultless."""
    rule = data.label if data.above is None else f"{data.label} above {data.above:g}"
    other = "label, positive or negative" if data.above is None else "label or above"
    everyone = sum(counts.values(), Counter[bool]())
    for those, who, way in ((everyone, "", ""), (counts["train"], " who train", ", or other parts")):
        if len(those) == 1:
            raise InputError(
                f"all {those.total()} patients{who} are {_CLASSES[next(iter(those))]} ({rule}), and a score is learned "
                f"from both classes: state another {other}{way}."
            )


def _classes_told(counts: Mapping[str, Counter[bool]]) -> Iterator[str]:
    """Yield how many of each class train and validate, and what can then not be measured."""
    train, held = counts["train"], counts["validation"]
    told = [f"{one.total()} patients ({one[False]} negative, {one[True]} positive)" for one in (train, held)]
    yield f"{told[0]} train, and {told[1]} validate."
    if len(held) == 1:
        yield (
            f"All who validate are {_CLASSES[next(iter(held))]}: AUROC, AUPRC and macro precision, recall and F1 of "
            "the model stay unknown."
        )


def pairs_data(
    recipe: Recipe, planned: Planned, system: System, data: Pairs, folder: Path, shared: dict[Hashable, Any]
) -> Found:
    """Find cases that have some of many images and texts: those of them that the round's objective can be trained on.

    Parameters and errors are those of `cohort_data`; `shared` as of `diffuscope.training.model.find_data`.
    """
    if not isinstance(system, TakesPairs) or not isinstance(system, Whole):
        raise InputError(f"{type(system).__name__} takes no pairs of many kinds: give it data of its own kind.")
    if ("table", data) not in shared:
        images = [port.key for port in system.input_rasters]
        texts = [port.key for port in system.inputs if isinstance(port, Text)]
        found = read_paired(folder / data.pairs, images, texts)
        parts = split([one.case for one in found.cases], validation=data.validation, seed=recipe.optimisation.seed)
        shared["table", data] = found, {case.name: part for part, own in parts.items() for case in own}
    found, where = shared["table", data]

    def read(tell: Tell) -> TrainingData:
        if data not in shared:
            # No round looks at the others, and of many cases opening all of them takes minutes.
            rounds = [one for one in plan_rounds(recipe) if one.data == data]
            keys = {key for one in rounds for group in system.needed(_objective(system, one)) for key in group}
            own = {
                part: [one for one in found.cases if where[one.case.name] == part] for part in ("train", "validation")
            }
            shared[data] = seen_of(system, own, keys, tell)
        seen, plan = shared[data], planned.optimisation
        needed = system.needed(_objective(system, planned))
        made = paired_data(seen["train"], seen["validation"], needed, seed=plan.seed, batch=plan.batch)
        return replace(made, notices=found.notices if planned.number == 1 else ())

    return Found(where, read)


def _objective(system: System, planned: Planned) -> str:
    return planned.objective or next(iter(system.objectives))
