"""Several generators side by side, a thread each, as one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")

# What a lane may have said that nobody has heard yet: more would hide that the hearer is too slow, and fill the memory.
_UNHEARD = 4
_LOOK_SECONDS = 0.1


def side_by_side(
    lanes: Sequence[Generator[T, None, None]], *, begin: Callable[[], object] = lambda: None
) -> Generator[T, None, None]:
    """Yield what several generators yield, as it comes.

    None waits for another: in step, each would wait at every item for the slowest.

    Parameters
    ----------
    lanes : sequence of generator
        Each runs in a thread of its own, and waits where too little of what it yielded is taken.
    begin : callable
        Called first in each thread.

    Raises
    ------
    BaseException
        The first that a lane raises. The others end where they yield next, as they do when this generator is closed.
    """
    talk = _Talk[T](Queue(_UNHEARD * len(lanes)), threading.Event(), threading.current_thread())
    threads = [threading.Thread(target=talk.run, args=(lane, begin), name="diffuscope-lane") for lane in lanes]
    for thread in threads:
        thread.start()
    try:
        left = len(threads)
        while left:
            item = talk.said.get()
            if not isinstance(item, _Ended):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                left -= 1
    finally:
        talk.stop.set()
        for thread in threads:
            thread.join()


@dataclass(frozen=True)
class _Ended:
    """A lane has ended, by itself or by an error."""

    error: BaseException | None = None


@dataclass(frozen=True)
class _Talk(Generic[T]):
    """What lanes have said and nobody has heard yet, and whether anybody still listens."""

    said: Queue[T | _Ended]
    stop: threading.Event
    hearer: threading.Thread

    def run(self, lane: Generator[T, None, None], begin: Callable[[], object]) -> None:
        """Say what a lane yields, to its end."""
        try:
            begin()
            with closing(lane):
                for item in lane:
                    if not self._say(item):
                        return
            self._say(_Ended())
        except BaseException as error:  # noqa: BLE001  it is the hearer's to raise
            self._say(_Ended(error))

    def _say(self, item: T | _Ended) -> bool:
        while not self.stop.is_set() and not self._is_abandoned():
            try:
                self.said.put(item, timeout=_LOOK_SECONDS)
            except Full:
                continue
            return True
        return False

    def _is_abandoned(self) -> bool:
        """Whether Python ends with the generator unclosed, as a script does that failed while it took items.

        Python waits for the lanes before it closes the generator: they have to end by themselves.
        """
        return not threading.main_thread().is_alive() and not self.hearer.is_alive()
