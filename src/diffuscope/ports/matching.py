"""Which channel of a file belongs to which input of a system, guessed from their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from diffuscope.ports.raster import Raster

# What laboratories call the same thing, by a word of the port's name or key; the likeliest first.
_SYNONYMS = {
    "vessels": ("cd31", "pecam1", "pecam", "vessel", "endothelium", "endothelial", "cd34", "lectin", "vasculature"),
    "nuclei": ("dapi", "hoechst", "nuclei", "nucleus", "nuclear", "nuc", "dna", "draq5", "sytox", "histone", "hh3"),
    "t1": ("t1w", "t1", "mprage"),
    "t2": ("t2w", "t2"),
    "flair": ("flair",),
    "ct": ("ct",),
}
# A word this short is believed only where it stands alone: "nuc" is also in "nucleolin".
_SHORT = 3


def guess_channels(names: Sequence[str], ports: Sequence[Raster]) -> dict[str, int] | None:
    """Match the channels of a file to the inputs of a system.

    Every input takes the channel that fits its name, key or synonyms best: the same name first, then a word of it,
    then the beginning of a word; words of the port before synonyms, earlier synonyms before later ones. Where one
    input has no such channel, or two want the same, nothing is guessed at all.

    Parameters
    ----------
    names : sequence of str
        Of the channels, as the file has them.
    ports : sequence of Raster
        Inputs, of one channel each.

    Returns
    -------
    dict of str to int, or None
        Number of the channel by port key; None where the names do not tell.
    """
    found = {}
    for port in ports:
        words = port_words(port)
        scores = [_score(name, words) for name in names]
        best = max(scores, default=0)
        if not best or scores.count(best) > 1:
            return None
        found[port.key] = scores.index(best)
    return found if len(set(found.values())) == len(found) else None


def guess_each(names: Sequence[str], ports: Sequence[Raster]) -> dict[str, int]:
    """Match as many inputs of a system as names tell, where it can do without the others.

    The closest pair of a name and an input comes first, and neither is taken twice: ``t1_fast`` is T1 only where no
    input is called so. Where two names fit an input alike, it is left open.

    Parameters
    ----------
    names, ports : sequence
        As of `guess_channels`.

    Returns
    -------
    dict of str to int
        Number of the name by port key, of those that are told.
    """
    fits = [
        (fit, port.key, number)
        for port in ports
        for number, name in enumerate(names)
        if (fit := _fit(name, port_words(port))) is not None
    ]
    found: dict[str, int] = {}
    open_ports = {port.key for port in ports}
    for best in sorted({fit for fit, _, _ in fits}, reverse=True):
        now = [(key, number) for fit, key, number in fits if fit == best and key in open_ports]
        now = [(key, number) for key, number in now if number not in found.values()]
        for key in dict.fromkeys(key for key, _ in now):
            left = [number for other, number in now if other == key and number not in found.values()]
            open_ports.discard(key)
            if len(left) == 1:
                found[key] = left[0]
    return found


def _fit(name: str, words: Sequence[str]) -> tuple[int, int, int] | None:
    """Return how well a name fits words: its kind, the parts of the word, and how sure the word is; None not at all."""
    lower = name.strip().lower()
    parts = _parts(lower)
    found = []
    for place, word in enumerate(words):
        own = _parts(word)
        if lower == word:
            found.append((2, len(own), -place))
        elif own and any(parts[start : start + len(own)] == own for start in range(len(parts))):
            found.append((1, len(own), -place))
    return max(found, default=None)


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[^a-z0-9]+", text) if part]


def port_words(port: Raster) -> list[str]:
    """Return the words by which an input's channel is known, the surest first."""
    own = [port.name.lower(), port.key.lower(), *(channel.lower() for channel in port.channels)]
    common = [
        word
        for concept, words in _SYNONYMS.items()
        if any(concept in re.split(r"[^a-z0-9]+", one) for one in own)
        for word in words
    ]
    return list(dict.fromkeys([*own, *port.synonyms, *common]))


def _score(name: str, words: Sequence[str]) -> int:
    """Return how well a channel's name fits words; 0 not at all."""
    lower = name.strip().lower()
    parts = re.split(r"[^a-z0-9]+", lower)
    best = 0
    for place, word in enumerate(words):
        if lower == word:
            kind = 3
        elif word in parts:
            kind = 2
        # CD3 is not the beginning of CD31, but DAPI is one of DAPI405.
        elif len(word) > _SHORT and any(
            part.startswith(word) and not (word[-1].isdigit() and part[len(word) :][:1].isdigit()) for part in parts
        ):
            kind = 1
        else:
            continue
        best = max(best, kind * len(words) + len(words) - place)
    return best
