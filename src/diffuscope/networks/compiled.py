"""Networks compiled in place by `torch.compile`, where that is possible here; the same network, plain, where it is not.

Compiling takes seconds a network and is worth it for many evaluations. Inductor keeps what it made on disk
(`torch._inductor.config`: ``TORCHINDUCTOR_CACHE_DIR``), so that the next process takes it from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn


def compile_parts(parts: Iterable[nn.Module], *, report: Callable[[str], None]) -> None:
    """Compile modules in place, each at its first call; names of weights stay, and a module's copy is plain.

    Last bits of a compiled module differ from those of the plain one. A part is compiled once more for each shape,
    dtype and mode (gradient, autocast) that it meets. It is meant for CUDA: on a CPU it takes minutes, and a U-Net
    gained 17 % by it in fp32 and 4 % in bf16.

    Parameters
    ----------
    parts : iterable of Module
        See `diffuscope.systems.base.System.compiled_parts`.
    report : callable
        Gets one sentence, once, where compiling fails: no compiler for this device, or an operation that it does not
        know. The parts then run plain. It is called by the thread that evaluates the network; where several had parts
        compiled in this process, the last one is told.
    """
    backend = _backend(report)
    for part in parts:
        try:
            # One compilation a shape: a run has one batch size, and kernels of fixed sizes are the faster ones.
            part.compile(backend=backend, dynamic=False)
        except RuntimeError as error:
            backend.fail(error)


def run_plain(parts: Iterable[nn.Module]) -> None:
    """Undo `compile_parts`: for evaluations too few, or of too many shapes, to compile for."""
    for part in parts:
        # What `nn.Module.compile` sets, and copies leave out; PyTorch has no call that takes it back.
        part._compiled_call_impl = None  # noqa: SLF001


class _Inductor:
    """Inductor as a backend of `torch.compile` that gives the graph back as it is where Inductor fails."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.report, self.failed = report, False

    def __call__(self, graph: torch.fx.GraphModule, inputs: Sequence[Any]) -> Callable[..., Any]:
        """Compile a graph of one module's call."""
        if self.failed:
            return graph.forward
        # Here, not above: it takes a second that those who never compile need not wait for.
        from torch._dynamo import lookup_backend

        try:
            return lookup_backend("inductor")(graph, inputs)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001  whatever is missing here, the plain network still runs
            self.fail(error)
            return graph.forward

    def fail(self, error: Exception) -> None:
        """Tell once why networks run plain."""
        if not self.failed:
            self.failed = True
            lines = str(error).strip().splitlines() or [""]
            self.report(f"The network could not be compiled and runs plain ({type(error).__name__}: {lines[0]}).")


_used: list[_Inductor] = []


def _backend(report: Callable[[str], None]) -> _Inductor:
    """Return the backend of this process; a new one after it has failed.

    PyTorch compiles a module's code anew for each backend, and after eight of them runs it plain without a word: a
    process that runs one job after the other, as napari's, would be slow from the fifth on. For one backend it takes
    what it has, also for another network of the same kind.
    """
    if not _used or _used[-1].failed:
        _used.append(_Inductor(report))
    _used[-1].report = report
    return _used[-1]
