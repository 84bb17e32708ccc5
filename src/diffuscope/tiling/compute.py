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

from diffuscope.diffusion.noise import TileNoise
from diffuscope.errors import DiffuscopeError, InputError
from diffuscope.systems.base import Estimate
from diffuscope.tiling.canvas import to_stored
from diffuscope.tiling.events import Notice, Preview
from diffuscope.tiling.plan import Plan, Tile
from diffuscope.tiling.queue import TileQueue

if TYPE_CHECKING:
    from diffuscope.systems.base import SampleSettings, System

PREVIEW_SECONDS = 0.1
# Batches that are read ahead: one is waited for, one may be slow.
AHEAD = 2

#: See `System.sample`.
Sampling = Generator[Estimate, None, dict[str, Tensor]]

#: Inputs of a tile by port key, each (tile, tile, c) in the port's physical range; of a volume
#: (depth + 2·context, tile, tile, c) from slice z - context on (see `System.context`).
Read = Callable[[Tile], Mapping[str, NDArray[np.generic]]]


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
class Unread:
    """A tile whose input could not be read, and why."""

    tile: Tile
    reason: str


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


@dataclass(frozen=True, eq=False)
class Loaded:
    """The inputs of a batch: those tiles that could be read, in order, and those that could not."""

    tiles: tuple[Tile, ...]
    images: tuple[Mapping[str, NDArray[np.generic]], ...]
    unread: tuple[Unread, ...]

    def part(self, start: int, stop: int) -> Loaded:
        """Return some of the tiles that could be read."""
        return Loaded(self.tiles[start:stop], self.images[start:stop], ())


def load(read: Read, group: Sequence[Tile]) -> Loaded:
    """Read the inputs of tiles; a tile that cannot be read does not keep the others from being computed."""
    tiles, images, unread = [], [], []
    for tile in group:
        try:
            images.append(read(tile))
            tiles.append(tile)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  a damaged file makes every decoder fail in a way of its own
            unread.append(Unread(tile, _first_line(error)))
    return Loaded(tuple(tiles), tuple(images), tuple(unread))


def sample_tiles(
    system: System,
    loaded: Loaded,
    shape: tuple[int, ...],
    settings: SampleSettings,
    seed: int,
    batch: int,
    device: torch.device,
) -> Sampling:
    """Begin to sample loaded tiles of a shape (h, w) or (d, h, w), padded to `batch` (see `System.sample`)."""
    padding = batch - len(loaded.tiles)
    images = [*loaded.images, *[loaded.images[-1]] * padding]
    patches = len(shape) == 3 and shape[0] > 1
    inputs = {
        port.key: to_input([image[port.key] for image in images], device, patches=patches) for port in system.inputs
    }
    places = [tile.corner for tile in (*loaded.tiles, *[loaded.tiles[-1]] * padding)]
    height, width = shape[-2:]
    noise = TileNoise(seed, places, height, width, device, depth=shape[0] if patches else None)
    return system.sample(inputs, noise, settings)


def to_input(images: Sequence[NDArray[np.generic]], device: torch.device, *, patches: bool = False) -> Tensor:
    """Return images as one float32 batch, channels last in memory, on `device`.

    (h, w, c) become (n, c, h, w); `patches` (d, h, w, c) become (n, c, d, h, w), and without it slices
    (2k + 1, h, w, c) become (n, c·(2k + 1), h, w): of the first channel all slices, then of the next.
    """
    stacked = torch.from_numpy(np.stack([np.asarray(image, np.float32) for image in images])).movedim(-1, 1)
    if patches:
        return stacked.to(device).contiguous(memory_format=torch.channels_last_3d)
    planes = stacked.flatten(1, -3)
    return planes.to(device).contiguous(memory_format=torch.channels_last)


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


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return (
        line
        if isinstance(error, DiffuscopeError)
        else f"{type(error).__name__}: {line}"
        if line
        else type(error).__name__
    )
