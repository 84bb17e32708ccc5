"""Recipes: one YAML file makes one shipped model again."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from diffuscope.errors import InputError
from diffuscope.zoo.card import ModelCard


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


class Optimisation(_Strict):
    """How long and how to train.

    Attributes
    ----------
    steps, batch : int
        Optimiser steps and crops a step.
    learning_rate : float
        Peak of AdamW's rate: linear warm-up over `warmup` steps, then cosine to a tenth.
    warmup : int
        Steps of warm-up.
    ema : float
        Decay of the averaged weights, which are the ones that ship.
    seed : int
        Batch, noise and augmentation are functions of (seed, step).
    """

    steps: int = Field(gt=0)
    batch: int = Field(default=4, gt=0)
    learning_rate: float = Field(default=4e-4, gt=0)
    warmup: int = Field(default=200, ge=0)
    ema: float = Field(default=0.999, gt=0, lt=1)
    seed: int = 0


class Recipe(_Strict):
    """What makes a model: system, data, optimisation and card.

    Attributes
    ----------
    name : str
        Name of the model folder.
    system : str
        A system's name.
    config : dict
        The system's configuration.
    stain : {"CD3", "CK8/18"}, optional
        What the teacher paints; this or `stains`.
    stains : tuple of {"CD3", "CK8/18"}
        What it paints in turns, one stain a batch, for a system of several stains.
    masks : {"threshold", "learned"}
        Where the coarse masks come from: the DAB threshold, or a segmentation network that learned from those masks
        and is then asked instead (see `diffuscope.training.masks`).
    sources : tuple of Source
        H&E files.
    positive_share : float
        Share of crops that are centred on a positive cell: sparse stains are otherwise rarely seen.
    phantoms : int
        Number of simulated tissues beside the sources.
    phantom_weight : float
        Share of crops of all phantoms together, relative to the sources.
    optimisation : Optimisation
        See there.
    card : ModelCard
        The card, without figures.
    """

    name: str
    system: str
    config: dict[str, Any]
    stain: Literal["CD3", "CK8/18"] | None = None
    stains: tuple[Literal["CD3", "CK8/18"], ...] = ()
    masks: Literal["threshold", "learned"] = "threshold"
    sources: tuple[Source, ...] = Field(min_length=1)
    positive_share: float = Field(default=0.5, ge=0, le=1)
    phantoms: int = Field(default=0, ge=0)
    phantom_weight: float = Field(default=1.0, gt=0)
    optimisation: Optimisation
    card: ModelCard

    @model_validator(mode="after")
    def _check_stains(self) -> Self:
        if (self.stain is None) == (not self.stains):
            raise ValueError("a recipe states either stain or stains")
        if self.stains and self.masks == "learned":
            raise ValueError("masks are learned for one stain, and a system of several stains has no use for them")
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
        where = ".".join(str(part) for part in first["loc"])
        near = difflib.get_close_matches(str(first["loc"][-1]), _keys(Recipe), n=1) if first["loc"] else []
        hint = f" (did you mean {near[0]!r}?)" if near and first["type"] == "extra_forbidden" else ""
        raise InputError(f"The recipe {path} has a wrong entry at {where!r}: {first['msg']}{hint}.") from error


def _keys(model: type[BaseModel]) -> list[str]:
    """Field names of a model and of the models in it."""
    names = list(model.model_fields)
    for nested in (Source, Optimisation, ModelCard):
        names += list(nested.model_fields)
    return names
