"""Texts of a result as a plain file, whose last line says what made them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.errors import InputError
from diffuscope.exports.table import ALL
from diffuscope.results.beside.mark import generated_by, signed

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


def _text(request: Request) -> str:
    names = {port.key: port.name for port in request.result.others}
    texts = {names[key]: request.result.texts[key].text.strip() for key in request.texts}
    said = texts.values() if len(texts) == 1 else (f"{name}:\n{text}" for name, text in texts.items())
    return signed("\n\n".join(said), generated_by(request.record))
