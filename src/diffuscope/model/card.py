"""What a model folder states in its config.json: system, configuration, card, and the hash of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffuscope.errors import InputError
from diffuscope.files.read import read_json
from diffuscope.ports.seen import Seen
from diffuscope.systems.bounds import first_fault

CONFIG = "config.json"
# Bytes; those that ship have 5 kB.
_MOST = 2_000_000


class ModelCard(BaseModel):
    """What a user must know before running a model.

    Attributes
    ----------
    title : str
        What lists and docks show.
    what_it_is, what_it_is_not : str
        One or two sentences each, shown in the dock.
    data : str
        What it was trained on, with sources.
    licence : str
        Of the weights.
    trained_on : str
        Truth in few words, e.g. ``"simulated CD3: a rule applied to real H&E"``.
    simulated : bool
        Whether the truth came from a rule or a simulator instead of a measurement.
    simulated_before : str
        Where it was fine-tuned on what is no such truth: the demonstration that it began from, and what that learned
        from.
    figures : dict of str to float
        Measured on the stored file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    what_it_is: str
    what_it_is_not: str
    data: str
    licence: str
    trained_on: str
    simulated: bool
    simulated_before: str = ""
    figures: dict[str, float] = Field(default_factory=dict)


class ModelConfig(BaseModel):
    """The contents of config.json.

    Attributes
    ----------
    format : 1
        Version of this layout.
    system : str
        Name in `diffuscope.systems.registry`.
    config : dict
        The system's own configuration.
    card : ModelCard
        See there.
    sha256 : str
        Of model.safetensors, hexadecimal.
    recipe : str
        The command that made the weights; empty where nobody said.
    seen : dict of str to Seen
        By key of an input, how the images of training look; an input that is not there is not compared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    system: str
    config: dict[str, Any]
    card: ModelCard
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    recipe: str = ""
    seen: dict[str, Seen] = Field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the contents of the file: versions that do not know of an entry read what does not state it."""
        stated = self.model_dump()
        for entries, key in ((stated, "seen"), (stated["card"], "simulated_before")):
            if not entries[key]:
                del entries[key]
        return stated


def read_config(folder: Path) -> ModelConfig:
    """Read and check a model folder's config.json.

    Raises
    ------
    InputError
        There is none, it is no JSON, no plain file or a link out of the folder, or an entry is missing, unknown or
        wrong.
    """
    path = folder / CONFIG
    try:
        return ModelConfig.model_validate(read_json(path, most=_MOST, inside=folder))
    except OSError as error:
        raise InputError(
            f"{folder} is not a model folder: it has no readable {CONFIG}; "
            "name a model that `diffuscope models` lists, or such a folder."
        ) from error
    except ValueError as error:  # no JSON, or (pydantic's own kind) a wrong entry
        if not isinstance(error, ValidationError):
            raise InputError(f"{path} is not JSON: fetch the model again.") from error
        where, said = first_fault(error)
        raise InputError(f"{path} has a wrong entry at {where}: {said}.") from error


def is_model(folder: Path) -> bool:
    """Whether a folder has a config.json of Diffuscope's, whole or of a version that this one does not read."""
    with suppress(InputError, OSError, ValueError):
        stated = read_json(folder / CONFIG, most=_MOST, inside=folder)
        return isinstance(stated, dict) and {"system", "sha256"} <= stated.keys()
    return False


@contextmanager
def right_config(folder: Path) -> Iterator[None]:
    """Turn what is wrong with a system's own configuration into a sentence that names the model folder.

    Raises
    ------
    InputError
        Instead of pydantic's error.
    """
    try:
        yield
    except ValidationError as error:
        where, said = first_fault(error, "config")
        raise InputError(f"{folder / CONFIG} has a wrong entry at {where}: {said}.") from error
