"""Texts that came out of a case: of each a file for people, and one with the probabilities of its pieces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffuscope.files.durable import replacing
from diffuscope.ports.port import Port
from diffuscope.ports.text import Text, Written
from diffuscope.results.beside.mark import generated_by, signed
from diffuscope.results.opening.about import read_about

TEXTS = "texts"
# A softmax of single precision may be so much more than 1.
_ROUNDED = 1e-5


def write_texts(folder: Path, texts: Mapping[str, str | Written]) -> None:
    """Write texts, by key, into a result folder: ``KEY.txt``, whose last line says what made it, and ``KEY.json``.

    Raises
    ------
    ValueError
        What stands for the probability of a piece is none.
    """
    (folder / TEXTS).mkdir(exist_ok=True)
    about = read_about(folder) or {}
    mark = generated_by(about.get("record", {}))
    for key, given in texts.items():
        written = given if isinstance(given, Written) else Written(given)
        tokens = [(piece, _held(float(chance))) for piece, chance in written.tokens]
        _check(tokens, key)
        stated = {"text": written.text, "tokens": tokens, "note": mark}
        _put(folder / TEXTS / f"{key}.txt", signed(written.text, mark))
        _put(folder / TEXTS / f"{key}.json", json.dumps(stated, ensure_ascii=False, indent=1, allow_nan=False))


def read_texts(folder: Path, others: Sequence[Port]) -> dict[str, Written]:
    """Read what `write_texts` wrote; none before a run has ended.

    Raises
    ------
    ValueError
        A file holds what is none of it.
    """
    found = {}
    for port in others:
        if not isinstance(port, Text):
            continue
        stated, plain = (folder / TEXTS / f"{port.key}{ending}" for ending in (".json", ".txt"))
        if stated.exists():
            found[port.key] = _read(json.loads(stated.read_text(encoding="utf-8")), port.key)
        elif plain.exists():
            # An older Diffuscope wrote the text alone.
            found[port.key] = Written(plain.read_text(encoding="utf-8"))
    return found


def _read(stated: Any, key: str) -> Written:
    text, tokens = stated["text"], tuple(tuple(one) for one in stated["tokens"])
    if isinstance(text, str):
        _check(tokens, key)
        return Written(text, tokens)
    raise ValueError(f"{TEXTS} holds no text of {key}")


def _held(chance: float) -> float:
    """Return a probability without what rounding put beyond 1."""
    return 1.0 if 1.0 < chance < 1.0 + _ROUNDED else chance


def _check(tokens: Sequence[tuple[Any, ...]], key: str) -> None:
    for one in tokens:
        is_pair = len(one) == 2 and isinstance(one[0], str) and isinstance(one[1], float | int)
        if not is_pair or not 0 <= one[1] <= 1:
            raise ValueError(f"{one!r} is no piece of the text {key} with its probability")


def _put(path: Path, text: str) -> None:
    with replacing(path) as opened:
        opened.write(text.encode())
