"""Recipes: one YAML file makes one model, a shipped one again or a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from diffuscope.cases.dictionary import read_dictionary
from diffuscope.errors import InputError
from diffuscope.files.read import read_json, read_yaml
from diffuscope.model.card import ModelCard
from diffuscope.simulation.restaining.sources import Restaining
from diffuscope.systems.bounds import Name, fault_in_words
from diffuscope.training.old_recipes import modern
from diffuscope.training.recipe_data import KINDS, Data, Strict


class Optimisation(Strict):
    """How long and how to train.

    Attributes
    ----------
    steps, batch : int
        Optimiser steps, and crops a step (with several GPUs, a step of each).
    learning_rate : float or "find"
        Peak of AdamW's rate: linear warm-up over `warmup` steps, then cosine to a tenth. ``"find"`` tries.
    warmup : int
        Steps of warm-up.
    ema : float
        Decay of the averaged weights, which are the ones that ship.
    seed : int
        Batch, noise and augmentation are functions of (seed, step).
    validations : int
        How often to validate, spread evenly over the steps.
    patience : int, optional
        Validations without a better loss after which training stops early; default never.
    keep : {"best", "last"}
        Which averaged weights the model gets: those with the lowest validation loss, or those of the last step.
    checkpoint_every : int
        Steps between checkpoints.
    compile : bool, optional
        Whether to compile the networks (`torch.compile`); default where it pays: many steps on one CUDA device.
    optimiser : {"adamw", "adam"}
        What weight decay is: apart from the gradient, or added to it.
    weight_decay : float
        Of all parts that state none of their own.
    """

    steps: int = Field(gt=0, le=10**9)
    batch: int = Field(default=4, gt=0, le=4096)
    learning_rate: float | Literal["find"] = 4e-4
    warmup: int = Field(default=200, ge=0, le=10**9)
    ema: float = Field(default=0.999, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    validations: int = Field(default=10, gt=0, le=10**6)
    patience: int | None = Field(default=None, gt=0, le=10**9)
    keep: Literal["best", "last"] = "best"
    checkpoint_every: int = Field(default=500, gt=0, le=10**9)
    compile: bool | None = None
    optimiser: Literal["adamw", "adam"] = "adamw"
    weight_decay: float = Field(default=1e-4, ge=0, le=1e3)

    @field_validator("learning_rate")
    @classmethod
    def _positive(cls, value: float | str) -> float | str:
        if isinstance(value, float) and not 0 < value <= 1e3:
            raise ValueError("should be greater than 0, and at most 1000")
        return value


class Rate(Strict):
    """How a part of a system trains; what is left out is that of the round's optimisation.

    Attributes
    ----------
    learning_rate : float, optional
        Peak; all parts warm up and fall together.
    weight_decay : float, optional
        See `Optimisation.optimiser`.
    """

    learning_rate: float | None = Field(default=None, gt=0, le=1e3)
    weight_decay: float | None = Field(default=None, ge=0, le=1e3)


class Round(Strict):
    """One of several trainings, one after the other: what is left out is that of the recipe.

    Attributes
    ----------
    name : str
        What log and messages call it, and later rounds that use what it made.
    objective : str
        One of the system's objectives; default its first.
    train : dict of str to Rate
        Parts of the system that change, and how; a number is a learning rate, and a list of names is enough where all
        train alike. Default: those of the objective.
    system : str
        Another system than the recipe's, which helps to train it (see `masks`) and sees the same batches; then `config`
        is its own.
    config : dict
        What differs in the system's configuration from here on; the weights must fit.
    data : Cases, Cohort, Pairs or Restaining, optional
        What it is trained on.
    masks : str
        Name of an earlier round whose system draws the masks of this one's data, in place of a threshold.
    optimisation : Optimisation, optional
        How long and how.
    """

    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")
    objective: str = ""
    train: dict[str, Rate] = Field(default_factory=dict)
    system: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    data: Data | None = None
    masks: str = ""
    optimisation: Optimisation | None = None

    @field_validator("train", mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        """Take a list of names, and numbers for rates."""
        if isinstance(given, list | tuple):
            return {name: {} for name in given}
        if isinstance(given, dict):
            return {k: {"learning_rate": v} if isinstance(v, int | float) else v for k, v in given.items()}
        return given


class Recipe(Strict):
    """What makes a model: system, data, optimisation and card; for most, one training, for some, rounds of it.

    Recipes as they were written before are read as well (see `diffuscope.training.old_recipes`).

    Attributes
    ----------
    name : str
        Name of the model.
    system : str
        A system's name; may be left out with `init_from`.
    config : dict
        The system's configuration; with `init_from`, what differs from that model's.
    init_from : str, optional
        Model to go on from: a model's name, or a model folder.
    backbone : str, optional
        Published weights that the networks begin with: a file, relative to the recipe, or ``"hub:owner/name/file"``,
        e.g. MedicalNet's; of MedM2G a folder, or ``"hub:owner/name"``.
    data : Cases, Cohort, Pairs or Restaining
        A user's own cases, or what ``simulation`` names.
    optimisation : Optimisation
        See there; its seed also says which cases validate.
    rounds : tuple of Round
        One after the other, each from the weights of the one before; none: one round of all that the recipe says.
    card : ModelCard, optional
        The card, without figures; default: one that says what the recipe says. Simulated data need one.
    """

    name: Name = Field(min_length=1)
    system: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    init_from: str | None = None
    backbone: str | None = Field(default=None, min_length=1, max_length=1000)
    data: Data
    optimisation: Optimisation
    rounds: tuple[Round, ...] = Field(default=(), max_length=100)
    card: ModelCard | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_today(cls, given: Any) -> Any:
        return modern(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _whole(self) -> Self:
        data = (self.data, *(one.data for one in self.rounds))
        if self.card is None and any(isinstance(one, Restaining) for one in data):
            raise ValueError("a recipe with simulated data has a card")
        if not self.system and self.init_from is None:
            raise ValueError("give a system, or a model to go on from (init_from)")
        seen: set[str] = set()
        for one in self.rounds:
            if one.name in seen:
                raise ValueError(f"two rounds are called {one.name}")
            if one.masks and one.masks not in seen:
                raise ValueError(f"the round {one.name} takes its masks from {one.masks}, which is no earlier round")
            seen.add(one.name)
        if self.rounds and self.rounds[-1].system:
            raise ValueError(f"the last round, {self.rounds[-1].name}, trains another system than the recipe's")
        return self


def load_recipe(path: Path | str) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    InputError
        For no plain file, no YAML, or a wrong key (named with the nearest right one).
    """
    path = Path(path)
    try:
        return Recipe.model_validate(_with_vocabulary(_with_dictionary(read_yaml(path), path.parent), path.parent))
    except OSError as error:
        raise InputError(f"The recipe {path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        # What kind of data it was taken for is no entry.
        raise InputError(fault_in_words(f"The recipe {path}", error, model=Recipe, hidden=KINDS)) from error


def _with_dictionary(given: Any, folder: Path) -> Any:
    """Return a recipe with the tables of the data dictionary that it names in their place, relative to it."""
    config = given.get("config") if isinstance(given, dict) else None
    if not isinstance(config, dict) or not isinstance(config.get("tables"), str):
        return given
    return given | {"config": config | {"tables": read_dictionary(folder / config["tables"])}}


def _with_vocabulary(given: Any, folder: Path) -> Any:
    """Return a recipe with the vocabulary of texts that it names, a JSON file, in its place, relative to it."""
    config = given.get("config") if isinstance(given, dict) else None
    text = config.get("text") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(text, dict) or not isinstance(text.get("vocabulary"), str):
        return given
    return given | {"config": config | {"text": text | {"vocabulary": read_json(folder / text["vocabulary"])}}}
