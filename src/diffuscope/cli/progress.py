"""How far a job is, whichever verb it is of: a bar on a terminal, a line now and then elsewhere.

On standard error, which leaves standard output to results.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from time import monotonic
from typing import Any

from diffuscope.errors import printable
from diffuscope.events import Pace, notices_of

# Seconds between two lines where there is no terminal.
EVERY = 10.0

Show = Callable[[Pace], None]


def follow(events: Generator[Any, None, None]) -> Any:
    """Show a job until it ends.

    Parameters
    ----------
    events : generator of events
        From a verb of `diffuscope.api`.

    Returns
    -------
    event
        Its last one, which says what came out; None where there was none, as in a process that serves a further GPU.
    """
    pace, last = Pace(), None
    with closing(events), _bar() if sys.stderr.isatty() else _lines() as show:
        for last in events:
            for sentence in notices_of(last):
                print(printable(sentence), file=sys.stderr)
            if pace.take(last):
                show(pace)
    return last


def pace_text(pace: Pace) -> str:
    """Return speed and time left, e.g. ``"0.35 tiles/s, 0:01:20 left"``; empty where nobody can say yet."""
    if pace.speed is None or pace.left is None:
        return ""
    left = f"{timedelta(seconds=round(pace.left))} left"
    return f"{pace.speed:.2g} {pace.progress.unit}/s, {left}" if pace.progress.unit else left


@contextmanager
def _bar() -> Generator[Show, None, None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("Starting", total=None, pace="")

        def show(pace: Pace) -> None:
            at = pace.progress
            bar.update(task, completed=at.done, total=at.total or None, description=pace.text, pace=pace_text(pace))

        yield show


@contextmanager
def _lines() -> Generator[Show, None, None]:
    last, stage = monotonic(), ""

    def show(pace: Pace) -> None:
        nonlocal last, stage
        at, speed = pace.progress, pace_text(pace)
        # A stage that has a name is told as it begins; of what is merely counted the end is, and now and then a line.
        named = "" if at.unit else at.what.partition(", ")[0]
        if (named and named != stage) or (speed and (at.done == at.total or monotonic() - last >= EVERY)):
            print(", ".join(part for part in (pace.text, speed) if part), file=sys.stderr)
            last = monotonic()
        stage = named

    yield show
