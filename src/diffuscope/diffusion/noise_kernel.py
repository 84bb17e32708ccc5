"""The noise of `diffuscope.diffusion.noise` as one Triton kernel: Philox4x32-10 and Box–Muller for a batch of tiles."""

# triton.jit reads the source of these functions: annotations other than tl.constexpr mean nothing to it, and constants
# are upper case.
# ruff: noqa: ANN001, ANN202, N803
# mypy: ignore-errors

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 512


@triton.jit
def _uniform(word):
    """Return the upper 24 bits of a word as a number in (0, 1)."""
    return ((word >> 8).to(tl.float32) + 0.5) * 5.9604644775390625e-08


@triton.jit
def _pair(drawn_at, first, second, at, step, mask, both):
    """Write the normals of two words to two neighbouring channels, the second where there is one."""
    radius = tl.sqrt_rn(-2.0 * tl.log(_uniform(first)))
    angle = 6.283185307179586 * _uniform(second)
    tl.store(drawn_at + at, radius * tl.cos(angle), mask)
    tl.store(drawn_at + at + step, radius * tl.sin(angle), mask & both)


# Keys are as good as random: no variant of the kernel for those that 16 divides.
@triton.jit(do_not_specialize=["key_0", "key_1"])
def _draw(
    drawn_at,
    places_at,
    key_0,
    key_1,
    channels,
    depth,
    height,
    width,
    of_tile,
    of_channel,
    of_pixel,
    NORMAL: tl.constexpr,
    BLOCK: tl.constexpr,
):
    pixel, tile, block = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK), tl.program_id(1), tl.program_id(2)
    mask = pixel < depth * height * width
    place_at = places_at + 3 * tile
    # Counters are 32-bit words; places may be negative, and wrap.
    c0 = (tl.load(place_at + 2) + pixel % width).to(tl.uint32)
    c1 = (tl.load(place_at + 1) + pixel // width % height).to(tl.uint32)
    c2 = (tl.load(place_at) + pixel // (width * height)).to(tl.uint32)
    c3 = tl.zeros_like(c0) + block.to(tl.uint32)
    k0, k1 = key_0.to(tl.uint32), key_1.to(tl.uint32)
    for _ in tl.static_range(10):
        low_0, low_1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        high_0, high_1 = tl.umulhi(c0, 0xD2511F53), tl.umulhi(c2, 0xCD9E8D57)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = k0 + 0x9E3779B9, k1 + 0xBB67AE85
    at = tile.to(tl.int64) * of_tile + 4 * block * of_channel + pixel * of_pixel
    if NORMAL:
        left = channels - 4 * block
        _pair(drawn_at, c0, c1, at, of_channel, mask, left > 1)
        _pair(drawn_at, c2, c3, at + 2 * of_channel, of_channel, mask & (left > 2), left > 3)
    else:
        tl.store(drawn_at + at, c0.to(tl.int64), mask)
        tl.store(drawn_at + at + of_channel, c1.to(tl.int64), mask)
        tl.store(drawn_at + at + 2 * of_channel, c2.to(tl.int64), mask)
        tl.store(drawn_at + at + 3 * of_channel, c3.to(tl.int64), mask)


def draw(
    places: Tensor, key: tuple[int, int], channels: int, depth: int, height: int, width: int, *, normal: bool = True
) -> Tensor:
    """Draw for a batch of tiles.

    Parameters
    ----------
    places : Tensor of shape (n, 3)
        int64, z, y and x of each tile's first pixel.
    key : tuple of int
        Two 32-bit words.
    channels, depth, height, width : int
        Of a tile.
    normal : bool
        Normals; else the words themselves, of a multiple of four channels, to hold the kernel against other ones.

    Returns
    -------
    Tensor of shape (n, channels, depth, height, width)
        float32, in channels_last_3d memory; of words int64.
    """
    shape = (len(places), channels, depth, height, width)
    drawn = torch.empty(
        shape,
        dtype=torch.float32 if normal else torch.int64,
        device=places.device,
        memory_format=torch.channels_last_3d,
    )
    pixels = depth * height * width
    signed = (word - 2**32 if word >= 2**31 else word for word in key)
    grid = (triton.cdiv(pixels, _BLOCK), len(places), triton.cdiv(channels, 4))
    layout = (channels * pixels, 1, channels)
    _draw[grid](drawn, places, *signed, channels, depth, height, width, *layout, NORMAL=normal, BLOCK=_BLOCK)
    return drawn
