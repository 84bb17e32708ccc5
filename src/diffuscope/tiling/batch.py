"""A batch of tiles: read, stacked into tensors, and given to a system with the noise of its place."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.diffusion.noise import TileNoise
from diffuscope.errors import DiffuscopeError
from diffuscope.systems.base import Estimate
from diffuscope.tiling.plan import Tile

if TYPE_CHECKING:
    from diffuscope.systems.base import SampleSettings, System

#: See `System.sample`.
Sampling = Generator[Estimate, None, dict[str, Tensor]]

#: Inputs of a tile by port key, each (tile, tile, c) in the port's physical range; of a volume
#: (depth + 2·context, tile, tile, c) from slice z - context on (see `System.context`).
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


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return (
        line
        if isinstance(error, DiffuscopeError)
        else f"{type(error).__name__}: {line}"
        if line
        else type(error).__name__
    )
