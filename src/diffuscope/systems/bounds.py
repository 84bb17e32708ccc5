"""The most that a configuration may ask for: a model folder may come from anyone, and is built on this machine.

Far above what any published system has; a value beyond is a slip, or meant to fill the memory.
"""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

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
}


def first_fault(error: ValidationError, *above: str) -> tuple[str, str]:
    """Return where the first wrong entry stands, by its keys and those `above` it, and what is wrong with it."""
    first = error.errors()[0]
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


def fault_in_words(name: str, error: ValidationError, *, known: Iterable[str], hidden: Container[str] = ()) -> str:
    """Return the sentence on the first wrong entry of a file that a user wrote.

    Parameters
    ----------
    name : str
        Of the file.
    error : ValidationError
        What is wrong with it.
    known : iterable of str
        Keys that there are; the nearest to an unknown one is named.
    hidden : container of str
        What pydantic has among the keys and no file has.
    """
    first = error.errors()[0]
    where, said = first_fault(error)
    if not first["loc"]:
        return f"{name} cannot be used: {said}."
    where = ".".join(key for key in where.split(".") if key not in hidden)
    near = difflib.get_close_matches(str(first["loc"][-1]), list(known), n=1)
    hint = f" (did you mean {near[0]!r}?)" if near and first["type"] == "extra_forbidden" else ""
    return f"{name} has a wrong entry at {where!r}: {said}{hint}."
