"""From a recipe to a system that is to be trained, and the data it is trained on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from diffuscope.errors import InputError
from diffuscope.model.folder import Model, load_model
from diffuscope.simulation.restaining.crops import batch_at, held_crops
from diffuscope.simulation.restaining.painting import Painter
from diffuscope.simulation.restaining.sources import Restaining, make_pairs
from diffuscope.systems.base import System
from diffuscope.systems.bounds import fault_in_words
from diffuscope.systems.registry import build_system, configuration
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.data.crops import batches_of, crops_of, crops_to_validate, read_cases, whole_slices_of
from diffuscope.training.data.looks import seen_in_pictures
from diffuscope.training.data.reading import Found
from diffuscope.training.data.tables import cohort_data, pairs_data
from diffuscope.training.plan import Planned, plan_rounds
from diffuscope.training.recipe import Recipe
from diffuscope.training.recipe_data import Cases, Cohort, Pairs

# DAB from which a pixel counts as positive where the system does not say, OD.
_THRESHOLD = 0.15


@dataclass(frozen=True)
class Start:
    """A system before its first step.

    Attributes
    ----------
    system : System
        With the seed's weights, or those of the model it goes on from.
    name : str
        The system's name.
    config : dict
        Its configuration.
    origin : Model or None
        The model it goes on from.
    """

    system: System
    name: str
    config: dict[str, Any]
    origin: Model | None

    @property
    def side(self) -> int:
        """Side of a training crop, px."""
        return self.system.patch


def make_starts(recipe: Recipe) -> tuple[Start, ...]:
    """Build the systems of a recipe's rounds; rounds that change nothing of a configuration share one.

    Raises
    ------
    InputError
        The configuration is wrong, there is no such model to go on from, weights do not fit, or a round asks for an
        objective or a part that its system does not have.
    """
    origin = load_model(recipe.init_from) if recipe.init_from is not None else None
    if origin is not None and recipe.system not in ("", origin.stated.system):
        raise InputError(
            f"{recipe.init_from} is a model of {origin.stated.system} and begins none of {recipe.system}: "
            "leave system out."
        )
    starts: list[Start] = []
    before: Start | None = None
    for planned in plan_rounds(recipe):
        seed = planned.optimisation.seed
        if planned.system:
            config = dict(planned.config)
            start = Start(_built(recipe.name, planned.system, config, seed), planned.system, config, None)
        else:
            start = before = _own(recipe, planned, before, origin)
        start.system.begin(planned.objective, planned.train)
        starts.append(start)
    return tuple(starts)


def _own(recipe: Recipe, planned: Planned, before: Start | None, origin: Model | None) -> Start:
    """Build the recipe's system as a round has it."""
    if before is not None and not planned.config:
        return before
    weights: System | None
    if before is not None:
        name, known, weights, whose = before.name, before.config, before.system, "of the rounds before"
    elif origin is not None:
        name, known, weights, whose = (
            origin.stated.system,
            origin.stated.config,
            origin.system,
            f"of {recipe.init_from}",
        )
    else:
        name, known, weights, whose = recipe.system, {}, None, ""
    changes = dict(planned.config) if before is not None else recipe.config | dict(planned.config)
    config = {**known, **changes}
    system = _built(recipe.name, name, config, planned.optimisation.seed)
    if weights is not None:
        try:
            system.load_state_dict(_parts_that_begin(system, weights) | weights.state_dict())
        except RuntimeError as error:
            changed = ", ".join(sorted(key for key in changes if known.get(key) != config[key]))
            raise InputError(
                f"the weights {whose} do not fit this configuration: take {changed} out of config."
            ) from error
    return Start(system, name, config, origin)


def _parts_that_begin(system: System, weights: System) -> dict[str, Any]:
    """Return the weights of parts that another configuration does not have at all, as they begin."""
    own, known = system.state_dict(keep_vars=True), weights.state_dict()
    found: dict[str, Any] = {}
    for part in system.parts().values():
        tensors = {id(one) for module in part for one in (*module.parameters(), *module.buffers())}
        keys = [key for key, one in own.items() if id(one) in tensors]
        if not any(key in known for key in keys):
            found |= {key: own[key].detach() for key in keys}
    return found


def _built(recipe: str, name: str, config: Mapping[str, Any], seed: int) -> System:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return build_system(name, config)
        except ValidationError as error:
            said = fault_in_words(f"the recipe {recipe}", error, model=configuration(name), above=("config",))
            raise InputError(said) from error


def find_data(recipe: Recipe, planned: Planned, start: Start, folder: Path, shared: dict[Hashable, Any]) -> Found:
    """Find the files of a round, to be opened later and without targets (see `diffuscope.training.data.targets`).

    Parameters
    ----------
    recipe : Recipe
        For its seed, by which cases are split: in all rounds the same ones validate.
    planned : Planned
        For its data and seed.
    start : Start
        For what the system takes.
    folder : Path
        What the recipe's paths are relative to.
    shared : dict
        What rounds share of what was read or simulated; is added to.

    Returns
    -------
    Found

    Raises
    ------
    InputError
        Files are missing; while they are read, also: they do not fit.
    """
    plan, data, known = planned.optimisation, planned.data, shared.setdefault("parts", {})
    if not isinstance(data, Cohort | Pairs):
        start.system.check_images(start.name, "pictures and volumes are no data for it")
    if isinstance(data, Cases):
        parts = read_cases(recipe, data, start.system, folder, known)
        common = {"seed": plan.seed, "batch": plan.batch, "validate": crops_to_validate(plan.steps, plan.batch)}
        ready = partial(whole_slices_of, canvas=start.side) if data.whole_slices else partial(crops_of, side=start.side)
        return Found(
            {case.name: part for part, cases in parts.items() for case in cases},
            lambda tell: ready(parts, data, start.system, **common, tell=tell),
        )
    if isinstance(data, Cohort):
        return cohort_data(recipe, planned, start.system, data, folder, known, new=start.origin is None)
    if isinstance(data, Pairs):
        return pairs_data(recipe, planned, start.system, data, folder, shared)
    return Found({}, lambda _tell: _restained(planned, data, start, folder, shared))


def _restained(
    planned: Planned, data: Restaining, start: Start, folder: Path, shared: dict[Hashable, Any]
) -> TrainingData:
    """Simulate pairs, once for all rounds."""
    plan, port = planned.optimisation, start.system.input_rasters[0]
    if (data, port.mpp) not in shared:
        shared[data, port.mpp] = make_pairs(data, folder, mpp=port.mpp)
    pairs = shared[data, port.mpp]
    threshold = start.system.measures.get("dab_threshold", _THRESHOLD)
    normalised = port.scale == "stain"
    number = crops_to_validate(plan.steps, plan.batch)
    held = held_crops(
        pairs, seed=plan.seed, patch=start.side, dab_threshold=threshold, number=number, normalised=normalised
    )
    if not held:
        raise InputError("no held-out block of the recipe's sources has a cell: add a larger source.")
    validation = batches_of(held, plan.batch)
    pictures = {pair.name: pair.sample.he for pair in pairs}
    seen = partial(seen_in_pictures, pictures.values(), port)
    if "probability" in start.system.targets:
        painter = Painter(pairs, size=plan.batch, patch=start.side, positive_share=data.positive_share)
        return TrainingData(lambda number: painter.places(number, seed=plan.seed), validation, painter.paint, seen)
    batches = partial(
        batch_at,
        pairs,
        size=plan.batch,
        patch=start.side,
        positive_share=data.positive_share,
        dab_threshold=threshold,
        normalised=normalised,
    )
    return TrainingData(lambda number: batches(number, seed=plan.seed), validation, seen=seen)
