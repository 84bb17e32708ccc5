"""Kernels that do not run here: their twins do, and that is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from diffuscope import devices


def test_a_kernel_that_fails_is_warned_of_once_and_its_twin_runs(monkeypatch):
    monkeypatch.setattr(devices, "_BROKEN", [])
    called = []

    def kernel(*_):
        called.append(1)
        raise RuntimeError("Failed to find C compiler.\nMore.")

    monkeypatch.setattr(devices, "import_module", lambda name: SimpleNamespace(run=kernel))
    on_gpu = SimpleNamespace(is_cuda=True, get_device=lambda: -1)
    with pytest.warns(UserWarning, match=r"do not run here.*RuntimeError: Failed to find C compiler\.\)"):
        assert devices.by_kernel("module", "run", lambda x, y: y + 1, on_gpu, 1) == 2
    assert devices.by_kernel("module", "run", lambda x, y: y + 1, on_gpu, 2) == 3
    assert len(called) == 1


def test_a_kernel_that_finds_too_little_memory_is_none_that_does_not_run(monkeypatch):
    monkeypatch.setattr(devices, "_BROKEN", [])

    def kernel(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(devices, "import_module", lambda name: SimpleNamespace(run=kernel))
    with pytest.raises(torch.OutOfMemoryError):
        devices.by_kernel("module", "run", lambda x: x, SimpleNamespace(is_cuda=True, get_device=lambda: -1))
    assert not devices._BROKEN


def test_on_the_cpu_no_kernel_is_looked_for():
    x = torch.ones(2)
    assert devices.by_kernel("no.such.module", "run", lambda x: x + 1, x).tolist() == [2, 2]
