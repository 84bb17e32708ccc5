"""Devices and precision by name, and by what the machine has."""

from __future__ import annotations

import platform

import pytest
import torch

from diffuscope.devices import flushed_denormals, kept_memory, pick_device, pick_precision
from diffuscope.errors import InputError


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
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx512_bf16": False}, "fp32"), ({}, "fp32")],
)
def test_bf16_only_where_the_processor_computes_it(monkeypatch, has: dict[str, bool], precision: str):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert pick_precision(torch.device("cpu")) == precision
    assert pick_precision(torch.device("mps")) == "fp32"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")
def test_memory_that_is_kept_is_not_faulted_in_anew():
    resource = pytest.importorskip("resource")  # not on Windows

    def faults() -> int:
        """Page faults that 50 results of 32 MB cost."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(50):
            torch.ones(2**23)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with kept_memory():
        torch.ones(2**23)
        inside = faults()
    # Afterwards memory is given back as ever, at a price that depends on the size of a page: 4 KB, or 2 MB.
    after = faults()
    if after < 50:
        pytest.skip("this system does not count page faults")
    assert inside < after / 5


def test_denormals_are_zero_only_inside():
    small = torch.tensor([1e-39])
    with flushed_denormals():
        assert (small * 1.0 == 0).all()
    assert (small * 1.0 > 0).all()
