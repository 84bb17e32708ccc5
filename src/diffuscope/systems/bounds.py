"""The most that a configuration may ask for: a model folder may come from anyone, and is built on this machine.

Far above what any published system has; a value beyond is a slip, or meant to fill the memory.
"""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Iterator
from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

#: Of every configuration: nothing unknown, nothing that is no number.
STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

#: Side of a tile or of a training patch, px.
SIDE = 2048
#: Diffusion steps of a schedule, and so of a run.
STEPS = 100_000
#: Inputs or outputs of a kind: their networks grow with them.
PORTS = 32

#: What messages, ports and files call something.
Name = Annotated[str, StringConstraints(max_length=200)]
#: µm per pixel: from single molecules to whole bodies.
Resolution = Annotated[float, Field(ge=1e-4, le=1e5)]
#: Weight of a term of a loss.
Weight = Annotated[float, Field(ge=0.0, le=1e6)]

# Of a key that somebody made up, messages show so much.
_SHOWN = 60
# What pydantic calls a value, or nothing, where a model's entries should be.
_NO_ENTRIES = {"model_type", "model_attributes_type", "dict_type"}
# What it says in words of Python.
_IN_WORDS = {
    "tuple_type": "it should be a list, [FIRST, SECOND, …]",
    "list_type": "it should be a list, [FIRST, SECOND, …]",
    "string_type": "it should be text",
    "bool_type": "it should be true or false",
    "bool_parsing": "it should be true or false",
    "none_required": "it should be null",
    "extra_forbidden": "it is not known",
    "missing": "it is missing",
}


def first_fault(error: ValidationError, *above: str) -> tuple[str, str]:
    """Return where the first wrong entry stands, by its keys and those `above` it, and what is wrong with it."""
    first = _first(error)
    keys = (*above, *(ascii(part)[1:-1] if isinstance(part, str) else str(part) for part in first["loc"]))
    where = ".".join(key if len(key) <= _SHOWN else f"{key[:_SHOWN]}…" for key in keys) or "top"
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] in _NO_ENTRIES:
        said = "it should hold entries, KEY: VALUE"
    elif first["type"] in ("too_short", "too_long"):
        most = first["type"] == "too_long"
        bound = f"at most {first['ctx']['max_length']}" if most else f"at least {first['ctx']['min_length']}"
        said = f"it should have {bound} of them, not {first['ctx']['actual_length']}"
    said = _IN_WORDS.get(first["type"], said)
    return where, said if len(said) < 300 and said.isprintable() else "it is of another kind"


def fault_in_words(
    name: str,
    error: ValidationError,
    *,
    model: type[BaseModel],
    above: tuple[str, ...] = (),
    hidden: Container[str] = (),
) -> str:
    """Return the sentence on the first wrong entry of a file that a user wrote.

    Parameters
    ----------
    name : str
        Of the file.
    error : ValidationError
        What is wrong with it.
    model : type of BaseModel
        What it should be: of an unknown key the nearest that may stand in its place is named.
    above : tuple of str
        Keys of the file that the model stands under.
    hidden : container of str
        What pydantic has among the keys and no file has.
    """
    first = _first(error)
    where, said = first_fault(error, *above)
    if not first["loc"] and not above:
        return f"{name} cannot be used: {said}."
    where = ".".join(key for key in where.split(".") if key not in hidden)
    hint = _hint(model, first["loc"]) if first["type"] == "extra_forbidden" else ""
    return f"{name} has a wrong entry at {where!r}: {said}{hint}."


def _first(error: ValidationError) -> ErrorDetails:
    """Return the first fault; of a key that is missing, the unknown one that may be meant for it."""
    first, *more = error.errors()
    unknown = (one for one in more if one["type"] == "extra_forbidden" and one["loc"][:-1] == first["loc"][:-1])
    return next(unknown, first) if first["type"] == "missing" else first


def _hint(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """Return which key is meant by an unknown one: the nearest of its place, else of the entries of the whole."""
    *above, key = map(str, place)
    here = {name for one in _models_at(model, above) for name in one.model_fields}
    if near := difflib.get_close_matches(key, here, n=1):
        return f" (did you mean {near[0]!r}?)"
    others = (entry for entry in model.model_fields if entry not in above)
    below = {name: entry for entry in others for one in _models_at(model, [entry]) for name in one.model_fields}
    near = difflib.get_close_matches(key, below, n=1)
    return f" (did you mean {near[0]!r} in {below[near[0]]!r}?)" if near else ""


def _models_at(model: type[BaseModel], place: Iterable[str]) -> list[type[BaseModel]]:
    """Return what may stand at a place of a model; there, items of lists and keys of dictionaries are on the way."""
    found = [model]
    for key in place:
        # Of kinds of an entry, the place says which by the name of its class.
        kinds = [one for one in found if one.__name__.lower() == key]
        fields = [one.model_fields[key] for one in found if key in one.model_fields]
        found = kinds or [one for field in fields for one in _models_in(field.annotation)] or found
    return found


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
