"""Devices and precision by name, and by what the machine has."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from diffuscope.devices import flushed_denormals, likely_devices, pick_device, pick_devices, pick_precision
from diffuscope.errors import InputError
from diffuscope.jobs import compute as where
from diffuscope.ports.settings import SampleSettings
from diffuscope.tiling.plan import Plan, make_plan

CPU = torch.device("cpu")
_SYSTEM = SimpleNamespace(tile=272, recordable=False)
MODEL = SimpleNamespace(system=_SYSTEM, tiled=_SYSTEM)
SETTINGS = SampleSettings(sampler="ddim", steps=10)


def plan_of(tiles: int) -> Plan:
    return make_plan(shape=(256, 256 * tiles), factors=(1.0, 1.0), tile=272, overlap=16)


@pytest.mark.parametrize(("cuda", "mps", "found"), [(False, False, "cpu"), (False, True, "mps"), (True, True, "cuda")])
def test_auto_takes_the_fastest_there_is(monkeypatch, cuda: bool, mps: bool, found: str):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto").type == found


def test_a_device_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="CUDA was asked for, but PyTorch finds none here: choose another"):
        pick_device("cuda")
    with pytest.raises(InputError, match='no device "gpu": choose one of auto, cpu'):
        pick_device("gpu")


@pytest.mark.parametrize(
    ("build", "driver", "platform", "machine", "found"),
    [
        ("2.9.0+cpu", True, "linux", "x86_64", ("auto", "cpu")),
        ("2.9.0", False, "linux", "x86_64", ("auto", "cpu")),
        ("2.9.0+cu128", True, "win32", "AMD64", ("auto", "cpu", "cuda")),
        ("2.9.0", False, "darwin", "arm64", ("auto", "cpu", "mps")),
        ("2.9.0", False, "darwin", "x86_64", ("auto", "cpu")),
    ],
)
def test_what_is_offered_may_be_there(monkeypatch, build, driver, platform, machine, found):
    monkeypatch.setattr("diffuscope.devices.metadata.version", lambda _: build)
    monkeypatch.setattr("diffuscope.devices._loads", lambda _: driver)
    monkeypatch.setattr("diffuscope.devices.sys.platform", platform)
    monkeypatch.setattr("diffuscope.devices.platform.machine", lambda: machine)
    assert likely_devices() == found


@pytest.mark.parametrize(("number", "found"), [("all", [0, 1, 2]), (2, [0, 1]), ("1", [0])])
def test_several_gpus_by_number(monkeypatch, number, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [(device.type, device.index) for device in pick_devices(number)] == [("cuda", index) for index in found]


@pytest.mark.parametrize(
    ("there", "number", "words"),
    [
        (3, 4, "4 GPUs were asked for, but PyTorch finds 3 GPUs here"),
        (1, 2, "finds 1 GPU here"),
        (0, "all", "finds no GPU here"),
        (3, 0, "0 GPUs were asked for"),
        (3, "two", 'a number or "all", got two'),
    ],
)
def test_gpus_that_are_not_there_are_said(monkeypatch, there, number, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    with pytest.raises(InputError, match=words):
        pick_devices(number)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"devices": "all", "workers": 2}, "choose one"),
        ({"devices": 2, "device": "cpu"}, "cpu is none"),
        ({"devices": 2}, "finds no GPU here"),
        ({"compile": "yes"}, "no compile"),
    ],
)
def test_where_to_compute_is_refused_in_a_sentence(monkeypatch, asked, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=words):
        where.resolve_compute(where.ComputeRequest(**asked), None, MODEL, SETTINGS, plan_of(1))


def test_a_long_run_on_a_gpu_is_compiled(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(where, "_batch", lambda *_: 32)
    # 272² px in ten steps: 2704 tiles make 2e9 px.
    for tiles, asked, found in ((2703, "auto", "off"), (2704, "auto", "on"), (1, "on", "on"), (9999, "off", "off")):
        asks = where.ComputeRequest(device="cuda", precision="bf16", compile=asked)
        assert where.resolve_compute(asks, None, MODEL, SETTINGS, plan_of(tiles)).compile == found
    system = SimpleNamespace(tile=272, recordable=True)
    recordable = SimpleNamespace(system=system, tiled=system)
    asks = where.ComputeRequest(device="cuda", precision="bf16")
    assert where.resolve_compute(asks, None, recordable, SETTINGS, plan_of(9999)).compile == "off"
    cpu = where.ComputeRequest(device="cpu", precision="fp32")
    assert where.resolve_compute(cpu, None, MODEL, SETTINGS, plan_of(9999)).compile == "off"
    # A result that was begun without the choice is gone on with as it was begun.
    begun = {"compute": {"device": "cuda", "precision": "bf16", "batch": 8, "threads": 1}}
    assert where.resolve_compute(where.ComputeRequest(), begun, MODEL, SETTINGS, plan_of(9999)).compile == "off"


@pytest.mark.parametrize(
    ("asked", "device", "more"),
    [({}, "cpu", False), ({"workers": 2}, "cpu", True), ({}, "cuda", True), ({"scheduler": "tcp://x"}, "cuda", True)],
)
def test_threads_that_read_and_write_are_for_cores_that_do_not_compute(monkeypatch, asked, device, more):
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    chosen = where.ComputeSettings(device=device, precision="bf16", batch=1, threads=1, compile="off")
    assert (where.io_threads(where.ComputeRequest(**asked), chosen) > 1) is more


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
from diffuscope.jobs import compute as where
from diffuscope.devices import reused_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        results = [torch.ones(2**21) for _ in range(8)]
        del results
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
with reused_memory():
    faults()
    kept = faults()
print(given_back, kept, faults())
"""


@pytest.mark.slow
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
    found = where._batch(
        SimpleNamespace(system=system, tiled=system), SampleSettings(sampler="ddim", steps=1), CPU, "fp32"
    )
    assert found == batch
