"""Filling of rims as one Triton kernel: each image is swept down and up until nothing changes.

A program an image. Within a row the level runs along it as far as it can, both ways: what a pixel does to the level
that reaches it is to hold it between the density and what it has already, and such clamps are composed by a scan.
"""

# triton.jit reads the source of these functions: annotations other than tl.constexpr mean nothing to it, and constants
# are upper case.
# ruff: noqa: ANN001, ANN202, N803
# mypy: ignore-errors

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _then(low, high, next_low, next_high):
    """Compose two clamps."""
    return tl.maximum(next_low, tl.minimum(next_high, low)), tl.maximum(next_low, tl.minimum(next_high, high))


@triton.jit
def _row(level_at, density_at, y, beside, width, BLOCK: tl.constexpr):
    """Bring a row down to what the row beside it and its own pixels allow; return how many pixels changed."""
    x = tl.arange(0, BLOCK)
    inside = x < width
    infinity = float("inf")
    density = tl.load(density_at + y * width + x, inside, -infinity)
    before = tl.load(level_at + y * width + x, inside, infinity)
    near = level_at + beside * width + x
    lowest = tl.minimum(
        tl.load(near, inside, infinity),
        tl.minimum(tl.load(near - 1, inside & (x > 0), infinity), tl.load(near + 1, x < width - 1, infinity)),
    )
    level = tl.maximum(density, tl.minimum(before, lowest))
    _, level = tl.associative_scan((density, level), 0, _then)
    _, level = tl.associative_scan((density, level), 0, _then, reverse=True)
    tl.store(level_at + y * width + x, level, inside)
    # The next row is made by threads that did not write this one.
    tl.debug_barrier()
    return tl.sum((inside & (level != before)).to(tl.int32))


@triton.jit
def _fill(level_at, density_at, height, width, BLOCK: tl.constexpr):
    start = tl.program_id(0).to(tl.int64) * height * width
    level_at += start
    density_at += start
    changed = tl.sum(tl.full((BLOCK,), 1, tl.int32))
    while changed > 0:
        changed = changed * 0
        for y in range(1, height - 1):
            changed += _row(level_at, density_at, y, y - 1, width, BLOCK)
        for step in range(2, height):
            y = height - step
            changed += _row(level_at, density_at, y, y + 1, width, BLOCK)


def fill(density: Tensor) -> Tensor:
    """Fill rims (see `diffuscope.systems.staindiffuser.density.filled`).

    Parameters
    ----------
    density : Tensor of shape (n, 1, h, w)
        float32.

    Returns
    -------
    Tensor of shape (n, 1, h, w)
    """
    density = density.contiguous()
    number, _, height, width = density.shape
    level = torch.full_like(density, torch.inf)
    for edge in ((..., 0, slice(None)), (..., -1, slice(None)), (..., 0), (..., -1)):
        level[edge] = density[edge]
    _fill[(number,)](level, density, height, width, BLOCK=triton.next_power_of_2(width))
    return level
