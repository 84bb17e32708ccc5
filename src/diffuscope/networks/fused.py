"""Operations that a diffusion U-Net spends its memory traffic on, each one pass: a kernel on CUDA, PyTorch elsewhere.

On CUDA, autocast normalises in float32: a cast to it, the norm, the modulation, the SiLU and the cast back to the
convolution's dtype are five passes over memory, most of them of twice the size, and took two thirds of a U-Net's time.
Here they are one, which reads what there is and writes the convolution's dtype. The operations are registered with
PyTorch, so that autograd and dispatch modes know them. Under `torch.compile` their twins take their place, which
Inductor fuses with whatever lies around them. Without Triton the twins are what runs on CUDA, too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from diffuscope.devices import by_kernel
from diffuscope.networks import twins


def channel_norm(
    x: Tensor, eps: float, *, modulation: tuple[Tensor, Tensor] | None = None, activate: bool = False
) -> Tensor:
    """Normalise each pixel over its channels; then, where wanted, feature · scale + shift, and SiLU.

    Parameters
    ----------
    x : Tensor of shape (n, c, h, w)
        channels_last memory makes it one pass.
    eps : float
        Added to the variance.
    modulation : (scale, shift), optional
        Each of the shape of x.
    activate : bool
        Whether SiLU ends it.

    Returns
    -------
    Tensor of shape (n, c, h, w)
        On CUDA of autocast's dtype where that is on, else of the dtype of x, and rounded to it once.
    """
    scale, shift = modulation or (None, None)
    if plain(x):
        return twins.channel_norm(x, scale, shift, eps, activate)
    dtype = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else x.dtype
    return torch.ops.diffuscope.channel_norm(x, scale, shift, eps, activate, dtype)


def bias_silu(x: Tensor, bias: Tensor, time: Tensor | None = None) -> Tensor:
    """SiLU of a convolution's result with its bias, scaled and shifted by time: SiLU((1 + g) · (x + bias) + s).

    For inference; it has no gradient.

    Parameters
    ----------
    x : Tensor of shape (n, c, h, w)
        Of the convolution without its bias.
    bias : Tensor of shape (c,)
        Its bias.
    time : Tensor of shape (n, 2c) or (1, 2c), optional
        g, then s.

    Returns
    -------
    Tensor of shape (n, c, h, w)
        Of the dtype of x.
    """
    return torch.ops.diffuscope.bias_silu(x, bias, time)


def add_bias(x: Tensor, other: Tensor, bias: Tensor) -> Tensor:
    """Return x + other + bias, of x and other (n, c, h, w) and a bias (c,); of the dtype of x.

    For inference; it has no gradient.
    """
    return torch.ops.diffuscope.add_bias(x, other, bias)


def interleave_join(four: Tensor, bias: Tensor, skip: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Make one image of four interleaved ones, add a bias, and put another image's channels after its own.

    For inference; it has no gradient.

    Parameters
    ----------
    four : Tensor of shape (n, 4c, h / 2 + 1, w / 2 + 1)
        As `diffuscope.networks.blocks.Upsample.four` makes it: the result's pixel (2y + a, 2x + b) is four's pixel
        (y + a, x + b), of channels (2a + b)·c to (2a + b + 1)·c.
    bias : Tensor of shape (c,)
        Added to the first c channels.
    skip : Tensor of shape (n, c, h, w)
        The last c channels.
    eps : float
        Of the norm.

    Returns
    -------
    joined : Tensor of shape (n, 2c, h, w)
        Of the dtype of `four`, in channels_last memory.
    normal : Tensor of shape (n, 2c, h, w)
        `channel_norm` of it, activated.
    """
    return torch.ops.diffuscope.interleave_join(four, bias, skip, eps)


def plain(x: Tensor) -> bool:
    """Whether x is better served by PyTorch's own operations: it is not on CUDA, or Inductor fuses them."""
    return x.device.type != "cuda" or torch.compiler.is_compiling()


def _on_device(name: str, x: Tensor, *given: Any) -> Any:
    return by_kernel("diffuscope.networks.kernels", name, getattr(twins, name), x, *given)


def _nhwc(*tensors: Tensor | None) -> list[Any]:
    return [None if one is None else one.contiguous(memory_format=torch.channels_last) for one in tensors]


def _norm(
    x: Tensor, scale: Tensor | None, shift: Tensor | None, eps: float, activate: bool, dtype: torch.dtype
) -> Tensor:
    return _on_device("norm", *_nhwc(x, scale, shift), eps, activate, dtype)


def _norm_backward(
    grad: Tensor, x: Tensor, scale: Tensor | None, shift: Tensor | None, eps: float, activate: bool
) -> list[Tensor]:
    return _on_device("norm_backward", *_nhwc(grad, x, scale, shift), eps, activate)


def _bias_silu(x: Tensor, bias: Tensor, time: Tensor | None) -> Tensor:
    return _on_device("bias_silu", *_nhwc(x), bias, time)


def _add_bias(x: Tensor, other: Tensor, bias: Tensor) -> Tensor:
    return _on_device("add_bias", *_nhwc(x, other), bias)


def _interleave_join(four: Tensor, bias: Tensor, skip: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    return _on_device("interleave_join", *_nhwc(four), bias, *_nhwc(skip), eps)


def _two(four: Tensor, _bias: Tensor, skip: Tensor, _eps: float) -> tuple[Tensor, Tensor]:
    joined = _empty(torch.cat([skip, skip], dim=1), four.dtype)
    return joined, _empty(joined)


def _empty(x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    return torch.empty_like(x, dtype=dtype, memory_format=torch.channels_last)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001  torch gives them by name
    x, scale, shift, ctx.eps, ctx.activate, _ = inputs
    ctx.save_for_backward(x, scale, shift)


def _gradients(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, scale, shift = ctx.saved_tensors
    found = torch.ops.diffuscope.channel_norm_backward(grad, x, scale, shift, ctx.eps, ctx.activate)
    return (*found, *[None] * (6 - len(found)))


# Name, schema, what runs, and what tells the shapes of its results.
_OPERATIONS = (
    (
        "channel_norm",
        "(Tensor x, Tensor? scale, Tensor? shift, float eps, bool activate, ScalarType dtype) -> Tensor",
        _norm,
        lambda x, _scale, _shift, _eps, _activate, dtype: _empty(x, dtype),
    ),
    (
        "channel_norm_backward",
        "(Tensor grad, Tensor x, Tensor? scale, Tensor? shift, float eps, bool activate) -> Tensor[]",
        _norm_backward,
        lambda _grad, x, scale, shift, _eps, _activate: [_empty(one) for one in (x, scale, shift) if one is not None],
    ),
    ("bias_silu", "(Tensor x, Tensor bias, Tensor? time) -> Tensor", _bias_silu, lambda x, _bias, _time: _empty(x)),
    ("add_bias", "(Tensor x, Tensor other, Tensor bias) -> Tensor", _add_bias, lambda x, _other, _bias: _empty(x)),
    (
        "interleave_join",
        "(Tensor four, Tensor bias, Tensor skip, float eps) -> (Tensor, Tensor)",
        _interleave_join,
        _two,
    ),
)

for _name, _schema, _run, _fake in _OPERATIONS:
    torch.library.define(f"diffuscope::{_name}", _schema)
    torch.library.impl(f"diffuscope::{_name}", "CompositeExplicitAutograd")(_run)
    torch.library.register_fake(f"diffuscope::{_name}")(_fake)
torch.library.register_autograd("diffuscope::channel_norm", _gradients, setup_context=_save)
