"""Texts of a result as a plain file, as a user has edited them; a last line says who wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.errors import InputError
from diffuscope.exports.table import ALL
from diffuscope.results.beside.mark import signed

if TYPE_CHECKING:
    from diffuscope.exports.request import Request
    from diffuscope.results.result import Result


def need(request: Request) -> int:
    """Return the size of the file in bytes."""
    return len(_text(request).encode())


def write(part: Path, request: Request) -> None:
    """Write one text as it is, or several under their names, in UTF-8."""
    part.write_bytes(_text(request).encode())


def choose_texts(result: Result, layer: str) -> tuple[str, ...]:
    """Return the keys of the texts that `layer` (a key, a name or ``"all"``) means.

    Raises
    ------
    InputError
        It means none.
    """
    names = {port.key: port.name for port in result.others if port.key in result.texts}
    chosen = tuple(key for key, name in names.items() if layer in (ALL, key, name))
    if not chosen:
        raise InputError(f'{result.path.name} has no text "{layer}": choose one of {", ".join(names)}, or all.')
    return chosen


def edited_notices(request: Request) -> tuple[str, ...]:
    """Say which of the texts that are written are a user's own; nothing where none is."""
    names = {port.name for port in request.result.others if port.key in request.texts}
    return tuple(
        f"Of {name} the text that was edited by hand was written, not the model's own."
        for name in request.result.edited
        if name in names
    )


def _text(request: Request) -> str:
    names, told = {port.key: port.name for port in request.result.others}, request.result.told
    said = [told[key][0] if len(request.texts) == 1 else f"{names[key]}:\n{told[key][0]}" for key in request.texts]
    marks = [told[key][1] for key in request.texts]
    if len(set(marks)) == 1:
        return signed("\n\n".join(said), marks[0])
    return "\n".join(map(signed, said, marks))
