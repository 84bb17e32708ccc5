"""What a result holds beside images, a row for each kind of port. A new kind is its port, its files and a row here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffuscope.ports.port import Port
from diffuscope.ports.score import Score
from diffuscope.ports.table import Table
from diffuscope.ports.text import Text
from diffuscope.results.beside.rows import ROWS, read_rows, write_rows
from diffuscope.results.beside.texts import TEXTS, read_texts, write_texts
from diffuscope.results.scores import SCORES, read_scores, write_scores


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How one kind of output that is no image lies in a result folder.

    Attributes
    ----------
    port : type
        Its port.
    name : str
        Of its file or folder there.
    write : callable
        Writes what a system gave, by port key: of a tensor its numbers as (nested) lists, else as it is.
    read : callable
        From the folder and the ports, what is shown by port key.
    summary : callable
        Returns what is shown in words.
    """

    port: type[Port]
    name: str
    write: Callable[[Path, Mapping[str, Any]], None]
    read: Callable[[Path, Sequence[Port]], Mapping[str, Any]]
    summary: Callable[[Any], str]


KINDS = (
    Kind(port=Score, name=SCORES, write=write_scores, read=read_scores, summary=lambda scored: scored.summary),
    Kind(port=Table, name=ROWS, write=write_rows, read=read_rows, summary=lambda row: row.summary),
    Kind(port=Text, name=TEXTS, write=write_texts, read=read_texts, summary=lambda written: written.text),
)


def write_others(folder: Path, given: Mapping[str, Any], ports: Sequence[Port]) -> None:
    """Write what a system gave beside images, by port key, into a result folder."""
    for kind in KINDS:
        own = {port.key: given[port.key] for port in ports if isinstance(port, kind.port) and port.key in given}
        if own:
            kind.write(folder, own)


def read_others(folder: Path, ports: Sequence[Port]) -> dict[str, Any]:
    """Read what `write_others` wrote, by port key; nothing before a run has ended."""
    return {key: value for kind in KINDS for key, value in kind.read(folder, ports).items()}


def summaries(found: Mapping[str, Any], ports: Sequence[Port]) -> Iterator[tuple[str, str]]:
    """Yield the name of each port of which something was found, and what that is in words."""
    for kind in KINDS:
        for port in ports:
            if isinstance(port, kind.port) and port.key in found:
                yield port.name, kind.summary(found[port.key])
