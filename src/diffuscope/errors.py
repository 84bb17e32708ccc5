"""Errors that a user is meant to read: one sentence that names the file and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Longest sentence, and what is kept of the two ends of a longer one: somebody made up a name of a million letters.
_LONGEST, _BEGIN, _END = 600, 380, 200
# Most lines of one message.
_LINES = 20
# Names of which all are listed; and how many of more are.
_FEW, _NEAREST = 8, 3


class DiffuscopeError(Exception):
    """Base of every error that is told to the user as one sentence, without a traceback.

    What it quotes may come from a file of anyone: it is one line that a terminal shows as it is (see `printable`).
    """

    def __init__(self, sentence: str = "") -> None:
        shown = printable(sentence)
        if len(shown) > _LONGEST:
            shown = f"{shown[:_BEGIN]} … {shown[-_END:]}"
        super().__init__(shown)


class InputError(DiffuscopeError):
    """What the user gave cannot be used: a file, a number, a model, a device, a place to write."""


class InputErrors(InputError):  # noqa: N818  several of them
    """Several things that cannot be used, told in one go: a line each, of many the first.

    Parameters
    ----------
    *sentences : str
        At least one; what all have in common stands in the first.
    """

    def __init__(self, *sentences: str) -> None:
        super().__init__(sentences[0])
        # As they were given, so that another process makes the same of them.
        self.args = sentences

    def __str__(self) -> str:
        """Return the lines."""
        rest = len(self.args) - _LINES
        shown = [str(InputError(one)) for one in self.args[:_LINES]]
        return "\n".join([*shown, f"… and {rest} more"] if rest > 0 else shown)


def choice(name: str, among: Iterable[str], *, page: str = "") -> str:
    """Return the way out of a name that is none of those there are: all of them, or the nearest where they are many.

    Parameters
    ----------
    name : str
        What was asked for.
    among : iterable of str
        What there is.
    page : str, optional
        Of the docs, that lists many.

    Returns
    -------
    str
        As ``"choose one of fast, mean"``, or ``"choose one of cross-ct, cross-mri, cross-xray or 22 others"``.
    """
    there = list(among)
    if len(there) <= _FEW:
        return f"choose one of {', '.join(there)}"
    near = difflib.get_close_matches(name, there, n=_NEAREST, cutoff=0.0)
    listed = f" ({page} lists all)" if page else ""
    return f"choose one of {', '.join(near)} or {len(there) - len(near)} others{listed}"


def printable(text: str) -> str:
    """Return a text as one line, with what would move a terminal's cursor or change its colours spelled out."""
    text = str(text)
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
