"""Tiles through a system on this machine, batch by batch in lanes side by side; the next are read meanwhile."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.systems.base import Estimate
from diffuscope.tiling.batch import Loaded, Read, Sampling, Unread, load, sample_tiles
from diffuscope.tiling.canvas import to_stored
from diffuscope.tiling.events import Notice, Preview
from diffuscope.tiling.lanes import side_by_side
from diffuscope.tiling.plan import Plan, Tile
from diffuscope.tiling.queue import TileQueue

if TYPE_CHECKING:
    from diffuscope.systems.base import SampleSettings, System

PREVIEW_SECONDS = 0.1
# Batches that are read ahead: one is waited for, one may be slow.
AHEAD = 2


@dataclass(frozen=True, eq=False)
class Computed:
    """A finished tile.

    Attributes
    ----------
    tile : Tile
        Its place.
    outputs : dict of str to ndarray
        By port key, float32 (c, tile, tile) or (c, depth, tile, tile) in the ports' physical ranges.
    values : dict of str to ndarray
        By key of `System.values`, float32 (evaluations,); NaN where an evaluation told nothing.
    """

    tile: Tile
    outputs: dict[str, NDArray[np.float32]]
    values: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class Halved:
    """The memory was too small for the batch; from now on it has this many tiles."""

    batch: int


#: What computes the tiles of a queue, here or elsewhere. None tells that time went by; cancelled, it just ends.
Compute = Callable[[TileQueue], Generator[Preview | Computed | Unread | Halved | Notice | None, None, None]]


@dataclass(frozen=True, kw_only=True)
class LocalCompute:
    """The `Compute` of this process.

    Attributes
    ----------
    system : System
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
    precision : {"fp32", "bf16"}
        bf16: the network's evaluations run under autocast.
    cancelled : callable
        Looked at before every network evaluation; the batch at hand is dropped when it returns True.
    """

    system: System
    read: Read
    plan: Plan
    settings: SampleSettings
    seed: int
    batch: int
    device: torch.device
    precision: str
    lanes: int = 1
    cancelled: Callable[[], bool] = lambda: False

    def __call__(self, queue: TileQueue) -> Generator[Preview | Computed | Unread | Halved | None, None, None]:
        """Compute until the queue is empty.

        Raises
        ------
        InputError
            Not even one tile fits into memory.
        """
        with ThreadPoolExecutor(1, "diffuscope-read") as reader:
            supply = _Supply(
                queue, self.batch, ahead=AHEAD * self.lanes, load=lambda tiles: reader.submit(load, self.read, tiles)
            )
            stop = _Stop(self.cancelled)
            lanes = [self._lane(supply, stop, shows=number == 0) for number in range(self.lanes)]
            # As many CPU threads each as here.
            begin = partial(torch.set_num_threads, torch.get_num_threads())
            try:
                with closing(side_by_side(lanes, begin=begin)) as items:
                    yield from items
            finally:
                reader.shutdown(wait=False, cancel_futures=True)

    def _lane(
        self, supply: _Supply, stop: _Stop, *, shows: bool
    ) -> Generator[Preview | Computed | Unread | Halved | None, None, None]:
        """Compute batches until there are none; with `shows`, yield previews, of a batch's first tile."""
        while not stop.said and (taken := supply.take()) is not None:
            try:
                loaded = taken.loading.result()
                yield from loaded.unread
                computed = (yield from self._sample(loaded, taken.batch, stop, shows=shows)) if loaded.tiles else ()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if taken.batch == 1:
                    raise self._too_little() from error
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()
                if (batch := supply.halve(taken)) is not None:
                    yield Halved(batch)
                continue
            yield from computed

    def _sample(
        self, loaded: Loaded, batch: int, stop: _Stop, *, shows: bool
    ) -> Generator[Preview | None, None, tuple[Computed, ...]]:
        """Sample a batch, one evaluation at a time; return nothing when cancelled."""
        first, main, shown = loaded.tiles[0], self.system.outputs[0], 0.0
        told = Told()
        with closing(
            sample_tiles(self.system, loaded, self.plan.shape, self.settings, self.seed, batch, self.device)
        ) as steps:
            while not stop():
                estimate = self._evaluate(steps)
                if not isinstance(estimate, Estimate):
                    return told.finished(loaded.tiles, estimate)
                told.hear(estimate)
                if shows and main.key in estimate.clean and time.perf_counter() - shown >= PREVIEW_SECONDS:
                    shown = time.perf_counter()
                    clean = np.moveaxis(estimate.clean[main.key][0].float().cpu().numpy(), 0, -1)
                    *z, y, x = (place - start for place, start in zip(first.corner, self.plan.window, strict=False))
                    yield Preview(
                        y=y,
                        x=x,
                        z=z[0] if z else 0,
                        image=to_stored(clean, main),
                        step=estimate.step,
                        steps=estimate.steps,
                    )
                else:
                    yield None
        return ()

    def _evaluate(self, steps: Sampling) -> Estimate | dict[str, Tensor]:
        """Go on by one evaluation of the network; at the end return the outputs."""
        try:
            with torch.inference_mode(), autocast(self.device, self.precision):
                return next(steps)
        except StopIteration as end:
            return end.value

    def _too_little(self) -> InputError:
        return InputError(
            f"there is not enough memory on {self.device} for one tile: close what else uses it, draw fewer "
            "samples, or choose --device cpu. Finished tiles are kept; --resume goes on."
        )


@dataclass(frozen=True, eq=False)
class _Taken:
    """Tiles that one lane computes, at most `batch`, and their inputs."""

    tiles: tuple[Tile, ...]
    loading: Future[Loaded]
    batch: int


class _Supply:
    """Batches for several lanes, read ahead of them."""

    def __init__(
        self, queue: TileQueue, batch: int, *, ahead: int, load: Callable[[tuple[Tile, ...]], Future[Loaded]]
    ) -> None:
        self._queue, self._batch, self._most, self._load = queue, batch, ahead, load
        self._ahead: deque[_Taken] = deque()
        self._lock = threading.Lock()

    def take(self) -> _Taken | None:
        """Return the next batch; None when there is none."""
        with self._lock:
            while len(self._ahead) < self._most and (tiles := self._queue.take(self._batch)):
                self._ahead.append(_Taken(tiles, self._load(tiles), self._batch))
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
        self.said = False

    def __call__(self) -> bool:
        with self._lock:
            self.said = self.said or self._cancelled()
            return self.said


class Told:
    """What the evaluations of a batch tell of its tiles."""

    def __init__(self) -> None:
        self._values: dict[str, NDArray[np.float32]] = {}

    def hear(self, estimate: Estimate) -> None:
        """Take the values of an evaluation."""
        for key, value in estimate.values.items():
            empty = np.full((len(value), estimate.steps), np.nan, np.float32)
            self._values.setdefault(key, empty)[:, estimate.step - 1] = value.float().cpu().numpy()

    def finished(self, tiles: Sequence[Tile], outputs: Mapping[str, Tensor]) -> tuple[Computed, ...]:
        """Return the tiles of a batch, without its padding, with outputs and values of each."""
        arrays = {key: value.float().cpu().numpy() for key, value in outputs.items()}
        return tuple(
            Computed(
                tile,
                {key: array[index] for key, array in arrays.items()},
                {key: array[index] for key, array in self._values.items()},
            )
            for index, tile in enumerate(tiles)
        )


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return the context in which the network runs at a precision, ``"fp32"`` or ``"bf16"``."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of any device, was too small."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # PyTorch's CPU and MPS allocators raise plain RuntimeErrors.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in text for words in ("can't allocate memory", "not enough memory", "out of memory")
    )
