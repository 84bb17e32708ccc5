"""Rounds before their first step: systems are built, files are open, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.simulation.restaining.sources import Restaining
from diffuscope.systems.protocols import DrawsMasks
from diffuscope.training.backbone import begin_backbone, find_backbone
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.model import Start, make_data, make_starts
from diffuscope.training.plan import Planned, plan_rounds
from diffuscope.training.recipe import Recipe


@dataclass(frozen=True)
class Prepared:
    """A round that was checked and may begin.

    Attributes
    ----------
    planned : Planned
        What is done.
    start : Start
        Its system; the weights are those of the round before when it begins.
    data : TrainingData
        What it is trained on, without targets.
    parts : dict of str to str
        Part of each case.
    draw : callable or None
        Draws the masks of its data, when the round that is to learn that has ended.
    """

    planned: Planned
    start: Start
    data: TrainingData
    parts: dict[str, str]
    draw: Callable[[Tensor], Tensor] | None

    def place(self, folder: Path) -> Path:
        """Return where it keeps checkpoints and log: the run folder, or of several rounds a folder in it."""
        planned = self.planned
        return folder if planned.rounds == 1 else folder / f"{planned.number}-{planned.name}"


def prepare(recipe: Recipe, folder: Path) -> tuple[Prepared, ...]:
    """Build the systems of all rounds and open their files.

    Parameters
    ----------
    recipe : Recipe
        What is to be trained.
    folder : Path
        What its paths are relative to.

    Raises
    ------
    InputError
        As `make_starts`, `make_data` and `begin_backbone`; a round takes masks from a system that draws none, or for
        data that need none.
    """
    shared: dict[Hashable, Any] = {}
    made: dict[str, Prepared] = {}
    both = list(zip(plan_rounds(recipe), make_starts(recipe), strict=True))
    if recipe.backbone is not None:
        path = find_backbone(recipe.backbone, folder)
        for planned, start in both:
            if not planned.system:
                begin_backbone(start.system, path)
    for planned, start in both:
        # A system that helps sees what the recipe's own will see.
        own = [other for one, other in both[planned.number - 1 :] if not one.system]
        data, parts = make_data(recipe, planned, own[0], folder, shared)
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
        made[planned.name] = Prepared(planned, start, data, parts, draw)
    return tuple(made.values())
