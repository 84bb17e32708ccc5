"""The verb `open`: a slide, a volume or a result, to look at."""

from __future__ import annotations

from pathlib import Path

from diffuscope.results.result import Result, is_result, open_result
from diffuscope.scans import Scan, Volume, open_input


def open(path: str | Path) -> Scan | Volume | Result:  # noqa: A001  the word of the verb
    """Open a slide, a volume or a result to look at it.

    Raises
    ------
    InputError
        It is none of these.
    """
    return open_result(path) if is_result(path) else open_input(path)


#: What it is called on the command line.
info = open
