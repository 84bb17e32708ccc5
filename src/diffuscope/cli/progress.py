"""How far a run is: a bar on a terminal, a line now and then elsewhere.

On standard error, which leaves standard output to results.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from time import monotonic

from diffuscope.engine.events import Event, Finished, Notice, Preview, Started, TileDone

# Seconds between two lines where there is no terminal.
EVERY = 10.0

Show = Callable[[float, int, str], None]


def follow(events: Generator[Event, None, None]) -> Finished:
    """Show a run until it ends.

    Parameters
    ----------
    events : generator of Event
        From `diffuscope.api.run.run`.

    Returns
    -------
    Finished
        Its last event.
    """
    with closing(events), _bar() if sys.stderr.isatty() else _lines() as show:
        done, tiles, before, start = 0, 0, 0, monotonic()

        def tell(part: float) -> None:
            # Pace and time left are those of this run, not of the one that it goes on with.
            show(part, tiles, pace(part - before, tiles - before, monotonic() - start))

        for event in events:
            match event:
                case Started():
                    for notice in event.notices:
                        print(notice, file=sys.stderr)
                    tiles, done, before, start = event.tiles, event.done, event.done, monotonic()
                    show(done, tiles, "")
                case Preview():
                    # A tile under way counts by its steps, so that the first ones have a time left as well.
                    tell(done + event.step / event.steps)
                case TileDone():
                    done = event.done
                    tell(done)
                case Notice():
                    print(event.sentence, file=sys.stderr)
                case Finished():
                    return event
    raise AssertionError("a run ends with Finished")


def pace(done: float, tiles: int, seconds: float) -> str:
    """Return speed and time left, e.g. ``"0.35 tiles/s, 0:01:20 left"``.

    Parameters
    ----------
    done : float
        Tiles done, parts of tiles included.
    tiles : int
        Tiles in all.
    seconds : float
        Since the start.
    """
    if done <= 0 or seconds <= 0:
        return ""
    left = timedelta(seconds=round((tiles - done) * seconds / done))
    return f"{done / seconds:.2g} tiles/s, {left} left"


@contextmanager
def _bar() -> Generator[Show, None, None]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Starting", total=None, pace="")

        def show(done: float, tiles: int, pace: str) -> None:
            progress.update(task, completed=done, total=tiles, description=f"{int(done)} of {tiles} tiles", pace=pace)

        yield show


@contextmanager
def _lines() -> Generator[Show, None, None]:
    last = monotonic()

    def show(done: float, tiles: int, pace: str) -> None:
        nonlocal last
        if pace and (done == tiles or monotonic() - last >= EVERY):
            print(f"{int(done)} of {tiles} tiles, {pace}", file=sys.stderr)
            last = monotonic()

    yield show
