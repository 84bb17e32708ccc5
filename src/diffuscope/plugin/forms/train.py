"""The form "Train" without a widget: what is chosen, and the recipe that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from diffuscope.errors import InputError
from diffuscope.files.put import put_text

#: Text of the choice that begins with no model.
SCRATCH = "From scratch"
# A short warm-up and average, and a low rate, for weights that are nearly right; the shipped recipes' for new ones.
_TUNED = {"learning_rate": 2e-4, "warmup": 20, "ema": 0.98}
_NEW = {"learning_rate": 6e-4, "warmup": 200, "ema": 0.999}


@dataclass
class TrainForm:
    """Everything that a user chooses before Train.

    Attributes
    ----------
    data : str
        Folder of pairs, or a table of cases.
    mpp : float
        µm per pixel of files that do not say it; 0: all say it.
    model : str
        Model that goes by a name to fine-tune, or `SCRATCH`.
    stain : str
        Marker of a model from scratch.
    steps : int
        Optimiser steps.
    out : str
        Model folder to write.
    """

    data: str = ""
    mpp: float = 0.0
    model: str = SCRATCH
    stain: str = ""
    steps: int = 300
    out: str = ""

    @property
    def folder(self) -> Path:
        """Run folder of the training, with its checkpoints."""
        return run_folder(self.path)

    @property
    def path(self) -> Path:
        """Model folder to write."""
        return Path(self.out.strip()).expanduser().absolute()

    @property
    def assumed_mpp(self) -> float | None:
        """µm per pixel of files that do not say it, or None."""
        return self.mpp or None

    def source(self) -> Path:
        """Return where the data is.

        Raises
        ------
        InputError
            None is given, or it is not there.
        """
        return data_at(self.data)

    def needs(self) -> dict[str, Any]:
        """Return what says which pictures a case must have: the model to fine-tune, or the keys of one from scratch."""
        return {"keys": ("he", "ihc")} if self.model == SCRATCH else {"model": self.model}

    def recipe(self) -> dict[str, Any]:
        """Return the recipe of what is chosen.

        Raises
        ------
        InputError
            Something is missing.
        """
        data = {"path": str(self.source())} | ({"mpp": self.mpp} if self.mpp else {})
        if not self.out.strip() or self.path.name in ("", ".."):
            raise InputError("Say which folder the model is to be written to.")
        recipe: dict[str, Any] = {"name": self.path.name, "data": data}
        if self.model != SCRATCH:
            recipe["init_from"] = self.model
        elif self.stain.strip():
            recipe |= {"system": "staindiffuser", "config": {"stain": self.stain.strip(), "size": "small"}}
        else:
            raise InputError("Say which stain the pairs show, e.g. CD3.")
        optimisation = {"steps": self.steps, "batch": 4, "validations": 10}
        recipe["optimisation"] = optimisation | (_NEW if self.model == SCRATCH else _TUNED)
        return recipe

    def write(self) -> Path:
        """Write the recipe beside the model to be, as ``OUT.yaml``: `diffuscope train` makes the same of it.

        Raises
        ------
        InputError
            Something is missing, or nothing can be written there.
        """
        recipe = self.recipe()
        path = self.path.with_name(f"{self.path.name}.yaml")
        put_text(path, yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True), replace=True)
        return path


def run_folder(out: Path) -> Path:
    """Return the run folder of the training of a model folder."""
    return out.parent / f"{out.name}.training"


def data_at(text: str) -> Path:
    """Return where the data is that a user has typed.

    Raises
    ------
    InputError
        Nothing is given, or it is not there.
    """
    data = Path(text.strip()).expanduser()
    if not text.strip() or not data.exists():
        raise InputError("Choose the folder of your pairs, or a table of cases (.csv).")
    return data.absolute()
