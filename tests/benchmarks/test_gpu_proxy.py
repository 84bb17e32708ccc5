"""What a GPU is asked to do for a tile, counted on the CPU, so that a regression shows without a GPU."""

from __future__ import annotations

import json

import torch
from torch.nn import functional as F

from benchmarks.speed.gpu_proxy import BATCH, BEFORE, CUDA, Counting, Pretence, count
from diffuscope.model.folder import load_model
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.registry import build_system


def counted(call) -> Counting:
    counting = Counting()
    with Pretence() as pretence, torch.no_grad():
        x = pretence.like(torch.empty(2, 4, 8, 8).contiguous(memory_format=torch.channels_last))
        weight, bias = pretence.like(torch.empty(4, 4, 1, 1)), pretence.like(torch.empty(4))
        with counting:
            call(x, weight, bias)
    return counting


def test_what_is_counted_is_what_a_kernel_reads_and_writes():
    size = 2 * 4 * 8 * 8 * 4
    for call, launches, moved in (
        (lambda x, w, b: x.permute(0, 2, 3, 1)[:, 1:].flatten(), 1, 2 * size * 7 // 8),
        (lambda x, w, b: torch.empty_like(x), 0, 0),
        (lambda x, w, b: x.add_(1.0), 1, 2 * size),
        (lambda x, w, b: x + b[:, None, None], 1, 2 * size + 16),
        (lambda x, w, b: x + b[:, None, None].expand(x.shape), 1, 2 * size + 16),
        (lambda x, w, b: F.conv2d(x, w), 1, 2 * size + 64),
        # the bias in a pass of its own
        (F.conv2d, 2, 4 * size + 64 + 16),
        (lambda x, w, b: torch.zeros(3, device=CUDA), 1, 12),
        (lambda x, w, b: torch.zeros(3), 0, 0),
    ):
        found = counted(call)
        assert (found.launches.total(), found.bytes.total()) == (launches, moved)


def test_a_step_of_sampling_is_counted_as_often_as_it_is_taken():
    def launches(steps: int) -> int:
        system = build_system("palette", {"stain": "CD3", "size": "tiny"})
        return count(system.eval(), SampleSettings(sampler="ddim", steps=steps), batch=1).launches["convolution"]

    assert launches(5) - launches(4) == launches(4) - launches(3) > 20


def test_the_shipped_stain_asks_for_a_third_of_what_it_asked_for():
    system = load_model("stain-cd3-demo", "cpu").system
    counting, before = count(system, next(iter(system.presets.values()))), json.loads(BEFORE.read_text())
    assert counting.launches.total() / BATCH <= before["launches_per_tile"] / 3
    assert counting.bytes.total() / BATCH <= before["bytes_per_tile"] / 3
