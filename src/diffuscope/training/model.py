"""From a recipe to a system that is to be trained, the data it is trained on, and the card of what comes out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from diffuscope.errors import InputError
from diffuscope.model.card import ModelCard
from diffuscope.model.folder import Model, load_model
from diffuscope.ports.raster import Raster
from diffuscope.simulation.restaining.crops import batch_at, held_crops
from diffuscope.simulation.restaining.painting import Painter
from diffuscope.simulation.restaining.sources import Restaining, make_pairs
from diffuscope.systems.base import System
from diffuscope.systems.bounds import fault_in_words
from diffuscope.systems.protocols import Decides
from diffuscope.systems.registry import build_system, configuration
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.data.crops import batches_of, crops_of, crops_to_validate, read_cases, whole_slices_of
from diffuscope.training.data.looks import seen_in_pictures
from diffuscope.training.data.reading import Found
from diffuscope.training.plan import Planned, plan_rounds
from diffuscope.training.recipe import Recipe
from diffuscope.training.recipe_data import Cases, Cohort, Pairs
from diffuscope.training.table_data import cohort_data, pairs_data

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
            f"{recipe.init_from} is a {origin.stated.system} and cannot begin a {recipe.system}: leave system out."
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
    plan, data = planned.optimisation, planned.data
    if not isinstance(data, Cohort | Pairs):
        start.system.check_images(start.name, "pictures and volumes are no data for it")
    if isinstance(data, Cases):
        parts = read_cases(recipe, data, start.system, folder)
        common = {"seed": plan.seed, "batch": plan.batch, "validate": crops_to_validate(plan.steps, plan.batch)}
        ready = partial(whole_slices_of, canvas=start.side) if data.whole_slices else partial(crops_of, side=start.side)
        return Found(
            {case.name: part for part, cases in parts.items() for case in cases},
            lambda tell: ready(parts, data, start.system, **common, tell=tell),
        )
    if isinstance(data, Cohort):
        return cohort_data(recipe, planned, start.system, data, folder, new=start.origin is None)
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


def make_card(recipe: Recipe, start: Start, parts: Mapping[str, str]) -> ModelCard:
    """Return the recipe's card, or one that claims nothing that is not known.

    Parameters
    ----------
    recipe : Recipe
        For its card, name and data.
    start : Start
        What it began from.
    parts : mapping of str to str
        From `find_data`.
    """
    if recipe.card is not None:
        return recipe.card
    assert isinstance(recipe.data, Cases | Cohort | Pairs)
    names = [sum(1 for part in parts.values() if part == which) for which in ("train", "validation", "test")]
    inputs = ", ".join(port.name for port in start.system.inputs)
    main, scale, chosen = start.system.outputs[0], "", "its weights"
    if isinstance(start.system, Decides):
        chosen = "its weights, its threshold and, where that helped, a calibration of its probability"
    if isinstance(main, Raster):
        scales = {"yx": f" at {main.mpp:g} µm/px", "zyx": f" at {main.mpp / 1000:g} mm per px"}
        scale = scales[start.system.input_rasters[0].axes]
    begun = f", begun from the weights of {_known(start.origin)}" if start.origin is not None else ""
    licence = f" The weights that it began from: {start.origin.card.licence}" if start.origin is not None else ""
    return ModelCard(
        title=recipe.name,
        what_it_is=(
            f"A {start.name} ({main.name} from {inputs}{scale}) that was trained on its "
            f"user's own {names[0]} cases{begun}."
        ),
        what_it_is_not=(
            "Checked by anyone but whoever trained it: its figures come from "
            f"{names[1]} cases of the same data set, which chose {chosen}. Not a measurement."
        ),
        data=(
            f"{_files(recipe.data)}: {names[0]} cases in training, {names[1]} in validation, {names[2]} set "
            "apart; they do not come with the model."
        ),
        licence=f"Not stated: for whoever trained it to say, as the licence of the data allows.{licence}",
        trained_on="its user's own data",
        simulated=start.origin is not None and start.origin.card.simulated,
    )


def _files(data: Cases | Cohort | Pairs) -> str:
    if isinstance(data, Pairs):
        return Path(data.pairs).name
    paths = data.cohort if isinstance(data, Cohort) else (data.path,)
    return ", ".join(Path(path).name for path in paths)


def shared_path(path: Path | str) -> str:
    """Return a path as a card may show it, which whoever gets the model reads: no folder of the trainer's machine.

    One that is relative to where the command was typed stays; of any other the name.
    """
    path = Path(path)
    return path.name if path.is_absolute() or ".." in path.parts or "~" in path.parts[:1] else path.as_posix()


def _known(model: Model) -> str:
    """Return what tells a model, not where it lay: its name, and the beginning of its hash."""
    return f"{model.name} ({model.hash[:8]}…)"
