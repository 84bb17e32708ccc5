"""Names of files in records and commands, without folders, which may tell whose they are, but for those it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def names_apart(paths: Sequence[Path]) -> list[str]:
    """Return the name of each file, with as many of its nearest folders as it takes to know it from the others.

    Parameters
    ----------
    paths : sequence of Path
        A file that is there twice has one name.

    Returns
    -------
    list of str
        With slashes, in the order of `paths`.
    """
    whole = [(path.parent.resolve() / path.name).parts for path in paths]
    return [Path(*parts[-_needed(parts, whole) :]).as_posix() for parts in whole]


def _needed(parts: tuple[str, ...], others: Sequence[tuple[str, ...]]) -> int:
    """Return how many of the last parts no other path ends with."""
    return next(
        (
            count
            for count in range(1, len(parts))
            if not any(other != parts and other[-count:] == parts[-count:] for other in others)
        ),
        len(parts),
    )
