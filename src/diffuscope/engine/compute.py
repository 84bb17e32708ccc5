"""Tiles through a system on this machine, batch by batch in lanes side by side; the next are read meanwhile.

On a CUDA device nothing waits for a step: a batch's steps are handed to the device while it is at work on those of the
batch before, whose outputs meanwhile come back; recorded once, they are handed over at once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from diffuscope.devices import is_out_of_memory
from diffuscope.engine.batch import Loaded, Read, Sampling, Unread, load, sample_tiles, too_little_memory
from diffuscope.engine.events import Preview, Step
from diffuscope.engine.fetch import Fetch, Pace, Reports, fetch_preview
from diffuscope.engine.lanes import side_by_side
from diffuscope.engine.queue import TileQueue
from diffuscope.engine.recorded import RecordedSampling
from diffuscope.events import Notice, Progress
from diffuscope.results.computed import Computed, Halved, Unlike
from diffuscope.systems.base import Estimate
from diffuscope.tiling.plan import Plan, Tile

if TYPE_CHECKING:
    from diffuscope.ports.settings import SampleSettings
    from diffuscope.systems.base import Tiled

PREVIEW_SECONDS = 0.1
# Batches that are read ahead: one is waited for, one may be slow.
AHEAD = 2


#: What computes the tiles of a queue, here or elsewhere. None tells that time went by; cancelled, it just ends.
Items = Generator[Step | Progress | Computed | Unread | Halved | Unlike | Notice | None, None, None]
Compute = Callable[[TileQueue], Items]


@dataclass(frozen=True, kw_only=True)
class LocalCompute:
    """The `Compute` of this process.

    Attributes
    ----------
    system : Tiled
        In eval mode, on `device`.
    read : callable
        The inputs of a tile.
    plan : Plan
        Where tiles lie.
    settings : SampleSettings
        Sampler, steps, samples.
    seed : int
        Key of the noise.
    batch : int
        Tiles at once. The last batch is padded by repeating its last tile, because kernels differ in the
        last bits between batch shapes. Where memory does not hold it, it is halved.
    lanes : int
        Batches that are computed side by side, each by as many CPU threads as the caller's: small tiles keep two cores
        busier as two lanes of one thread than as one of two. Nothing of a result depends on it.
    device : torch.device
        Where the network runs.
    others : tuple of (Tiled, torch.device)
        Copies of the system on further devices, each of which computes in a lane of its own.
    readers : int
        Threads that read, and decode, tiles.
    messages : deque of str
        Sentences for the user, put there by whatever runs in the lanes.
    precision : {"fp32", "bf16"}
        bf16: the network's evaluations run under autocast.
    cancelled : callable
        Looked at before every network evaluation; the batch at hand is dropped when it returns True.
    """

    system: Tiled
    read: Read
    plan: Plan
    settings: SampleSettings
    seed: int
    batch: int
    device: torch.device
    precision: str
    lanes: int = 1
    others: tuple[tuple[Tiled, torch.device], ...] = ()
    readers: int = 1
    messages: deque[str] = field(default_factory=deque)
    cancelled: Callable[[], bool] = lambda: False

    def __call__(self, queue: TileQueue) -> Generator[Step | Computed | Unread | Halved | Notice | None, None, None]:
        """Compute until the queue is empty.

        Raises
        ------
        InputError
            Not even one tile fits into memory.
        """
        places = [*[(self.system, self.device)] * self.lanes, *self.others]
        with (
            ThreadPoolExecutor(self.readers, "diffuscope-read") as readers,
            ThreadPoolExecutor(1, "diffuscope-load") as loader,
        ):

            def read(tiles: tuple[Tile, ...], batch: int) -> tuple[Loaded, Mapping[str, Tensor]]:
                loaded = load(self.read, tiles, readers.map if self.readers > 1 else map)
                return loaded, loaded.stacked(batch, pinned=self.device.type == "cuda")

            supply = _Supply(
                queue,
                self.batch,
                ahead=AHEAD * len(places),
                load=lambda tiles, batch: loader.submit(read, tiles, batch),
            )
            stop = _Stop(self.cancelled)
            lanes = [
                self._lane(system, device, supply, stop, shows=number == 0)
                for number, (system, device) in enumerate(places)
            ]
            # As many CPU threads each as here.
            begin = partial(torch.set_num_threads, torch.get_num_threads())
            try:
                with closing(side_by_side(lanes, begin=begin)) as items:
                    yield from items
            finally:
                loader.shutdown(wait=False, cancel_futures=True)

    def _lane(
        self, system: Tiled, device: torch.device, supply: _Supply, stop: _Stop, *, shows: bool
    ) -> Generator[Step | Computed | Unread | Halved | Notice | None, None, None]:
        """Compute batches until there are none; with `shows`, yield previews, of a batch's first tile."""
        under_way: deque[Fetch[Computed]] = deque()
        begin = self._begin(system, device)
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            while not stop.ended and (taken := supply.take()) is not None:
                try:
                    loaded, stacked = taken.loading.result()
                    yield from loaded.unread
                    if loaded.tiles:
                        steps = begin(loaded, stacked, taken.batch)
                        yield from self._sample(
                            system, device, loaded, steps, taken.batch, stop, under_way, shows=shows
                        )
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                    if taken.batch == 1:
                        raise too_little_memory(device) from error
                    if device.type == "cuda":
                        begin = self._begin(system, device)
                        torch.cuda.empty_cache()
                    if (batch := supply.halve(taken)) is not None:
                        yield Halved(batch)
            while under_way:
                yield from under_way.popleft().wait()

    def _sample(
        self,
        system: Tiled,
        device: torch.device,
        loaded: Loaded,
        steps: Sampling,
        batch: int,
        stop: _Stop,
        under_way: deque[Fetch[Computed]],
        *,
        shows: bool,
    ) -> Generator[Step | Computed | Notice | None, None, None]:
        """Sample a batch, one evaluation at a time, and yield what came back of the batches before it.

        Its own outputs are added to `under_way`; where nothing runs behind the caller's back they are yielded at once.
        When cancelled it is dropped.
        """
        first, main, shown = loaded.tiles[0], self.settings.main_of(system.output_rasters), 0.0
        told, pace = Reports(), Pace(device)
        # what the other lanes compute is about as far
        beside = len(loaded.tiles) * (self.lanes + len(self.others))
        preview: Fetch[Preview] | None = None
        with closing(steps):
            while not stop():
                estimate = self._evaluate(device, steps)
                if not isinstance(estimate, Estimate):
                    under_way.append(told.fetch(loaded.tiles, estimate, batch))
                    # Of two batches one is computed while the other comes back.
                    while under_way and (len(under_way) > pace.behind or under_way[0].is_there()):
                        yield from under_way.popleft().wait()
                    return
                told.take(estimate)
                while self.messages:
                    yield Notice(self.messages.popleft())
                pace.keep()
                if shows and preview is None and time.perf_counter() - shown >= PREVIEW_SECONDS:
                    shown = time.perf_counter()
                    if main.key in estimate.clean:
                        *z, y, x = (place - start for place, start in zip(first.corner, self.plan.window, strict=False))
                        preview = fetch_preview(estimate, main, y=y, x=x, z=z[0] if z else 0, beside=beside)
                    else:
                        yield Step(step=estimate.step, steps=estimate.steps, beside=beside)
                if preview is not None and preview.is_there():
                    yield from preview.wait()
                    preview = None
                yield None
                while under_way and under_way[0].is_there():
                    yield from under_way.popleft().wait()

    def _begin(self, system: Tiled, device: torch.device) -> Callable[[Loaded, Mapping[str, Tensor], int], Sampling]:
        """Return what begins to sample a batch, of its inputs and number of tiles."""
        recorded: list[RecordedSampling] = []

        def begin(loaded: Loaded, stacked: Mapping[str, Tensor], batch: int) -> Sampling:
            if not system.recordable or device.type != "cuda":
                return sample_tiles(system, loaded, self.plan.shape, self.settings, self.seed, batch, device, stacked)
            if not recorded or recorded[-1].batch != batch:
                recorded[:] = [
                    RecordedSampling(
                        system, self.plan.shape, self.settings, self.seed, batch, device, report=self.messages.append
                    )
                ]
            return recorded[-1].sample(loaded, stacked)

        return begin

    def _evaluate(self, device: torch.device, steps: Sampling) -> Estimate | dict[str, Tensor]:
        """Go on by one evaluation of the network; at the end return the outputs."""
        try:
            with torch.inference_mode(), autocast(device, self.precision):
                return next(steps)
        except StopIteration as end:
            return end.value


@dataclass(frozen=True, eq=False)
class _Taken:
    """Tiles that one lane computes, at most `batch`, and their inputs."""

    tiles: tuple[Tile, ...]
    loading: Future[tuple[Loaded, Mapping[str, Tensor]]]
    batch: int


class _Supply:
    """Batches for several lanes, read ahead of them."""

    def __init__(
        self,
        queue: TileQueue,
        batch: int,
        *,
        ahead: int,
        load: Callable[[tuple[Tile, ...], int], Future[tuple[Loaded, Mapping[str, Tensor]]]],
    ) -> None:
        self._queue, self._batch, self._most, self._load = queue, batch, ahead, load
        self._ahead: deque[_Taken] = deque()
        self._lock = threading.Lock()

    def take(self) -> _Taken | None:
        """Return the next batch; None when there is none."""
        with self._lock:
            while len(self._ahead) < self._most and (tiles := self._queue.take(self._batch)):
                self._ahead.append(_Taken(tiles, self._load(tiles, self._batch), self._batch))
            return self._ahead.popleft() if self._ahead else None

    def halve(self, failed: _Taken) -> int | None:
        """Put a batch back that was too large, and halve those to come; None where another lane has seen to that."""
        with self._lock:
            self._queue.put_back(failed.tiles)
            if failed.batch != self._batch:
                return None
            self._queue.put_back(tile for waiting in self._ahead for tile in waiting.tiles)
            self._ahead.clear()
            self._batch //= 2
            return self._batch


class _Stop:
    """Whether to end, asked by several lanes, of a function that is called by one at a time."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled, self._lock = cancelled, threading.Lock()
        self.ended = False

    def __call__(self) -> bool:
        with self._lock:
            self.ended = self.ended or self._cancelled()
            return self.ended


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return the context in which the network runs at a precision, ``"fp32"`` or ``"bf16"``."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
