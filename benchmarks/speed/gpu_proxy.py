"""What a GPU is asked to do for a tile, counted without one: kernel launches, and bytes read and written.

The default sampling of the shipped stain on a batch of 16 tiles in bf16, with its noise and with what `System.sample`
makes of the samples. Tensors pretend to be on CUDA and hold nothing (`FakeTensorMode`), so that the code goes the ways
that it goes there; a dispatch mode counts each operation that reads or writes such a tensor as one launch, and the
sizes of what it reads and writes as bytes. Views and allocations are none. A convolution's bias is one more pass over
its result, as cuDNN leaves it to PyTorch. A copy to or from the CPU counts as a launch. Neither caches nor what a
kernel does within itself is seen.

The ratios are to the code at commit f429eea, whose counts lie in ``gpu_proxy.json``. To make them again::

    git worktree add /tmp/before f429eea
    PYTHONPATH=/tmp/before/src:. python -m benchmarks gpu_proxy --json counts.json
"""

from __future__ import annotations

import json
import types
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.shared.figures import Goal
from diffuscope import DEMO_MODEL, load_model
from diffuscope.diffusion.noise import TileNoise
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import System

BATCH = 16
CUDA = torch.device("cuda", 0)
BEFORE = Path(__file__).with_suffix(".json")
# Operations that move nothing, and those whose first argument is written but not read.
_IDLE = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view"}
_OVERWRITING = {"copy_", "fill_", "zero_"}
GOALS = {"launches_ratio": Goal(high=1 / 3), "bytes_ratio": Goal(high=1 / 3)}


def _zeros(x: Tensor) -> np.ndarray:
    return np.zeros(x.shape, str(x.dtype).removeprefix("torch."))


def _contiguous(x: Tensor, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
    return x if x.is_contiguous(memory_format=memory_format) else x.clone(memory_format=memory_format)


def _indexed(x: Tensor, index: Any) -> Tensor:
    """Return x[index], of whole numbers, slices, None and one ellipsis."""
    index, axis = index if isinstance(index, tuple) else (index,), 0
    for number, one in enumerate(index):
        match one:
            case int():
                x = x.select(axis, one)
            case None:
                x, axis = x.unsqueeze(axis), axis + 1
            case slice():
                x, axis = torch.ops.aten.slice.Tensor(x, axis, one.start, one.stop, one.step or 1), axis + 1
            case types.EllipsisType():
                axis = x.ndim - sum(other is not None for other in index[number + 1 :])
            case _:
                raise NotImplementedError(f"an index of {type(one)}")
    return x


def _set(x: Tensor, index: Any, value: Tensor) -> None:
    """Copy a value to nowhere, which reads and writes as much as x[index] = value."""
    assert _indexed(x, index).shape == value.clone().shape


def _normed(x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, **_: Any) -> Tensor:
    """Return x normalised by what was settled in training: one pass."""
    return torch.native_batch_norm(x, weight, bias, mean, variance, training=False, momentum=0.0, eps=1e-5)[0]


# What builds of PyTorch without CUDA refuse to do with a fake tensor, though nothing on a device would be needed.
_BY_OTHER_MEANS = {
    Tensor.numpy: _zeros,
    Tensor.contiguous: _contiguous,
    nn.functional.batch_norm: _normed,
    Tensor.__getitem__: _indexed,
    Tensor.__setitem__: _set,
}


class Pretence(TorchFunctionMode):
    """Tensors that are made on CUDA, or brought there, are fake; what NumPy gets of them is zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.fake = FakeTensorMode(allow_non_fake_inputs=True)

    def __torch_function__(
        self, call: Callable[..., Any], kinds: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Call, within the fake mode where CUDA is named."""
        kwargs = kwargs or {}
        if args and isinstance(args[0], FakeTensor) and call in _BY_OTHER_MEANS:
            return _BY_OTHER_MEANS[call](*args, **kwargs)
        if call is Tensor.pin_memory:
            # Memory of the host, and no device to fetch from it.
            return args[0]
        named = [one for one in (*args, kwargs.get("device")) if isinstance(one, str | torch.device)]
        if any(str(one).startswith("cuda") for one in named):
            with self.fake:
                return call(*args, **kwargs)
        return call(*args, **kwargs)

    def like(self, x: Tensor) -> Tensor:
        """Return a fake tensor on CUDA, laid out as x."""
        with self.fake:
            return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=CUDA)

    def move(self, module: nn.Module) -> None:
        """Give a module fake weights on CUDA."""
        for part in module.modules():
            for name, weight in part.named_parameters(recurse=False):
                setattr(part, name, nn.Parameter(self.like(weight), requires_grad=False))
            for name, buffer in part.named_buffers(recurse=False):
                setattr(part, name, self.like(buffer))


class Counting(TorchDispatchMode):
    """Counts launches and bytes.

    Attributes
    ----------
    launches, bytes : Counter
        By name of the operation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.launches: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def __torch_dispatch__(
        self, operation: Any, kinds: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and count it."""
        found = operation(*args, **(kwargs or {}))
        name = operation.__name__.split(".")[0]
        read = _on_cuda(args[1:] if name in _OVERWRITING else args) + _on_cuda(kwargs)
        written = _on_cuda(found)
        aliases = [one.alias_info for one in operation._schema.returns]
        view = aliases and all(alias is not None and not alias.is_write for alias in aliases)
        if (read or written) and not view and name not in _IDLE and operation.namespace != "prim":
            self.launches[name] += 1
            self.bytes[name] += sum(map(_size, read + written))
            if name == "convolution" and args[2] is not None:
                self.launches["bias of a convolution"] += 1
                self.bytes["bias of a convolution"] += 2 * _size(found)
        return found


def _on_cuda(tree: Any) -> list[Tensor]:
    return [one for one in tree_leaves(tree) if isinstance(one, Tensor) and one.device.type == "cuda"]


def _size(x: Tensor) -> int:
    """Return the bytes that a tensor covers; what is repeated by a stride of 0 is read once."""
    sides = [side for side, stride in zip(x.shape, x.stride(), strict=True) if stride]
    return x.element_size() * int(np.prod(sides))


@contextmanager
def _autocast() -> Generator[None]:
    """Autocast to bf16 on CUDA, which PyTorch would switch off where there is none."""
    with (
        patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False),
        patch("torch.cuda.is_bf16_supported", lambda *_, **__: True),
        torch.autocast("cuda", torch.bfloat16),
    ):
        yield


def _filled(density: Tensor) -> Tensor:
    """Stand in for the kernel that fills rims, which needs Triton: levels are laid out, then it reads and writes."""
    level = torch.full_like(density, torch.inf)
    for edge in ((..., 0, slice(None)), (..., -1, slice(None)), (..., 0), (..., -1)):
        level[edge] = density[edge]
    return torch.minimum(level, density)


def count(system: System, settings: SampleSettings, batch: int = BATCH) -> Counting:
    """Count what a batch of tiles asks for.

    Parameters
    ----------
    system : System
        In eval mode; its weights are replaced by fake ones.
    settings : SampleSettings
        Sampler, steps, samples.
    batch : int
        Tiles.
    """
    side, counting = system.tile, Counting()
    with Pretence() as pretence:
        pretence.move(system)
        inputs = {
            port.key: torch.empty((batch, len(port.channels), side, side), device=CUDA).contiguous(
                memory_format=torch.channels_last
            )
            for port in system.input_rasters
        }
        noise = TileNoise(0, [(0, number * (side - system.overlap)) for number in range(batch)], side, side, CUDA)
        # Not inference mode: operations would reach the counting before they are taken apart.
        rims = patch("diffuscope.systems.staindiffuser.system.filled", _filled)
        with torch.no_grad(), _autocast(), rims, counting:
            for _ in system.sample(inputs, noise, settings):
                pass
    return counting


def measure() -> dict[str, float]:
    """Count the shipped stain's tile, and compare."""
    system = load_model(DEMO_MODEL, "cpu").system
    counting = count(system, next(iter(system.presets.values())))
    for name, number in counting.bytes.most_common():
        print(f"{name:32} {counting.launches[name] / BATCH:9.2f} launches {number / BATCH / 1e6:9.1f} MB a tile")
    before = json.loads(BEFORE.read_text(encoding="utf-8"))
    launches, size = counting.launches.total() / BATCH, counting.bytes.total() / BATCH
    return {
        "launches_per_tile": launches,
        "bytes_per_tile": size,
        "launches_ratio": launches / before["launches_per_tile"],
        "bytes_ratio": size / before["bytes_per_tile"],
    }
