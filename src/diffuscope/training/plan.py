"""What a recipe's rounds are, each with all that it takes from the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diffuscope.simulation.restaining.sources import Restaining
from diffuscope.training.recipe import Optimisation, Rate, Recipe, Round
from diffuscope.training.recipe_data import Cases, Cohort, Pairs


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A round of training.

    Attributes
    ----------
    number, rounds : int
        Which one, from 1, and how many there are.
    name : str
        What log and messages call it; empty where it is the only one.
    objective : str
        One of the system's; empty: its first.
    train : mapping of str to Rate
        Parts that change, and how; none: those of the objective, as `optimisation` says.
    system : str
        Another system than the recipe's, or empty.
    config : mapping
        What differs from the configuration of the round before; of another system all of it.
    data : Cases, Cohort, Pairs or Restaining
        What it is trained on.
    masks : str
        Name of the round whose system draws its masks, or empty.
    optimisation : Optimisation
        How long and how.
    """

    number: int = 1
    rounds: int = 1
    name: str = ""
    objective: str = ""
    train: Mapping[str, Rate]
    system: str = ""
    config: Mapping[str, Any]
    data: Cases | Cohort | Pairs | Restaining
    masks: str = ""
    optimisation: Optimisation


def plan_rounds(recipe: Recipe) -> tuple[Planned, ...]:
    """Return the rounds of a recipe, at least one."""
    if not recipe.rounds:
        return (Planned(train={}, config={}, data=recipe.data, optimisation=recipe.optimisation),)
    return tuple(_planned(recipe, one, number) for number, one in enumerate(recipe.rounds, start=1))


def _planned(recipe: Recipe, stated: Round, number: int) -> Planned:
    return Planned(
        number=number,
        rounds=len(recipe.rounds),
        name=stated.name,
        objective=stated.objective,
        train=stated.train,
        system=stated.system,
        config=stated.config,
        data=stated.data or recipe.data,
        masks=stated.masks,
        optimisation=stated.optimisation or recipe.optimisation,
    )
