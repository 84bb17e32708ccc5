"""One evaluation of a U-Net and one draw of noise on a GPU: whether the kernels are right, and how fast they are.

A U-Net of the shipped models' size in bf16, a batch of 16 tiles of 272 px: plain, of fused operations, these as one
CUDA graph, and compiled; and a step of training on 64 crops of 128 px. What the kernels compute is held against
float64, and the words of the noise against those of PyTorch. It needs PyTorch and Triton alone, and less than a minute;
without a GPU it says so and ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.shared.figures import Goal
from diffuscope import devices
from diffuscope.diffusion.noise import TileNoise, key_of, normal, words
from diffuscope.networks import fused, twins
from diffuscope.networks.compiled import compile_parts
from diffuscope.networks.unet import ModulatedUNet

BATCH, SIDE, WIDTHS = 16, 272, (32, 48, 64, 96)
STREAM = {"seed": 7, "port": "ihc", "sample": 0, "step": 3}
GOALS = {
    "kernels_run": Goal(low=1.0),
    "words_right": Goal(low=1.0),
    "norm_error": Goal(high=1e-5),
    "norm_gradient_error": Goal(high=1e-4),
    "normals_error": Goal(high=1e-5),
    "network_error": Goal(high=1e-4),
}


def measure() -> dict[str, float]:
    """Check, then time."""
    if not torch.cuda.is_available():
        print("There is no GPU.")
        return {}
    print(torch.cuda.get_device_name(), torch.__version__)
    # Convolutions by which fused and plain are compared in float32 shall be float32.
    torch.backends.cudnn.allow_tf32 = False
    figures = norm_errors() | noise_errors() | network_error() | noise_times() | training_times() | network_times()
    # Where kernels do not run their twins do, which are right as well.
    return {"kernels_run": float(not devices._BROKEN)} | figures


def drawn(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Return normal numbers on the GPU, images in channels_last memory."""
    x = torch.randn(shape, device="cuda", dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def norm_errors() -> dict[str, float]:
    """Return the largest errors of the norm and of its gradients: float32 against float64."""
    forth, back = [], []
    for channels in (32, 48, 96, 192):
        for modulated in (False, True):
            x, scale, shift, grad = (drawn(2, channels, 34, 30, dtype=torch.float32) for _ in range(4))
            given = [x, scale, shift] if modulated else [x]
            for one in given:
                one.requires_grad_()
            exact = [one.detach().double().requires_grad_() for one in given]
            found = fused.channel_norm(x, 1e-5, modulation=(scale, shift) if modulated else None, activate=True)
            expected = twins.channel_norm(exact[0], *(exact[1:] if modulated else (None, None)), 1e-5, activate=True)
            forth.append((found - expected).detach().abs().max())
            gradients = zip(
                torch.autograd.grad(found, given, grad),
                torch.autograd.grad(expected, exact, grad.double()),
                strict=True,
            )
            back += [(one - other).abs().max() for one, other in gradients]
    return {"norm_error": float(max(forth)), "norm_gradient_error": float(max(back))}


def noise_errors() -> dict[str, float]:
    """Return the part of words that are right, and the largest error of normals against those of the CPU."""
    from diffuscope.diffusion.noise_kernel import draw

    places, window = [(0, 0, 0), (5, -3, 70_000)], {"height": 64, "width": 48, "depth": 2}
    table = torch.tensor(places, device="cuda")
    at = [{"z": z, "y": y, "x": x} for z, y, x in places]
    bits = draw(table, key_of(**STREAM), 4, 2, 64, 48, normal=False).cpu()
    right = torch.stack([words(**STREAM, channels=4, **window, **one).flatten(0, 1) for one in at]) == bits
    normals = draw(table, key_of(**STREAM), 3, 2, 64, 48).cpu()
    expected = torch.stack([normal(**STREAM, channels=3, **window, **one) for one in at])
    return {"words_right": float(right.double().mean()), "normals_error": float((normals - expected).abs().max())}


def unet(batch: int, side: int) -> tuple[ModulatedUNet, tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]]:
    """Return a network and what it takes."""
    torch.manual_seed(0)
    network = ModulatedUNet(3, WIDTHS).cuda().eval().requires_grad_(requires_grad=False)
    for parameter in network.parameters():
        if not parameter.any():
            parameter.normal_(0.0, 0.05)
    network.to(memory_format=torch.channels_last)
    shapes = [(batch, width, side >> level, side >> level) for level, width in enumerate(WIDTHS)]
    modulation = [(drawn(*shape), drawn(*shape)) for shape in shapes]
    return network, (drawn(batch, 3, side, side, dtype=torch.float32), torch.full((1,), 0.5, device="cuda"), modulation)


def network_error() -> dict[str, float]:
    """Return the largest difference of the fused network from the plain one in float32, over its largest value."""
    network, (x, time_, modulation) = unet(2, 64)
    modulation = [(scale.float(), shift.float()) for scale, shift in modulation]
    with torch.inference_mode():
        found = network(x, time_, modulation)
        with patch.object(fused, "plain", lambda _: True):
            expected = network(x, time_, modulation)
    return {"network_error": float((found - expected).abs().max() / expected.abs().max())}


def milliseconds(call: Callable[[], object], times: int = 10) -> float:
    """Return the median time of a call, after three that do not count."""
    taken = []
    for number in range(3 + times):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        if number >= 3:
            taken.append(1e3 * (time.perf_counter() - start))
    return median(taken)


def noise_times() -> dict[str, float]:
    """Time a draw for a batch: the kernel, and tile by tile in PyTorch."""
    places = [(0, 256 * number) for number in range(BATCH)]
    noise = TileNoise(7, places, SIDE, SIDE, "cuda")
    size = {"channels": 3, "height": SIDE, "width": SIDE, "device": "cuda"}
    return {
        "noise_ms": milliseconds(lambda: noise("ihc", sample=0, step=3, channels=3)),
        "noise_plain_ms": milliseconds(lambda: [normal(**STREAM, **size, y=y, x=x) for y, x in places], times=3),
    }


def training_times() -> dict[str, float]:
    """Time forth and back, plain and fused."""
    network, (x, _, modulation) = unet(64, 128)
    network.train().requires_grad_(requires_grad=True)
    # Each example has a time of its own.
    given = x, torch.rand(64, device="cuda"), modulation

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            loss = network(*given).float().square().mean()
        loss.backward()

    with patch.object(fused, "plain", lambda _: True):
        plain = milliseconds(step)
    return {"training_plain_ms": plain, "training_fused_ms": milliseconds(step)}


def network_times() -> dict[str, float]:
    """Time an evaluation: plain, fused, fused as a CUDA graph, compiled."""
    network, given = unet(BATCH, SIDE)
    figures = {}

    def evaluate() -> Tensor:
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
            return network(*given)

    with patch.object(fused, "plain", lambda _: True):
        figures["plain_ms"] = milliseconds(evaluate)
    start = time.perf_counter()
    evaluate()
    torch.cuda.synchronize()
    figures["fused_first_s"] = time.perf_counter() - start
    figures["fused_ms"] = milliseconds(evaluate)
    figures["graph_ms"] = milliseconds(graphed(evaluate))
    told: list[str] = []
    compile_parts([network], report=told.append)
    start = time.perf_counter()
    evaluate()
    torch.cuda.synchronize()
    figures["compiled_first_s"] = time.perf_counter() - start
    figures["compiled_ms"] = milliseconds(evaluate)
    print(*told)
    figures["compiled_graph_ms"] = milliseconds(graphed(evaluate))
    return figures | {"fused_speedup": figures["plain_ms"] / figures["fused_ms"]}


def graphed(call: Callable[[], object]) -> Callable[[], None]:
    """Return a call's kernels as one launch: what is left without the time that Python takes to launch them."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay
