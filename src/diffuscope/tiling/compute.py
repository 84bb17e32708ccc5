"""Tiles through a system on this machine, a batch at a time; the next batches are read meanwhile."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
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
        batch = self.batch
        reader = ThreadPoolExecutor(1, "diffuscope-read")
        # Its threads compute with as many CPU threads as the one that starts them.
        lanes = ThreadPoolExecutor(
            self.lanes, "diffuscope-lane", initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),)
        )
        ahead: deque[tuple[tuple[Tile, ...], Future[Loaded]]] = deque()
        try:
            while True:
                while len(ahead) < AHEAD and (group := queue.take(batch * self.lanes)):
                    ahead.append((group, reader.submit(load, self.read, group)))
                if not ahead:
                    return
                group, loading = ahead.popleft()
                try:
                    loaded = loading.result()
                    computed = (yield from self._sample(loaded, batch, lanes)) if loaded.tiles else ()
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                    batch = self._smaller(batch, error)
                    yield Halved(batch)
                    queue.put_back([*group, *(tile for waiting, _ in ahead for tile in waiting)])
                    ahead.clear()
                    continue
                if computed is None:
                    return
                yield from loaded.unread
                yield from computed
        finally:
            lanes.shutdown()
            reader.shutdown(cancel_futures=True)

    def _sample(
        self, loaded: Loaded, batch: int, lanes: ThreadPoolExecutor
    ) -> Generator[Preview | None, None, list[Computed] | None]:
        """Sample a batch a lane, one evaluation at a time; yield previews of the first tile; None when cancelled."""
        first, main, shown = loaded.tiles[0], self.system.outputs[0], 0.0
        parts = [loaded.part(at, at + batch) for at in range(0, len(loaded.tiles), batch)]
        samplings = [
            sample_tiles(self.system, part, self.plan.shape, self.settings, self.seed, batch, self.device)
            for part in parts
        ]
        told = [Told() for _ in parts]
        while True:
            if self.cancelled():
                for steps in samplings:
                    steps.close()
                return None
            futures = [lanes.submit(self._evaluate, steps) for steps in samplings]
            # All have ended, one way or the other, before anything is done about one of them.
            wait(futures)
            stands = [future.result() for future in futures]
            estimate = stands[0]
            if not isinstance(estimate, Estimate):
                # All take the same number of evaluations.
                outputs = [stand for stand in stands if not isinstance(stand, Estimate)]
                ended = zip(parts, told, outputs, strict=True)
                return [tile for part, one, made in ended for tile in one.finished(part.tiles, made)]
            for one, stand in zip(told, stands, strict=True):
                if isinstance(stand, Estimate):
                    one.hear(stand)
            if main.key in estimate.clean and time.perf_counter() - shown >= PREVIEW_SECONDS:
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

    def _evaluate(self, steps: Sampling) -> Estimate | dict[str, Tensor]:
        """Go on by one evaluation of the network; at the end return the outputs."""
        try:
            with torch.inference_mode(), autocast(self.device, self.precision):
                return next(steps)
        except StopIteration as end:
            return end.value

    def _smaller(self, batch: int, error: Exception) -> int:
        if batch == 1:
            raise InputError(
                f"there is not enough memory on {self.device} for one tile: close what else uses it, draw fewer "
                "samples, or choose --device cpu. Finished tiles are kept; --resume goes on."
            ) from error
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return batch // 2


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
