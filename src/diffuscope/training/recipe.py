"""Recipes: one YAML file makes one model, a shipped one again or a user's own."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from diffuscope.errors import InputError
from diffuscope.model.card import ModelCard


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """One H&E file to train on.

    Attributes
    ----------
    file : str
        Path relative to the data folder (the package's sample data by default).
    mpp : float, optional
        Assumed µm per pixel of a file that states none.
    evidence : str
        Why that value, in one sentence; required with `mpp`.
    weight : float
        Share of crops, relative to the other sources.
    """

    file: str
    mpp: float | None = Field(default=None, gt=0)
    evidence: str = ""
    weight: float = Field(default=1.0, gt=0)


class Cases(_Strict):
    """A user's own cases to train on, pictures or volumes (see `diffuscope.cases.find_cases`).

    Attributes
    ----------
    path : str
        Folder of one sub-folder a port key, or a table (.csv) of cases; relative to the recipe.
    mpp : float, optional
        µm per pixel of pictures that do not state it.
    validation : float
        Share of the groups (patients or slides) that are kept apart to validate, where no case states a part. Groups
        that state ``test`` are never read.
    validate_on, test_on : tuple of str
        Groups by name that validate, and that are never read, whatever the data states; where any is named to
        validate, no share is taken.
    tissue : float, optional
        Least part of a crop that must be tissue, of a volume foreground; default 0.5, of volumes 0.1.
    stain_augmentation : bool
        Whether the H&E's stain is changed at random, as laboratories and scanners do.
    whole_slices : bool
        Of volumes: train on whole slices instead of crops, each warped at random into the system's patch (see
        `diffuscope.training.data.warp`). A run's tile must hold them.
    elastic : float
        Of whole slices, how strongly they are bent: standard deviation in px of a field of nodes 32 px apart.
    """

    path: str
    mpp: float | None = Field(default=None, gt=0)
    validation: float = Field(default=0.2, gt=0, lt=1)
    validate_on: tuple[str, ...] = ()
    test_on: tuple[str, ...] = ()
    tissue: float | None = Field(default=None, ge=0, le=1)
    stain_augmentation: bool = True
    whole_slices: bool = False
    elastic: float = Field(default=4.0, ge=0)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if both := set(self.validate_on) & set(self.test_on):
            raise ValueError(f"{min(both)} is named both in validate_on and in test_on: keep it in one")
        return self


class Optimisation(_Strict):
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
    """

    steps: int = Field(gt=0)
    batch: int = Field(default=4, gt=0)
    learning_rate: float | Literal["find"] = 4e-4
    warmup: int = Field(default=200, ge=0)
    ema: float = Field(default=0.999, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)
    validations: int = Field(default=10, gt=0)
    patience: int | None = Field(default=None, gt=0)
    keep: Literal["best", "last"] = "best"
    checkpoint_every: int = Field(default=500, gt=0)
    compile: bool | None = None

    @field_validator("learning_rate")
    @classmethod
    def _positive(cls, value: float | str) -> float | str:
        if isinstance(value, float) and not value > 0:
            raise ValueError("should be greater than 0")
        return value


class Recipe(_Strict):
    """What makes a model: system, data, optimisation and card.

    It trains either on `data`, a user's own cases, or on `sources` that the teacher restains.

    Attributes
    ----------
    name : str
        Name of the model.
    system : str
        A system's name; may be left out with `init_from`.
    config : dict
        The system's configuration; with `init_from`, what differs from that model's.
    init_from : str, optional
        Model to go on from: a name of the shelf, or a model folder.
    data : Cases, optional
        See there.
    stain : {"CD3", "CK8/18"}, optional
        What the teacher paints; this or `stains`.
    stains : tuple of {"CD3", "CK8/18"}
        What it paints in turns, one stain a batch, for a system of several stains.
    masks : {"threshold", "learned"}
        Where the coarse masks come from: the DAB threshold, or a segmentation network that learned from those masks
        and is then asked instead (see `diffuscope.training.data.masks`).
    sources : tuple of Source
        H&E files for the teacher.
    positive_share : float
        Share of crops that are centred on a cell that the teacher may paint: sparse stains are otherwise rarely seen.
    phantoms : int
        Number of simulated tissues beside the sources.
    phantom_weight : float
        Share of crops of all phantoms together, relative to the sources.
    optimisation : Optimisation
        See there.
    card : ModelCard, optional
        The card, without figures; default: one that says what the recipe says. `sources` need one.
    """

    name: str = Field(min_length=1)
    system: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    init_from: str | None = None
    data: Cases | None = None
    stain: Literal["CD3", "CK8/18"] | None = None
    stains: tuple[Literal["CD3", "CK8/18"], ...] = ()
    masks: Literal["threshold", "learned"] = "threshold"
    sources: tuple[Source, ...] = ()
    positive_share: float = Field(default=0.5, ge=0, le=1)
    phantoms: int = Field(default=0, ge=0)
    phantom_weight: float = Field(default=1.0, gt=0)
    optimisation: Optimisation
    card: ModelCard | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.data is None) == (not self.sources):
            raise ValueError("give either data (your own cases) or sources (H&E for the teacher), and not both")
        if self.sources and (self.stain is None) == (not self.stains):
            raise ValueError("a recipe with sources states either stain or stains")
        if self.sources and self.card is None:
            raise ValueError("a recipe with sources has a card")
        if self.stains and self.masks == "learned":
            raise ValueError("masks are learned for one stain, and a system of several stains has no use for them")
        if not self.system and self.init_from is None:
            raise ValueError("give a system, or a model to go on from (init_from)")
        return self


def load_recipe(path: Path | str) -> Recipe:
    """Read and check a recipe.

    Raises
    ------
    InputError
        For no file, no YAML, or a wrong key (named with the nearest right one).
    """
    path = Path(path)
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"The recipe {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise InputError(f"The recipe {path} is not YAML: {str(error).splitlines()[0]}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise InputError(f"The recipe {path} is not whole: {said}.") from error
        where = ".".join(str(part) for part in first["loc"])
        near = difflib.get_close_matches(str(first["loc"][-1]), _keys(Recipe), n=1)
        hint = f" (did you mean {near[0]!r}?)" if near and first["type"] == "extra_forbidden" else ""
        raise InputError(f"The recipe {path} has a wrong entry at {where!r}: {said}{hint}.") from error


def _keys(model: type[BaseModel]) -> list[str]:
    """Field names of a model and of the models in it."""
    names = list(model.model_fields)
    for nested in (Source, Cases, Optimisation, ModelCard):
        names += list(nested.model_fields)
    return names
