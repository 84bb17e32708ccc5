"""The most that a configuration may ask for: a model folder may come from anyone, and is built on this machine.

Far above what any published system has; a value beyond is a slip, or meant to fill the memory.
"""

from __future__ import annotations

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


def first_fault(error: ValidationError, *above: str) -> tuple[str, str]:
    """Return where the first wrong entry stands, by its keys and those `above` it, and what is wrong with it."""
    first = error.errors()[0]
    keys = (*above, *(ascii(part)[1:-1] if isinstance(part, str) else str(part) for part in first["loc"]))
    where = ".".join(key if len(key) <= _SHOWN else f"{key[:_SHOWN]}…" for key in keys) or "top"
    said = first["msg"].removeprefix("Value error, ")
    return where, said if len(said) < 300 and said.isprintable() else "it is of another kind"
