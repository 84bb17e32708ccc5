"""Devices and precision by name, and by what the machine has."""

from __future__ import annotations

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from diffuscope import where
from diffuscope.devices import flushed_denormals, pick_device, pick_precision
from diffuscope.errors import InputError
from diffuscope.systems.base import SampleSettings

CPU = torch.device("cpu")


@pytest.mark.parametrize(("cuda", "mps", "found"), [(False, False, "cpu"), (False, True, "mps"), (True, True, "cuda")])
def test_auto_takes_the_fastest_there_is(monkeypatch, cuda: bool, mps: bool, found: str):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto").type == found


def test_a_device_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="CUDA was asked for, but PyTorch finds none here: choose auto or cpu"):
        pick_device("cuda")
    with pytest.raises(InputError, match='no device "gpu": choose one of auto, cpu'):
        pick_device("gpu")


@pytest.mark.parametrize(
    ("has", "precision"),
    [
        ({"avx512_bf16": True, "cpu_name": "AMD EPYC 9R14"}, "bf16"),
        ({"avx512_bf16": True, "cpu_name": "Intel Xeon"}, "fp32"),
        ({"avx512_bf16": True, "amx_bf16": True, "cpu_name": "Intel Xeon"}, "bf16"),
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({"avx512_bf16": False}, "fp32"),
        ({}, "fp32"),
    ],
)
def test_bf16_only_where_the_processor_computes_it(monkeypatch, has: dict[str, bool | str], precision: str):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert pick_precision(torch.device("cpu")) == precision
    assert pick_precision(torch.device("mps")) == "fp32"


_FAULTS = """
import resource, torch
from diffuscope import where
from diffuscope.devices import kept_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        results = [torch.ones(2**21) for _ in range(8)]
        del results
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
with kept_memory():
    faults()
    kept = faults()
print(given_back, kept, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")
def test_memory_that_is_kept_is_not_faulted_in_anew():
    # In a process of its own: where a heap has holes, malloc keeps what it is not told to keep.
    found = subprocess.run([sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True)
    given_back, kept, afterwards = map(int, found.stdout.split())
    # What a fault costs is a page's size, 4 KB or 2 MB; ten rounds of eight results of 8 MB take at least 320.
    if given_back < 100:
        pytest.skip("this system does not count page faults")
    assert kept < given_back / 10
    assert afterwards > given_back / 10


def test_denormals_are_zero_only_inside():
    small = torch.tensor([1e-39])
    with flushed_denormals():
        assert (small * 1.0 == 0).all()
    assert (small * 1.0 > 0).all()


@pytest.mark.parametrize(("tile", "batch"), [(32, 4), (64, 4), (128, 1), (288, 1)])
def test_small_tiles_go_through_a_cpu_together(tile: int, batch: int):
    system = SimpleNamespace(tile=tile)
    found = where._batch(SimpleNamespace(system=system), SampleSettings(sampler="ddim", steps=1), CPU, "fp32")
    assert found == batch
