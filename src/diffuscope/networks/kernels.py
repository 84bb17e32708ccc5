"""Triton kernels of `diffuscope.networks.fused`: one pass over memory forth, and one back.

A feature in channels_last memory is a matrix of one row a pixel and one column a channel; a program takes some whole
rows, so that every statistic stays in registers. All arithmetic is in float32, whatever is read and written.
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

# Elements that a program holds: 4 warps of 32 threads with 16 each.
_ELEMENTS = 2048


@triton.jit
def _normalise(x_at, channels, eps, row, column, mask):
    """Return the normalised rows, and 1 / σ of each."""
    x = tl.load(x_at + row[:, None] * channels + column[None, :], mask, 0.0).to(tl.float32)
    away = tl.where(mask, x - (tl.sum(x, 1) / channels)[:, None], 0.0)
    scale = 1.0 / tl.sqrt_rn(tl.sum(away * away, 1) / channels + eps)
    return away * scale[:, None], scale


@triton.jit
def _norm(
    x_at,
    scale_at,
    shift_at,
    y_at,
    rows,
    channels,
    eps,
    MODULATED: tl.constexpr,
    ACTIVATED: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    mask = (row < rows)[:, None] & (column < channels)[None, :]
    at = row[:, None] * channels + column[None, :]
    h, _ = _normalise(x_at, channels, eps, row, column, mask)
    if MODULATED:
        h = h * tl.load(scale_at + at, mask, 0.0).to(tl.float32) + tl.load(shift_at + at, mask, 0.0).to(tl.float32)
    if ACTIVATED:
        h = h / (1.0 + tl.exp(-h))
    tl.store(y_at + at, h.to(y_at.dtype.element_ty), mask)


@triton.jit
def _norm_backward(
    grad_at,
    x_at,
    scale_at,
    shift_at,
    x_grad_at,
    scale_grad_at,
    shift_grad_at,
    rows,
    channels,
    eps,
    MODULATED: tl.constexpr,
    ACTIVATED: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    mask = (row < rows)[:, None] & (column < channels)[None, :]
    at = row[:, None] * channels + column[None, :]
    normal, inverse = _normalise(x_at, channels, eps, row, column, mask)
    grad = tl.load(grad_at + at, mask, 0.0).to(tl.float32)
    h = normal
    if MODULATED:
        scale = tl.load(scale_at + at, mask, 0.0).to(tl.float32)
        h = normal * scale + tl.load(shift_at + at, mask, 0.0).to(tl.float32)
    if ACTIVATED:
        part = 1.0 / (1.0 + tl.exp(-h))
        grad = grad * part * (1.0 + h * (1.0 - part))
    if MODULATED:
        tl.store(scale_grad_at + at, (grad * normal).to(scale_grad_at.dtype.element_ty), mask)
        tl.store(shift_grad_at + at, grad.to(shift_grad_at.dtype.element_ty), mask)
        grad = grad * scale
    mean, along = tl.sum(grad, 1) / channels, tl.sum(grad * normal, 1) / channels
    x_grad = (grad - mean[:, None] - normal * along[:, None]) * inverse[:, None]
    tl.store(x_grad_at + at, x_grad.to(x_grad_at.dtype.element_ty), mask)


@triton.jit
def _bias_silu(
    x_at,
    bias_at,
    time_at,
    y_at,
    rows,
    channels,
    pixels,
    own,
    TIMED: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    inside = column < channels
    mask = (row < rows)[:, None] & inside[None, :]
    at = row[:, None] * channels + column[None, :]
    h = tl.load(x_at + at, mask, 0.0).to(tl.float32)
    h += tl.load(bias_at + column, inside, 0.0).to(tl.float32)[None, :]
    if TIMED:
        # Where each example has its own time, `own` is 1, else 0.
        vector = (own * (row // pixels) * 2 * channels)[:, None] + column[None, :]
        gain = 1.0 + tl.load(time_at + vector, mask, 0.0).to(tl.float32)
        h = h * gain + tl.load(time_at + vector + channels, mask, 0.0).to(tl.float32)
    tl.store(y_at + at, (h / (1.0 + tl.exp(-h))).to(y_at.dtype.element_ty), mask)


@triton.jit
def _add_bias(x_at, other_at, bias_at, y_at, rows, channels, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    mask = (row < rows)[:, None] & (column < channels)[None, :]
    at = row[:, None] * channels + column[None, :]
    h = tl.load(x_at + at, mask, 0.0).to(tl.float32) + tl.load(other_at + at, mask, 0.0).to(tl.float32)
    h += tl.load(bias_at + column, column < channels, 0.0).to(tl.float32)[None, :]
    tl.store(y_at + at, h.to(y_at.dtype.element_ty), mask)


@triton.jit
def _interleave_join(
    four_at,
    bias_at,
    skip_at,
    joined_at,
    normal_at,
    rows,
    channels,
    height,
    width,
    eps,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    # A row is a pixel (image, y, x) of the result, of 2 · channels; height and width are those of the result.
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    inside = column < channels
    mask = (row < rows)[:, None] & inside[None, :]
    x, above = row % width, row // width
    y, image = above % height, above // height
    source = (image * (height // 2 + 1) + y // 2 + y % 2) * (width // 2 + 1) + x // 2 + x % 2
    source = (source * 4 + (y % 2) * 2 + x % 2) * channels
    h = tl.load(four_at + source[:, None] + column[None, :], mask, 0.0).to(tl.float32)
    h += tl.load(bias_at + column, inside, 0.0).to(tl.float32)[None, :]
    # What is normalised is what is written, rounded.
    h = tl.where(mask, h, 0.0).to(joined_at.dtype.element_ty)
    skip = tl.load(skip_at + row[:, None] * channels + column[None, :], mask, 0.0).to(joined_at.dtype.element_ty)
    at = row[:, None] * 2 * channels + column[None, :]
    tl.store(joined_at + at, h, mask)
    tl.store(joined_at + at + channels, skip, mask)
    h, skip = h.to(tl.float32), skip.to(tl.float32)
    mean = ((tl.sum(h, 1) + tl.sum(skip, 1)) / (2 * channels))[:, None]
    h, skip = tl.where(mask, h - mean, 0.0), tl.where(mask, skip - mean, 0.0)
    scale = 1.0 / tl.sqrt_rn((tl.sum(h * h, 1) + tl.sum(skip * skip, 1)) / (2 * channels) + eps)[:, None]
    h, skip = h * scale, skip * scale
    tl.store(normal_at + at, (h / (1.0 + tl.exp(-h))).to(normal_at.dtype.element_ty), mask)
    tl.store(normal_at + at + channels, (skip / (1.0 + tl.exp(-skip))).to(normal_at.dtype.element_ty), mask)


def norm(
    x: Tensor, scale: Tensor | None, shift: Tensor | None, eps: float, activate: bool, dtype: torch.dtype
) -> Tensor:
    """See `diffuscope.networks.fused.channel_norm`; tensors in channels_last memory."""
    y = torch.empty_like(x, dtype=dtype)
    rows, channels, grid, shape = _launch(x)
    _norm[grid](x, scale, shift, y, rows, channels, eps, scale is not None, activate, **shape)
    return y


def norm_backward(
    grad: Tensor, x: Tensor, scale: Tensor | None, shift: Tensor | None, eps: float, activate: bool
) -> list[Tensor]:
    """Return the gradients of x and, where given, of scale and shift; tensors in channels_last memory."""
    found = [None if one is None else torch.empty_like(one) for one in (x, scale, shift)]
    rows, channels, grid, shape = _launch(x)
    _norm_backward[grid](grad, x, scale, shift, *found, rows, channels, eps, scale is not None, activate, **shape)
    return [one for one in found if one is not None]


def bias_silu(x: Tensor, bias: Tensor, time: Tensor | None) -> Tensor:
    """See `diffuscope.networks.fused.bias_silu`; x in channels_last memory."""
    y = torch.empty_like(x)
    rows, channels, grid, shape = _launch(x)
    own, pixels = int(time is not None and len(time) > 1), x.shape[2] * x.shape[3]
    _bias_silu[grid](x, bias, time, y, rows, channels, pixels, own, time is not None, **shape)
    return y


def add_bias(x: Tensor, other: Tensor, bias: Tensor) -> Tensor:
    """See `diffuscope.networks.fused.add_bias`; x and other in channels_last memory."""
    y = torch.empty_like(x)
    rows, channels, grid, shape = _launch(x)
    _add_bias[grid](x, other, bias, y, rows, channels, **shape)
    return y


def interleave_join(four: Tensor, bias: Tensor, skip: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """See `diffuscope.networks.fused.interleave_join`; four and skip in channels_last memory."""
    n, channels, height, width = skip.shape
    shape = (n, 2 * channels, height, width)
    joined = torch.empty(shape, dtype=four.dtype, device=four.device, memory_format=torch.channels_last)
    normal = torch.empty_like(joined)
    rows, _, grid, block = _launch(skip)
    _interleave_join[grid](four, bias, skip, joined, normal, rows, channels, height, width, eps, **block)
    return joined, normal


def _launch(x: Tensor):
    """Return rows, channels, grid and block of a feature (n, c, h, w)."""
    channels = x.shape[1]
    rows, columns = x.numel() // channels, triton.next_power_of_2(channels)
    block = max(_ELEMENTS // columns, 1)
    return rows, channels, (triton.cdiv(rows, block),), {"ROWS": block, "COLUMNS": columns}
