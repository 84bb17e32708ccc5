"""A batch of tiles: read, stacked into tensors, and given to a system with the noise of its place."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.diffusion.noise import TileNoise
from diffuscope.errors import DiffuscopeError, InputError
from diffuscope.systems.base import Estimate
from diffuscope.tiling.plan import Tile

if TYPE_CHECKING:
    from diffuscope.ports.settings import SampleSettings
    from diffuscope.systems.base import Tiled

#: See `Tiled.sample`.
Sampling = Generator[Estimate, None, dict[str, Tensor]]

#: Inputs of a tile by port key, each (tile, tile, c) in the port's physical range; of a volume
#: (depth + 2·context, tile, tile, c) from slice z - context on (see `Tiled.context`).
Read = Callable[[Tile], Mapping[str, NDArray[np.generic]]]


@dataclass(frozen=True)
class Unread:
    """A tile whose input could not be read, and why."""

    tile: Tile
    reason: str


@dataclass(frozen=True, eq=False)
class Loaded:
    """The inputs of a batch: those tiles that could be read, in order, and those that could not."""

    tiles: tuple[Tile, ...]
    images: tuple[Mapping[str, NDArray[np.generic]], ...]
    unread: tuple[Unread, ...]

    def stacked(self, batch: int, *, pinned: bool = False) -> dict[str, Tensor]:
        """Return the inputs by port key as one tensor each, as they are stored, padded to `batch` by the last tile.

        Pinned memory is what a CUDA device fetches from while the host goes on.
        """
        if not self.images:
            return {}
        images = [*self.images, *[self.images[-1]] * (batch - len(self.images))]
        return {key: _stack([np.asarray(image[key]) for image in images], pinned) for key in images[0]}


def load(read: Read, group: Sequence[Tile], each: Callable[..., Iterable[Any]] = map) -> Loaded:
    """Read the inputs of tiles; a tile that cannot be read does not keep the others from being computed.

    `each` is `map`, or that of an executor whose threads read.
    """
    tiles, images, unread = [], [], []
    for tile, found in zip(group, each(partial(_try, read), group), strict=True):
        if isinstance(found, Unread):
            unread.append(found)
        else:
            tiles.append(tile)
            images.append(found)
    return Loaded(tuple(tiles), tuple(images), tuple(unread))


def _try(read: Read, tile: Tile) -> Mapping[str, NDArray[np.generic]] | Unread:
    try:
        return read(tile)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  a damaged file makes every decoder fail in a way of its own
        return Unread(tile, first_line(error))


def sample_tiles(
    system: Tiled,
    loaded: Loaded,
    shape: tuple[int, ...],
    settings: SampleSettings,
    seed: int,
    batch: int,
    device: torch.device,
    stacked: Mapping[str, Tensor] | None = None,
) -> Sampling:
    """Begin to sample loaded tiles of a shape (h, w) or (d, h, w), padded to `batch` (see `Tiled.sample`).

    `stacked` are the tiles' inputs, where `Loaded.stacked` was asked for them before.
    """
    stacked = loaded.stacked(batch) if stacked is None else stacked
    depth = shape[0] if len(shape) == 3 and shape[0] > 1 else None
    inputs = {
        port.key: to_input(stacked[port.key], device, patches=depth is not None)
        for port in system.input_rasters
        if port.key in stacked
    }
    # Rows of tables are the case's, the same for every tile.
    inputs |= {key: row.to(device, non_blocking=True).float() for key, row in stacked.items() if row.ndim == 2}
    places = [tile.corner for tile in (*loaded.tiles, *[loaded.tiles[-1]] * (batch - len(loaded.tiles)))]
    height, width = shape[-2:]
    noise = TileNoise(seed, places, height, width, device, depth=depth)
    return system.sample(inputs, noise, settings)


def to_input(stacked: Tensor, device: torch.device, *, patches: bool = False) -> Tensor:
    """Return images as one float32 batch, channels last in memory, on `device`.

    (n, h, w, c) become (n, c, h, w); `patches` (n, d, h, w, c) become (n, c, d, h, w), and without it slices
    (n, 2k + 1, h, w, c) become (n, c·(2k + 1), h, w): of the first channel all slices, then of the next. They go to the
    device as they are stored; from pinned memory nothing waits for their arrival.
    """
    there = stacked.to(device, non_blocking=True).float().movedim(-1, 1)
    if patches:
        return there.contiguous(memory_format=torch.channels_last_3d)
    return there.flatten(1, -3).contiguous(memory_format=torch.channels_last)


def _stack(images: Sequence[NDArray[np.generic]], pinned: bool) -> Tensor:
    if not pinned:
        return torch.from_numpy(np.stack(images))
    dtype = torch.from_numpy(np.empty(0, images[0].dtype)).dtype
    there = torch.empty((len(images), *images[0].shape), dtype=dtype, pin_memory=True)
    np.stack(images, out=there.numpy())
    return there


def first_line(error: Exception) -> str:
    """Return what an error says in one line, and of one that is not ours its kind."""
    line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return (
        line
        if isinstance(error, DiffuscopeError)
        else f"{type(error).__name__}: {line}"
        if line
        else type(error).__name__
    )


def too_little_memory(device: torch.device) -> InputError:
    """Return the error of a device whose memory does not hold one tile."""
    return InputError(
        f"there is not enough memory on {device} for one tile: close what else uses it, draw fewer "
        "samples, or choose --device cpu. Finished tiles are kept; --resume goes on."
    )
