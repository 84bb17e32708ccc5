"""Compiling in place: what fails is told once and runs plain; names of weights and copies stay as they are."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import torch._dynamo
from torch._inductor import config as inductor_config

from diffuscope.networks import compiled as compiled_networks
from diffuscope.networks.compiled import compile_parts
from diffuscope.networks.unet import ModulatedUNet


@pytest.fixture(autouse=True)
def forgotten() -> None:
    """What other tests had compiled in this process is not taken for what these compile."""
    torch._dynamo.reset()


@pytest.fixture
def unet() -> ModulatedUNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ModulatedUNet(1, (8, 8))
        for parameter in network.parameters():
            parameter.data.normal_(0.0, 0.1)
    return network.eval()


def evaluated(network: torch.nn.Module) -> torch.Tensor:
    x = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return network(x, torch.full((1,), 0.5))


@pytest.mark.slow
def test_without_a_compiler_the_network_runs_plain_and_that_is_told_once(unet, tmp_path, monkeypatch):
    other, expected, told = deepcopy(unet), evaluated(unet), []
    # Nothing of an earlier run may be taken from disk.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    with inductor_config.patch({"cpp.cxx": (str(tmp_path / "no-compiler"),), "force_disable_caches": True}):
        compile_parts([unet, other], report=told.append)
        found = [evaluated(one) for one in (unet, other, unet)]
    assert all(torch.equal(one, expected) for one in found)
    assert len(told) == 1 and "could not be compiled" in told[0]


@pytest.mark.slow
def test_a_compiled_network_agrees_and_keeps_its_names(unet):
    pytest.importorskip("torch._inductor.cpp_builder").get_cpp_compiler()
    expected, names, told = evaluated(unet), list(unet.state_dict()), []
    # A part of it, as of the systems: each kernel is half a second of C++.
    compile_parts([unet.middle], report=told.append)
    torch.testing.assert_close(evaluated(unet), expected, rtol=1e-4, atol=1e-5)
    assert not told
    assert list(unet.state_dict()) == names
    # the averaged weights of a training are a copy
    assert torch.equal(evaluated(deepcopy(unet)), expected)


def test_one_network_after_the_other_is_compiled_and_not_only_the_first_eight(unet, monkeypatch):
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return lambda *given: [one + 1 for one in graph(*given)]

    monkeypatch.setattr(torch._dynamo, "lookup_backend", lambda _: backend)
    # Not what another test had compiled in this process.
    monkeypatch.setattr(compiled_networks, "_used", [])
    expected = evaluated(unet) + 1
    for _ in range(12):
        network = deepcopy(unet)
        compile_parts([network], report=print)
        assert torch.equal(evaluated(network), expected)
    assert len(compiled) == 1
