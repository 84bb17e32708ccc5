"""One channel of a slide that has several, as a slide of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from diffuscope.errors import InputError
from diffuscope.scans.source import Cache, Levels

if TYPE_CHECKING:
    from diffuscope.scans.scan import Scan


def one_channel(scan: Scan, number: int) -> Scan:
    """Return a scan that reads one channel; others are not decoded where they lie apart in the file.

    Parameters
    ----------
    scan : Scan
    number : int
        Of the channel, from 0.
    """
    if len(scan.channels) == 1:
        return scan
    cache = Cache()
    sources = tuple(source.channel(number, cache) for source in scan.sources)
    levels = Levels(sources) if sources else tuple(level[..., number : number + 1] for level in scan.levels)
    return replace(scan, levels=levels, sources=sources, channels=(scan.channels[number],), rgb=False)


def find_channel(channels: tuple[str, ...], request: str, name: str) -> int:
    """Return the number of the channel that a user named, by its name (case does not matter) or counting from 0.

    Parameters
    ----------
    channels : tuple of str
        Names.
    request : str
        As the user wrote it.
    name : str
        Of the file, for messages.

    Raises
    ------
    InputError
        There is none, or there are several of that name.
    """
    named = [number for number, channel in enumerate(channels) if channel.lower() == request.strip().lower()]
    if len(named) == 1:
        return named[0]
    if not named and request.strip().isdecimal() and int(request) < len(channels):
        return int(request)
    listed = ", ".join(f"{number} {channel}" for number, channel in enumerate(channels))
    raise InputError(f'{name} has no channel "{request}" of its own: choose by name or number among {listed}.')
