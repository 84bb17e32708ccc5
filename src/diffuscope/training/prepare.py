"""Rounds before their first step: systems are built, files are found, then opened, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.simulation.restaining.sources import Restaining
from diffuscope.systems.protocols import DrawsMasks
from diffuscope.training.backbone import begin_backbone, find_backbone
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.data.reading import Found, Tell, untold
from diffuscope.training.model import Start, find_data, make_starts
from diffuscope.training.plan import Planned, plan_rounds
from diffuscope.training.recipe import Recipe


@dataclass(frozen=True)
class Ready:
    """A round that was checked, but for what is in the pictures that it is trained on.

    Attributes
    ----------
    planned : Planned
        What is done.
    start : Start
        Its system; the weights are those of the round before when it begins.
    found : Found
        What it is trained on.
    """

    planned: Planned
    start: Start
    found: Found


@dataclass(frozen=True)
class Prepared:
    """A round that was checked and may begin.

    Attributes
    ----------
    planned, start
        As of `Ready`.
    data : TrainingData
        What it is trained on, without targets.
    parts : mapping of str to str
        Part of each case.
    draw : callable or None
        Draws the masks of its data, when the round that is to learn that has ended.
    """

    planned: Planned
    start: Start
    data: TrainingData
    parts: Mapping[str, str]
    draw: Callable[[Tensor], Tensor] | None

    def place(self, folder: Path) -> Path:
        """Return where it keeps checkpoints and log: the run folder, or of several rounds a folder in it."""
        planned = self.planned
        return folder if planned.rounds == 1 else folder / f"{planned.number}-{planned.name}"


def prepare(recipe: Recipe, folder: Path) -> tuple[Prepared, ...]:
    """Build the systems of all rounds and open their files (see `find_rounds` and `open_rounds`)."""
    return open_rounds(find_rounds(recipe, folder))


def find_rounds(recipe: Recipe, folder: Path) -> tuple[Ready, ...]:
    """Build the systems of all rounds, and find what they are trained on: tables are read, and no picture.

    Parameters
    ----------
    recipe : Recipe
        What is to be trained.
    folder : Path
        What its paths are relative to.

    Raises
    ------
    InputError
        As `make_starts`, `find_data` and `begin_backbone`.
    """
    shared: dict[Hashable, Any] = {}
    found = []
    both = list(zip(plan_rounds(recipe), make_starts(recipe), strict=True))
    if recipe.backbone is not None:
        path = find_backbone(recipe.backbone, folder)
        for planned, start in both:
            if not planned.system:
                begin_backbone(start.system, path)
    for planned, start in both:
        # A system that helps sees what the recipe's own will see.
        own = [other for one, other in both[planned.number - 1 :] if not one.system]
        found.append(Ready(planned, start, find_data(recipe, planned, own[0], folder, shared)))
    return tuple(found)


def open_rounds(rounds: Sequence[Ready], tell: Tell = untold) -> tuple[Prepared, ...]:
    """Open what rounds are trained on, which of thousands of cases takes minutes.

    Parameters
    ----------
    rounds : sequence of Ready
        From `find_rounds`.
    tell : callable, optional
        As of `diffuscope.training.data.reading.told`.

    Raises
    ------
    InputError
        A file cannot be opened or does not fit; a round takes masks from a system that draws none, or for data that
        need none.
    """
    made: dict[str, Prepared] = {}
    for one in rounds:
        planned, data = one.planned, one.found.read(tell)
        if planned.system and data.finish is not None:
            raise InputError(f"no masks can be learned where their probability is known: leave out {planned.name}.")
        draw = None
        if planned.masks:
            helper = made[planned.masks].start.system
            if not isinstance(helper, DrawsMasks):
                raise InputError(f"the round {planned.masks} draws no masks: give it system: cell-masks.")
            if isinstance(planned.data, Restaining) and planned.data.stains:
                raise InputError("masks are learned for one stain, and a system of several has no use for them.")
            draw = helper.draw
        made[planned.name] = Prepared(planned, one.start, data, one.found.parts, draw)
    return tuple(made.values())
