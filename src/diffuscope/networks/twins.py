"""The operations of `diffuscope.networks.fused` in plain PyTorch: on the CPU, under Inductor, and without Triton."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def channel_norm(x: Tensor, scale: Tensor | None, shift: Tensor | None, eps: float, activate: bool) -> Tensor:
    """Normalise, modulate and activate, in whatever dtype x is and autocast asks for."""
    h = F.layer_norm(x.permute(0, 2, 3, 1), (x.shape[1],), eps=eps).permute(0, 3, 1, 2)
    if scale is not None and shift is not None:
        h = torch.addcmul(shift, h, scale, out=h if _overwrites(h, scale, shift) else None)
    return silu(h) if activate else h


def silu(x: Tensor) -> Tensor:
    """SiLU, written over its input where no gradient will be asked for: memory traffic is what it costs."""
    return F.silu(x, inplace=not torch.is_grad_enabled())


def add(x: Tensor, y: Tensor) -> Tensor:
    """Return x + y, written over x where no gradient will be asked for."""
    return x.add_(y) if _overwrites(x, y) else x + y


def interleave(four: Tensor) -> Tensor:
    """Return the one image (n, c, h, w) of four interleaved ones (n, 4c, h / 2 + 1, w / 2 + 1)."""
    (top_left, top_right), (low_left, low_right) = _quarters(four)
    rows = torch.stack([top_left, top_right], 3), torch.stack([low_left, low_right], 3)
    return torch.stack(rows, 2).flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def join(four: Tensor, skip: Tensor) -> Tensor:
    """Return that image with the channels of another one after its own."""
    if not _overwrites(four, skip):
        return torch.cat([interleave(four), skip], dim=1)
    # What a gradient could not follow: each number is moved once, to where it belongs.
    n, channels, height, width = skip.shape
    joined = skip.new_empty((n, height, width, 2 * channels))
    for a, row in enumerate(_quarters(four)):
        for b, quarter in enumerate(row):
            joined[:, a::2, b::2, :channels] = quarter
    joined[..., channels:] = skip.permute(0, 2, 3, 1)
    return joined.permute(0, 3, 1, 2)


def _quarters(four: Tensor) -> list[list[Tensor]]:
    """Return the pixels at the four places, [y % 2][x % 2], each (n, h / 2, w / 2, c)."""
    height, width = (side - 1 for side in four.shape[-2:])
    four = four.permute(0, 2, 3, 1).unflatten(-1, (2, 2, -1))
    return [[four[:, a : a + height, b : b + width, a, b] for b in (0, 1)] for a in (0, 1)]


def _overwrites(x: Tensor, *others: Tensor) -> bool:
    """Whether to write in place: no gradient will be asked for, all have one dtype, and Inductor is not at work.

    (It does without such passes by itself, and breaks its graph where one writes to memory that is not contiguous.)
    """
    free = not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return free and all(other.dtype == x.dtype for other in others)


def norm(
    x: Tensor, scale: Tensor | None, shift: Tensor | None, eps: float, activate: bool, dtype: torch.dtype
) -> Tensor:
    """As the kernel: in float32 throughout, rounded once."""
    scale, shift = (None if one is None else _full(one) for one in (scale, shift))
    return channel_norm(_full(x), scale, shift, eps, activate).to(dtype)


def norm_backward(
    grad: Tensor, x: Tensor, scale: Tensor | None, shift: Tensor | None, eps: float, activate: bool
) -> list[Tensor]:
    """Return the gradients of x and, where there is a modulation, of scale and shift."""
    full, grad = _full(x), _full(grad)
    away = full - full.mean(1, keepdim=True)
    inverse = (away.square().mean(1, keepdim=True) + eps).rsqrt()
    normal = away * inverse
    h, of_modulation = normal, []
    if scale is not None and shift is not None:
        h = torch.addcmul(_full(shift), normal, _full(scale))
    if activate:
        part = h.sigmoid()
        grad = grad * part * (1.0 + h * (1.0 - part))
    if scale is not None and shift is not None:
        of_modulation = [(grad * normal).to(scale.dtype), grad.to(shift.dtype)]
        grad = grad * _full(scale)
    along = (grad * normal).mean(1, keepdim=True)
    of_x = (grad - grad.mean(1, keepdim=True) - normal * along) * inverse
    return [of_x.to(x.dtype), *of_modulation]


def bias_silu(x: Tensor, bias: Tensor, time: Tensor | None) -> Tensor:
    """SiLU((1 + g) · (x + bias) + s)."""
    h = _full(x) + bias[:, None, None]
    if time is not None:
        gain, shift = time[:, :, None, None].chunk(2, dim=1)
        h = torch.addcmul(shift, h, 1.0 + gain)
    return F.silu(h).to(x.dtype)


def add_bias(x: Tensor, other: Tensor, bias: Tensor) -> Tensor:
    """Return x + other + bias."""
    return (_full(x) + other + bias[:, None, None]).to(x.dtype)


def interleave_join(four: Tensor, bias: Tensor, skip: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Interleave, add the bias, join with the skip's channels; and that normalised and activated."""
    image = (_full(interleave(four)) + bias[:, None, None]).to(four.dtype)
    joined = torch.cat([image, skip.to(four.dtype)], dim=1).contiguous(memory_format=torch.channels_last)
    return joined, norm(joined, None, None, eps, activate=True, dtype=four.dtype)


def _full(x: Tensor) -> Tensor:
    """Return x in float32, or in float64 where it has that."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
