"""Weights that are kept as kernels want them follow their weight."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from diffuscope.networks.prepared import prepared


def doubled(weight: torch.Tensor) -> torch.Tensor:
    return 2 * weight


@pytest.fixture
def conv() -> nn.Conv2d:
    return nn.Conv2d(4, 4, 3)


def test_a_weight_is_prepared_once(conv):
    with torch.inference_mode():
        first, second = (prepared(conv.weight, torch.bfloat16, doubled) for _ in range(2))
        assert first is second
        assert first.dtype == torch.bfloat16 and first.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(first, (2 * conv.weight).bfloat16())
        assert torch.equal(prepared(conv.weight, torch.float32), conv.weight)


@pytest.mark.parametrize("change", ["step", "load", "data"])
def test_a_changed_weight_is_prepared_anew(conv, change):
    with torch.inference_mode():
        before = prepared(conv.weight, torch.float32, doubled).clone()
    if change == "step":
        conv.weight.grad = torch.ones_like(conv.weight)
        torch.optim.SGD([conv.weight], lr=1.0).step()
    elif change == "load":
        conv.load_state_dict({"weight": torch.ones(4, 4, 3, 3), "bias": torch.zeros(4)})
    else:
        conv.weight.data = torch.ones(4, 4, 3, 3)
    with torch.inference_mode():
        found = prepared(conv.weight, torch.float32, doubled)
    assert torch.equal(found, 2 * conv.weight) and not torch.equal(found, before)


def test_a_copy_has_its_own(conv):
    with torch.inference_mode():
        prepared(conv.weight, torch.float32, doubled)
    other = deepcopy(conv)
    nn.init.zeros_(other.weight)
    with torch.inference_mode():
        assert not prepared(other.weight, torch.float32, doubled).any()
        assert prepared(conv.weight, torch.float32, doubled).any()


def test_a_gradient_reaches_the_weight(conv):
    prepared(conv.weight, torch.float32, doubled).sum().backward()
    assert torch.equal(conv.weight.grad, torch.full_like(conv.weight, 2.0))
