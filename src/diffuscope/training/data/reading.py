"""Cases read one after the other, which of thousands takes minutes: how far that is, and how it is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from diffuscope.cases import Case
from diffuscope.events import Progress
from diffuscope.training.data.batches import TrainingData

T = TypeVar("T")

# Seconds between two reports.
_EVERY = 0.5

#: Takes how far the reading is, before each case and after the last; what it raises ends the reading.
Tell = Callable[[Progress], object]


@dataclass(frozen=True)
class Found:
    """What a round is trained on, before any of its pictures is opened.

    Attributes
    ----------
    parts : mapping of str to str
        Part (``"train"``, ``"validation"``, ``"test"``) of each case; empty for simulated data.
    read : callable
        Opens all that trains and validates, and says how far it is.
    """

    parts: Mapping[str, str]
    read: Callable[[Tell], TrainingData]


class Cancelled(Exception):  # noqa: N818  nothing went wrong
    """The reading was cancelled."""


def untold(_at: Progress) -> None:
    """Tell nobody how far it is."""


def told(items: Sequence[T], tell: Tell, *, unit: str = "cases") -> Iterator[T]:
    """Yield what is to be read, and tell how much of it was.

    Parameters
    ----------
    items : sequence
        What is read, one after the other.
    tell : callable
        Who is told.
    unit : str
        What they are, in the plural.
    """
    for done, item in enumerate(items):
        tell(_at(done, len(items), unit))
        yield item
    tell(_at(len(items), len(items), unit))


def read_parts(
    parts: Mapping[str, Sequence[Case]], read: Callable[[Case, bool], T], tell: Tell
) -> tuple[list[T], list[T]]:
    """Return what is read of the cases that train, and of those that validate.

    Parameters
    ----------
    parts : mapping of str to sequence of Case
        With ``"train"`` and ``"validation"``.
    read : callable
        Takes a case, and whether it trains.
    tell : callable
        As of `told`.
    """
    train, held = parts["train"], parts["validation"]
    found = [read(case, number < len(train)) for number, case in enumerate(told([*train, *held], tell))]
    return found[: len(train)], found[len(train) :]


def telling(report: Callable[[Progress], object], cancelled: Callable[[], bool]) -> Tell:
    """Return what reports how far the reading is, not more than twice a second, and ends it where it is cancelled.

    Parameters
    ----------
    report : callable
        Takes what is reported: the beginning and the end always.
    cancelled : callable
        Looked at each time.

    Raises
    ------
    Cancelled
        When told, where it is cancelled.
    """
    last = 0.0

    def tell(at: Progress) -> None:
        nonlocal last
        if cancelled():
            raise Cancelled
        if at.done in (0, at.total) or monotonic() - last >= _EVERY:
            last = monotonic()
            report(at)

    return tell


def _at(done: int, total: int, unit: str) -> Progress:
    return Progress(done=done, total=total, unit=unit, what="reading the data")
