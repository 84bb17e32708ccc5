"""The operations of one pass: against float64 by the book, forth and back; kernels in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch
from torch.nn import functional as F

from diffuscope.networks import fused
from diffuscope.networks.blocks import ResidualBlock, Upsample

CASES = [(2, 5, 3, 4), (1, 48, 6, 5), (3, 32, 4, 4)]


def drawn(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = x.to(dtype)
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def by_the_book(x, scale, shift, activate):
    mean, variance = x.mean(1, keepdim=True), x.var(1, keepdim=True, correction=0)
    h = (x - mean) / (variance + 1e-5).sqrt()
    h = h if scale is None else h * scale + shift
    return h / (1 + torch.exp(-h)) if activate else h


@pytest.mark.parametrize("shape", CASES)
@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("activate", [False, True])
def test_the_norm_and_its_gradient_are_those_by_the_book(shape, modulated, activate):
    given = [drawn(*shape, seed=seed).requires_grad_() for seed in (1, 2, 3)[: 3 if modulated else 1]]
    exact = [one.detach().double().requires_grad_() for one in given]
    weight = drawn(*shape, seed=4)
    modulation = given[1:] if modulated else [None, None]
    found = torch.ops.diffuscope.channel_norm(given[0], *modulation, 1e-5, activate, torch.float32)
    expected = by_the_book(exact[0], *(exact[1:] if modulated else [None, None]), activate)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(
        torch.autograd.grad((found * weight).sum(), given),
        torch.autograd.grad((expected * weight.double()).sum(), exact),
        strict=True,
    ):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5)


def test_bf16_is_rounded_once():
    x, scale, shift = (drawn(2, 48, 4, 4, seed=seed, dtype=torch.bfloat16) for seed in (1, 2, 3))
    found = torch.ops.diffuscope.channel_norm(x, scale, shift, 1e-5, True, torch.bfloat16)
    expected = by_the_book(x.double(), scale.double(), shift.double(), activate=True)
    # one rounding: half of the last of 8 bits
    torch.testing.assert_close(found.double(), expected, rtol=2.0**-8, atol=1e-6)
    assert found.dtype == torch.bfloat16


@pytest.mark.parametrize("times", [0, 1, 3])
def test_bias_time_and_silu_are_those_by_the_book(times):
    x, bias = drawn(3, 6, 4, 5), drawn(6, seed=2)
    time = drawn(times, 12, seed=3) if times else None
    h = x.double() + bias.double()[:, None, None]
    if time is not None:
        gain, shift = time.double()[:, :6, None, None], time.double()[:, 6:, None, None]
        h = (1 + gain) * h + shift
    torch.testing.assert_close(fused.bias_silu(x, bias, time).double(), F.silu(h), rtol=1e-5, atol=1e-5)


def test_a_join_is_the_upsampled_image_with_its_bias_beside_the_skip():
    four, bias, skip = drawn(2, 12, 4, 5), drawn(3, seed=2), drawn(2, 3, 6, 8, seed=3)
    found, normal = fused.interleave_join(four, bias, skip, 1e-5)
    assert found.shape == (2, 6, 6, 8) and found.is_contiguous(memory_format=torch.channels_last)
    for y in range(6):
        for x in range(8):
            a, b = y % 2, x % 2
            pixel = four[:, (2 * a + b) * 3 : (2 * a + b + 1) * 3, y // 2 + a, x // 2 + b]
            assert torch.equal(found[:, :3, y, x], pixel + bias)
    assert torch.equal(found[:, 3:], skip)
    expected = by_the_book(found.double(), None, None, activate=True)
    torch.testing.assert_close(normal.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["channel_norm", "bias_silu", "add_bias", "interleave_join"])
def test_torch_accepts_the_registration(name):
    x, bias = drawn(2, 8, 4, 4), drawn(8, seed=2)
    arguments = {
        "channel_norm": (x, x, x, 1e-5, True, torch.float32),
        "bias_silu": (x, bias, drawn(1, 16, seed=3)),
        "add_bias": (x, x, bias),
        "interleave_join": (drawn(2, 8, 3, 3), bias[:2], drawn(2, 2, 4, 4), 1e-5),
    }[name]
    tests = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(getattr(torch.ops.diffuscope, name), arguments, test_utils=tests)


@pytest.mark.parametrize(("inputs", "outputs", "times"), [(8, 8, 1), (16, 8, 1), (8, 8, 3), (8, 8, 0)])
def test_a_block_of_fused_operations_is_the_plain_block(inputs, outputs, times, monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block = ResidualBlock(inputs, outputs, 4 if times else 0)
        torch.nn.init.normal_(block.second.weight)
        torch.nn.init.normal_(block.second.bias)
    x, embedding = drawn(3, inputs, 6, 8), drawn(times, 4, seed=2) if times else None
    with torch.inference_mode():
        expected = block(x, embedding)
        monkeypatch.setattr(fused, "plain", lambda x: False)
        torch.testing.assert_close(block(x, embedding), expected, rtol=1e-4, atol=1e-4)


def test_a_joined_block_is_upsampling_concatenation_and_the_block(monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        up, block = Upsample(6, 4), ResidualBlock(8, 4)
        torch.nn.init.normal_(block.second.weight)
    x, skip = drawn(2, 6, 3, 4), drawn(2, 4, 6, 8, seed=2)
    expected = block(torch.cat([up.conv(F.interpolate(x, scale_factor=2.0, mode="nearest")), skip], dim=1))
    with torch.inference_mode():
        torch.testing.assert_close(block(x, beside=(up, skip)), expected)
        monkeypatch.setattr(fused, "plain", lambda x: False)
        torch.testing.assert_close(block(x, beside=(up, skip)), expected)


_IN_THE_INTERPRETER = """
import torch
from diffuscope.networks import kernels, twins
def drawn(*shape, dtype=torch.float32):
    x = torch.randn(shape).to(dtype)
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
torch.manual_seed(0)
for n, c, h, w in ((2, 5, 3, 4), (1, 48, 6, 5), (3, 32, 8, 8)):
    x, scale, shift, grad = (drawn(n, c, h, w) for _ in range(4))
    for modulation in ((None, None), (scale, shift)):
        for activate in (False, True):
            given = (x, *modulation, 1e-5, activate)
            torch.testing.assert_close(kernels.norm(*given, torch.float32), twins.norm(*given, torch.float32))
            for one, other in zip(kernels.norm_backward(grad, *given), twins.norm_backward(grad, *given), strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    bias = drawn(c)
    for time in (None, drawn(1, 2 * c), drawn(n, 2 * c)):
        torch.testing.assert_close(kernels.bias_silu(x, bias, time), twins.bias_silu(x, bias, time))
    torch.testing.assert_close(kernels.add_bias(x, grad, bias), twins.add_bias(x, grad, bias))
    four, skip = drawn(n, 4 * c, h + 1, w + 1), drawn(n, c, 2 * h, 2 * w)
    join = four, bias, skip, 1e-5
    torch.testing.assert_close(kernels.interleave_join(*join), twins.interleave_join(*join))
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="there is no Triton")
def test_the_kernels_agree_with_their_twins_in_triton_s_interpreter():
    # In a process of its own: Triton reads the variable when it is imported.
    subprocess.run([sys.executable, "-c", _IN_THE_INTERPRETER], check=True, env=os.environ | {"TRITON_INTERPRET": "1"})
