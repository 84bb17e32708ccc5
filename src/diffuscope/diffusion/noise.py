"""Noise that belongs to the slide or volume: a counter-based normal generator keyed by place.

The noise of a pixel is a function of (seed, output port, sample, step, channel, z, y, x) at the model's resolution.
A tile is therefore the same whatever the order, the region or the worker, and overlapping tiles see the same noise
where they overlap.
Philox4x32-10 (Salmon et al. 2011) turns the place into four 32-bit words; Box–Muller turns those into four normals,
one for each of four channels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from diffuscope.devices import by_kernel

_MASK = 0xFFFFFFFF
_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85


def philox(counter: Sequence[Tensor], key: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10.

    Parameters
    ----------
    counter : four int64 Tensors
        32-bit words, broadcastable.
    key : tuple of int
        Two 32-bit words.

    Returns
    -------
    four int64 Tensors
        32-bit words.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # The 64-bit product wraps in int64, but its bits are right. What lies above 32 bits is masked where a word
        # is multiplied next, not before. In place where that is allowed: this is run for every pixel of every step.
        p0, p1 = c0 * _M0, c2 * _M1
        c0 = (p1 >> 32).bitwise_xor(c1).bitwise_xor_(k0).bitwise_and_(_MASK)
        c2 = (p0 >> 32).bitwise_xor(c3).bitwise_xor_(k1).bitwise_and_(_MASK)
        c1, c3 = p1, p0
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return c0, c1 & _MASK, c2, c3 & _MASK


def key_of(seed: int, port: str, sample: int, step: int) -> tuple[int, int]:
    """Return the two 32-bit words of a stream's key: its parts, hashed to 64 bits by BLAKE2b."""
    digest = hashlib.blake2b(repr((int(seed), str(port), int(sample), int(step))).encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def words(
    *,
    seed: int,
    port: str,
    sample: int,
    step: int,
    channels: int,
    y: int,
    x: int,
    height: int,
    width: int,
    z: int = 0,
    depth: int | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Random 32-bit words of a window, bit-identical on every machine.

    Parameters
    ----------
    seed, port, sample, step
        Key of the stream, see `key_of`.
    channels : int
        Channels wanted; four share one counter.
    y, x, z : int
        Place of the window's first pixel in px of the model's resolution from the input's origin; may be negative.
    height, width : int
        Size of the window, px.
    depth : int, optional
        Slices from z on; default the one slice z, without an axis of its own.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Tensor
        int64 (ceil(channels / 4), 4, height, width) or (…, depth, height, width), values in [0, 2^32).
    """
    key = key_of(seed, port, sample, step)
    rows = (torch.arange(y, y + height, dtype=torch.int64, device=device) & _MASK)[:, None]
    columns = (torch.arange(x, x + width, dtype=torch.int64, device=device) & _MASK)[None, :]
    first = torch.tensor(z, dtype=torch.int64, device=device)
    slices = (first if depth is None else first + torch.arange(depth, device=device)[:, None, None]) & _MASK
    blocks = [
        torch.stack(torch.broadcast_tensors(*philox((columns, rows, slices, torch.tensor(b, device=device)), key)))
        for b in range((channels + 3) // 4)
    ]
    return torch.stack(blocks)


def normal(
    *,
    seed: int,
    port: str,
    sample: int,
    step: int,
    channels: int,
    y: int,
    x: int,
    height: int,
    width: int,
    z: int = 0,
    depth: int | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Standard normal noise of a window, by Box–Muller in float32 from `words` (see there for the key).

    Of a word the upper 24 bits are taken, as many as float32 holds: |noise| ≤ 5.9.

    Returns
    -------
    Tensor
        float32 (channels, height, width) or (channels, depth, height, width).
    """
    bits = words(
        seed=seed,
        port=port,
        sample=sample,
        step=step,
        channels=channels,
        y=y,
        x=x,
        height=height,
        width=width,
        z=z,
        depth=depth,
        device=device,
    )
    uniform = (bits.flatten(0, 1)[: channels + channels % 2] >> 8).float().add_(0.5).mul_(2.0**-24)
    radius = uniform[0::2].log().mul_(-2.0).sqrt_()
    angle = uniform[1::2].mul(2.0 * torch.pi)
    drawn = torch.empty((channels, *radius.shape[1:]), dtype=torch.float32, device=bits.device)
    drawn[0::2] = angle.cos().mul_(radius)
    drawn[1::2] = angle[: channels // 2].sin().mul_(radius[: channels // 2])
    return drawn


def tile_normal(
    places: Tensor, *, seed: int, port: str, sample: int, step: int, channels: int, depth: int, height: int, width: int
) -> Tensor:
    """Noise of a batch of tiles (see `normal`): on CUDA one kernel, elsewhere tile by tile.

    Parameters
    ----------
    places : Tensor of shape (n, 3)
        int64, z, y and x of each tile's first pixel; computed is where it lies.
    seed, port, sample, step, channels
        As of `words`.
    depth, height, width : int
        Of a tile.

    Returns
    -------
    Tensor of shape (n, channels, depth, height, width)
        float32.
    """
    return torch.ops.diffuscope.tile_normal(places, seed, port, sample, step, channels, depth, height, width)


def _tile_normal(
    places: Tensor, seed: int, port: str, sample: int, step: int, channels: int, depth: int, height: int, width: int
) -> Tensor:
    key = key_of(seed, port, sample, step)

    def tile_by_tile(places: Tensor, *_: object) -> Tensor:
        tile = partial(normal, seed=seed, port=port, sample=sample, step=step, channels=channels, device=places.device)
        tile = partial(tile, depth=depth, height=height, width=width)
        return torch.stack([tile(z=z, y=y, x=x) for z, y, x in places.tolist()])

    kernel = "diffuscope.diffusion.noise_kernel", "draw"
    return by_kernel(*kernel, tile_by_tile, places, key, channels, depth, height, width)


def _drawn_shape(places: Tensor, _seed: int, _port: str, _sample: int, _step: int, channels: int, *size: int) -> Tensor:
    return torch.empty((len(places), channels, *size), dtype=torch.float32, device=places.device)


# Known to PyTorch as one operation, so that a dispatch mode counts it as the one kernel that it is on CUDA.
torch.library.define(
    "diffuscope::tile_normal",
    "(Tensor places, int seed, str port, int sample, int step, int channels, int depth, int height, int width)"
    " -> Tensor",
)
torch.library.impl("diffuscope::tile_normal", "CompositeExplicitAutograd")(_tile_normal)
torch.library.register_fake("diffuscope::tile_normal")(_drawn_shape)


class TileNoise:
    """Noise for a batch of tiles: the `diffuscope.systems.base.Noise` that the engine hands to a system.

    Parameters
    ----------
    seed : int
        Seed of the run.
    places : sequence of (y, x) or (z, y, x)
        First pixel of each tile, px of the model's resolution from the input's origin.
    height, width : int
        Size of a tile, px.
    device : torch.device or str
        Where the system runs. On CUDA the noise is computed there, in one kernel, for it would take longer on the CPU
        than the network does: the words are the same bits, the normals agree to the rounding of float32. For other
        devices it is computed on the CPU.
    depth : int, optional
        Slices of a tile; default one, without an axis of its own.
    """

    def __init__(
        self,
        seed: int,
        places: Sequence[tuple[int, ...]],
        height: int,
        width: int,
        device: torch.device | str = "cpu",
        depth: int | None = None,
    ) -> None:
        self._seed, self._places, self._device = seed, list(places), device
        self._size, self._depth = (height, width), depth
        self._tables: dict[tuple[int, bool], Tensor] = {}

    def __call__(
        self, port: str, *, sample: int, step: int, channels: int, every: int = 1, along_z: bool = False
    ) -> Tensor:
        """Return noise (n, channels, height, width) or (n, channels, depth, height, width) for the batch.

        With `every` = f the grid is f times as coarse in y and x; the px (f·y, f·x) begins its px (y, x). With
        `along_z` every slice of a volume has the noise of its first one.

        Raises
        ------
        ValueError
            Tiles do not lie on the coarser grid.
        """
        (height, width), depth = self._size, self._depth
        if any(at % every for at in (height, width, *(at for *_, y, x in self._places for at in (y, x)))):
            raise ValueError(f"tiles of {height} x {width} px at {self._places} do not lie on a grid of {every} px")
        drawn = tile_normal(
            self._on_device(every, flat=along_z),
            seed=self._seed,
            port=port,
            sample=sample,
            step=step,
            channels=channels,
            depth=1 if along_z or not depth else depth,
            height=height // every,
            width=width // every,
        ).to(self._device)
        if not depth:
            return drawn[:, :, 0]
        return drawn.repeat_interleave(depth, dim=2) if along_z else drawn

    def move(self, places: Sequence[tuple[int, ...]]) -> None:
        """Be the noise of other places, as many as before, told by the same memory: a CUDA graph then draws it."""
        self._places = list(places)
        for (every, flat), table in self._tables.items():
            table.copy_(self._table(every, flat=flat), non_blocking=True)

    def _on_device(self, every: int, *, flat: bool) -> Tensor:
        """Return the places on a grid as a tensor where noise is computed, the same one at every step."""
        if (every, flat) not in self._tables:
            places = self._table(every, flat=flat)
            on_cuda = torch.device(self._device).type == "cuda"
            self._tables[every, flat] = places.to(self._device, non_blocking=True) if on_cuda else places
        return self._tables[every, flat]

    def _table(self, every: int, *, flat: bool) -> Tensor:
        table = [(z[0] if z and not flat else 0, y // every, x // every) for *z, y, x in self._places]
        places = torch.tensor(table, dtype=torch.int64)
        # From other memory it would only be copied once the device has done all that it was given before.
        return places.pin_memory() if torch.device(self._device).type == "cuda" else places
