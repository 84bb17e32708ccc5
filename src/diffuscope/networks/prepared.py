"""Weights as a kernel wants them, made once: cast, laid out, summed; made anew where the weight has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary


@dataclass(frozen=True, eq=False)
class _Kept:
    """What was made of a weight as it was at a version.

    It holds the weight's memory, so that no other weight can come to lie there and be taken for it.
    """

    source: Tensor
    version: int
    made: dict[tuple[Callable[[Tensor], Tensor], torch.dtype], Tensor]

    def is_of(self, weight: Tensor) -> bool:
        here, there = self.source.untyped_storage(), weight.untyped_storage()
        return self.version == weight._version and here._cdata == there._cdata  # noqa: SLF001  there is no other way


_KEPT = WeakIdKeyDictionary()


def prepared(weight: Tensor, dtype: torch.dtype, make: Callable[[Tensor], Tensor] = torch.Tensor.detach) -> Tensor:
    """Return ``make(weight)`` in a dtype and in channels_last memory, from the time before where nothing has changed.

    Autocast casts a weight at every call. For inference: it has no gradient.

    Parameters
    ----------
    weight : Tensor of shape (outputs, inputs, h, w)
        Of a convolution.
    dtype : torch.dtype
        Of the result.
    make : callable
        A function of a module, not one made anew for each call.
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or weight.is_inference():
        return _laid_out(make(weight), dtype)
    kept = _KEPT.get(weight)
    if kept is None or not kept.is_of(weight):
        kept = _KEPT[weight] = _Kept(weight.detach(), weight._version, {})  # noqa: SLF001
    if (make, dtype) not in kept.made:
        kept.made[make, dtype] = _laid_out(make(weight), dtype)
    return kept.made[make, dtype]


def _laid_out(weight: Tensor, dtype: torch.dtype) -> Tensor:
    return weight.to(dtype=dtype, memory_format=torch.channels_last)
