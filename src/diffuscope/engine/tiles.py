"""The engine: tiles from whatever computes them onto a canvas, as a generator of events."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from typing import Any

from diffuscope.engine.batch import Unread
from diffuscope.engine.compute import Compute
from diffuscope.engine.events import Event, Finished, Started, Step, TileDone
from diffuscope.engine.queue import Focus, TileQueue
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.results.canvas import Canvas
from diffuscope.results.computed import Computed, Halved, Unlike
from diffuscope.tiling.plan import Tile

# Coarser levels follow every two seconds, or later where that would take more than so much of the time of cores that
# also compute.
REFRESH_SECONDS, REFRESH_SHARE = 2.0, 0.02
# Finished tiles that may wait to be written, or two batches where these are larger: more would hide a disk that is too
# slow, and fill the memory.
BEHIND = 4
# So many tiles in a row that cannot be read are a drive that is gone, not a damaged spot.
GONE = 20


def run_tiles(
    compute: Compute,
    canvas: Canvas,
    *,
    notices: Sequence[str] = (),
    focus: Focus = lambda: None,
    last: Callable[[], None] = lambda: None,
    unit: str = "tiles",
) -> Generator[Event, None, None]:
    """Compute every tile of a canvas's plan that is not done yet.

    Writing has a thread of its own: while one tile is blended and written, the next is computed.

    Parameters
    ----------
    compute : Compute
        What computes the tiles: `LocalCompute` or a cluster.
    canvas : Canvas
        Where they go; finished (composed, pyramid, metadata) when the iterator ends, however it ends.
    notices : sequence of str
        Passed on in `Started`.
    focus : callable
        Where the user looks, level-0 px (y, x): tiles near there come first. None: row by row.
    last : callable
        Called of a result that is whole, before it says so (see `Canvas.finish`).
    unit : str
        What the user calls tiles, as of `Started`.

    Yields
    ------
    Event
        Started; Preview, TileDone and Notice in turns; Finished. Coarser levels of the canvas follow every two
        seconds, or seldomer where they are large.

    Raises
    ------
    InputError
        Not even one tile fits into memory, or no tile can be read any more. What is done is kept.
    """
    tiles, unread, in_a_row, behind = canvas.plan.count, 0, 0, BEHIND
    writer = _Writer(canvas, unit)
    finished = False
    try:
        yield Started(out=str(canvas.path), tiles=tiles, done=canvas.count, unit=unit, notices=tuple(notices))
        with closing(compute(TileQueue(canvas.plan, canvas.done, focus))) as items:
            for item in items:
                match item:
                    case Computed():
                        writer.put(item)
                        in_a_row, behind = 0, max(BEHIND, 2 * item.batch)
                    case Unread():
                        unread, in_a_row = unread + 1, in_a_row + 1
                        if in_a_row == GONE:
                            raise InputError(
                                f"{GONE} tiles in a row could not be read ({item.reason}): see that the input is still "
                                f"there. Finished tiles are kept; --resume goes on."
                            )
                        if unread == 1:
                            yield Notice(
                                f"The tile at {_where(item.tile)} could not be read ({item.reason}); "
                                "the run goes on without it."
                            )
                    case Halved():
                        writer.amend(partial(_with_batch, batch=item.batch))
                        yield Notice(
                            f"Memory was too small: {item.batch} at once from here. "
                            "The last bits may differ from those of a run that began so."
                        )
                    case Unlike():
                        writer.amend(partial(_with_notice, sentence=item.sentence))
                        yield Notice(item.sentence)
                    case Step() | Notice() | Progress():
                        yield item
                yield from writer.done(wait_beyond=behind)
        yield from writer.done(wait_beyond=0)
        writer.close()
        complete = canvas.finish(last)
        finished = True
        yield Finished(
            out=str(canvas.path),
            complete=complete,
            done=canvas.count,
            tiles=tiles,
            seconds=writer.seconds(),
            unit=unit,
            unread=unread,
        )
    finally:
        # While Python ends, zarr's threads answer no more; what is kept by then is safe for --resume as it is.
        if not finished and not sys.is_finalizing():
            # Closed or failed: keep what is done. A full disk, or a result that another process took over, fails here
            # again, and the first error is the one to tell.
            with suppress(OSError, InputError):
                writer.close()
                canvas.finish(last)


def _where(tile: Tile) -> str:
    """Return a tile's place in words, e.g. ``"y 512, x 256"``."""
    return ", ".join(f"{axis} {at}" for axis, at in zip("zyx"[-len(tile.corner) :], tile.corner, strict=True))


def _with_batch(record: dict[str, Any], batch: int) -> dict[str, Any]:
    """Note that the batch has another size: such a result is not repeated to the bit."""
    compute = record["compute"]
    sizes = [*compute.get("batches", [compute["batch"]]), batch]
    return {**record, "compute": {**compute, "batch": batch, "batches": sizes}}


def _with_notice(record: dict[str, Any], sentence: str) -> dict[str, Any]:
    # A run that was broken off had it already.
    return {**record, "notices": list(dict.fromkeys([*record.get("notices", ()), sentence]))}


class _Writer:
    """Writes finished tiles in the background, all that wait at once, and says when each is on disk."""

    def __init__(self, canvas: Canvas, unit: str) -> None:
        self._canvas, self._unit = canvas, unit
        self._thread = ThreadPoolExecutor(1, "diffuscope-write")
        self._pyramid = ThreadPoolExecutor(1, "diffuscope-pyramid")
        self._refreshed: Future[None] | None = None
        self._lock = threading.Lock()
        self._group: list[tuple[Computed, Future[TileDone]]] = []
        self._waiting: deque[Future[TileDone]] = deque()
        self._failed: BaseException | None = None
        self._start = time.perf_counter()
        self._due = self._start + REFRESH_SECONDS

    def put(self, item: Computed) -> None:
        written: Future[TileDone] = Future()
        self._waiting.append(written)
        with self._lock:
            self._group.append((item, written))
        self._thread.submit(self._write)

    def amend(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the record, after what was computed before is written."""
        self._thread.submit(self._canvas.amend, change).result()

    def done(self, *, wait_beyond: int) -> Generator[TileDone, None, None]:
        """Yield what is written; wait until no more than so many tiles are not."""
        while self._waiting and (len(self._waiting) > wait_beyond or self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start

    def close(self) -> None:
        """Write what still waits, and end the thread; where one write fails, the rest is not tried."""
        try:
            for written in self._waiting:
                written.result()
        finally:
            self._waiting.clear()
            self._thread.shutdown(cancel_futures=True)
            self._pyramid.shutdown()
        if self._refreshed is not None:
            self._refreshed.result()

    def _write(self) -> None:
        """Write the tiles that came since the last call, none or several."""
        with self._lock:
            group, self._group = self._group, []
        if not group:
            return
        told: list[TileDone] = []
        try:
            if self._failed is None:
                told = self._write_group([item for item, _ in group])
        except BaseException as error:  # noqa: BLE001  it is the one's to raise who waits
            self._failed = error
        if self._failed is not None:
            for _, written in group:
                written.set_exception(self._failed)
            return
        for (_, written), event in zip(group, told, strict=True):
            written.set_result(event)

    def _write_group(self, group: Sequence[Computed]) -> list[TileDone]:
        before = self._canvas.count
        boxes = self._canvas.write_tiles(group)
        if time.perf_counter() > self._due and (self._refreshed is None or self._refreshed.done()):
            if self._refreshed is not None:
                self._refreshed.result()
            self._refreshed = self._pyramid.submit(self._refresh)
        tiles, seconds = self._canvas.plan.count, self.seconds()
        return [
            TileDone(done=before + number, tiles=tiles, box=box, seconds=seconds, unit=self._unit)
            for number, box in enumerate(boxes, start=1)
        ]

    def _refresh(self) -> None:
        start = time.perf_counter()
        self._canvas.refresh()
        end = time.perf_counter()
        # Threads of an executor are there where cores are free beside what computes.
        share = REFRESH_SHARE if self._canvas.each is map else 1.0
        self._due = end + max(REFRESH_SECONDS, (end - start) / share)
