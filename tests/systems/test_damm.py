"""DAMM-Diffusion's equations, each against a slow reference in float64 that is written from the paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from diffuscope.systems.damm.loss import divergence, divergence_feedback, gated_loss
from diffuscope.systems.damm.mmfm import MMFM
from diffuscope.systems.damm.uafm import UAFM, uncertain_attention
from diffuscope.systems.damm.variants.parts import Concatenation, CrossAttention


def normal(seed: int, *shape: int, grad: bool = False) -> torch.Tensor:
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.requires_grad_(grad)


def same_gradients(ours: torch.Tensor, theirs: torch.Tensor, *leaves: torch.Tensor) -> None:
    """Compare values, and the gradients of a fixed random projection of them."""
    torch.testing.assert_close(ours, theirs)
    weights = normal(99, *ours.shape)
    mine = torch.autograd.grad((ours * weights).sum(), leaves)
    reference = torch.autograd.grad((theirs * weights).sum(), leaves)
    for a, b in zip(mine, reference, strict=True):
        assert b.abs().sum() > 0
        torch.testing.assert_close(a, b)


def attention_by_hand(q, k, v, u):
    """Eq. 9, node by node."""
    rows = []
    for example in range(len(q)):
        for i in range(q.shape[1]):
            logits = [
                (q[example, i] * k[example, j]).sum() * (1 - u[example, j, 0]) / np.sqrt(q.shape[2])
                for j in range(k.shape[1])
            ]
            weights = [torch.exp(logit) for logit in logits]
            total = sum(weights)
            rows.append(sum(w / total * v[example, j] for j, w in enumerate(weights)))
    return torch.stack(rows).reshape(q.shape)


def test_uncertain_attention_is_equation_9():
    q, k, v = (normal(seed, 2, 6, 4, grad=True) for seed in range(3))
    u = torch.sigmoid(normal(3, 2, 6, 1)).requires_grad_()
    same_gradients(uncertain_attention(q, k, v, u), attention_by_hand(q, k, v, u), q, k, v, u)
    assert torch.autograd.gradcheck(uncertain_attention, (q, k, v, u))


@pytest.mark.parametrize("u", [0.0, 0.3, 0.9])
def test_a_uniform_uncertainty_is_scaled_attention(u):
    q, k, v = (normal(seed, 2, 6, 4) for seed in range(3))
    plain = torch.softmax(q @ k.transpose(1, 2) * (1 - u) / 2.0, dim=-1) @ v
    torch.testing.assert_close(uncertain_attention(q, k, v, torch.full((2, 6, 1), u, dtype=torch.float64)), plain)


def uafm(kind: type[UAFM] = UAFM) -> UAFM:
    module = kind(5).double()
    for seed, parameter in enumerate(module.parameters()):
        parameter.data = normal(10 + seed, *parameter.shape) * 0.5
    return module


def test_uafm_is_equations_9_and_10():
    module = uafm()
    main, auxiliary = normal(1, 2, 5, 3, 2, grad=True), normal(2, 2, 5, 3, 2, grad=True)

    def nodes(feature):
        flat = feature.permute(0, 2, 3, 1).reshape(2, 6, 5)
        mean, variance = flat.mean(-1, keepdim=True), flat.var(-1, keepdim=True, correction=0)
        return (flat - mean) / (variance + 1e-5).sqrt()

    v, n = nodes(main), nodes(auxiliary)
    told = torch.sigmoid(n @ module.uncertainty.weight[:, :, 0, 0].T)
    heads = [x @ layer.weight[:, :, 0, 0].T for x, layer in ((v, module.query), (n, module.key), (n, module.value))]
    mixed = attention_by_hand(*heads, told) @ module.project.weight[:, :, 0, 0].T + module.project.bias
    expected = auxiliary + mixed.reshape(2, 3, 2, 5).permute(0, 3, 1, 2)
    u = module.uncertain(auxiliary)
    torch.testing.assert_close(u, told.reshape(2, 3, 2, 1).permute(0, 3, 1, 2), atol=2e-6, rtol=0)
    found = module(main, auxiliary, u)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)
    # U's range is narrowed by 1e-6, and so are gradients that go through it.
    weights = normal(99, *found.shape)
    leaves = (main, auxiliary, *module.parameters())
    mine = torch.autograd.grad((found * weights).sum(), leaves)
    for a, b in zip(mine, torch.autograd.grad((expected * weights).sum(), leaves), strict=True):
        assert b.abs().sum() > 0
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_u_stays_inside_0_and_1_and_so_does_its_loss(scale):
    module = uafm().float()
    module.uncertainty.weight.data *= scale
    u = module.uncertain(torch.randn(3, 5, 4, 4) * scale)
    assert u.dtype == torch.float32 and u.min().item() > 0 and u.max().item() < 1
    d = torch.stack([u.min(), u.max()])
    e = torch.tensor([0.0, 1.0])  # each the worst for its d
    assert divergence_feedback(e[:, None], 1 - e[:, None], d[:, None], gamma=0.5, alpha=0.1).isfinite().all()


def test_with_a_batch_norm_u_is_the_sigmoid_of_what_differs_from_the_batch():
    """X_n that is far from 0 everywhere says nothing; what differs from node to node does."""
    module = UAFM(5, batch_norm=True).double().train()
    module.uncertainty.weight.data = normal(1, 1, 5, 1, 1)
    auxiliary = normal(2, 3, 5, 4, 2)
    centred = auxiliary - auxiliary.mean(dim=(0, 2, 3), keepdim=True)
    scaled = centred / (centred.square().mean(dim=(0, 2, 3), keepdim=True) + 1e-5).sqrt()
    logits = (scaled * module.uncertainty.weight.data).sum(dim=1, keepdim=True)
    for far in (0.0, 1e3):
        u = module.uncertain(auxiliary + far)
        torch.testing.assert_close(u, torch.sigmoid(logits), rtol=1e-5, atol=1e-5)


def test_u_does_not_know_autocast():
    module = uafm().float()
    main, auxiliary = torch.randn(2, 5, 4, 4), torch.randn(2, 5, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        u = module.uncertain(auxiliary)
        found = module(main, auxiliary, u)
    assert torch.equal(u, module.uncertain(auxiliary))
    assert torch.equal(found, module(main, auxiliary, u))


def test_plain_attention_is_uafm_without_uncertainty():
    module, plain = uafm(), uafm(CrossAttention)
    plain.load_state_dict({key: value for key, value in module.state_dict().items() if "uncertainty" not in key})
    main, auxiliary = normal(1, 2, 5, 3, 2), normal(2, 2, 5, 3, 2)
    u = plain.uncertain(auxiliary)
    assert not u.any()
    assert torch.equal(plain(main, auxiliary, u), module(main, auxiliary, u))


def batch_norm_by_hand(x, norm, *, training):
    """BN over examples and pixels; x is (n, c) or (n, c, h, w)."""
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    shape = (1, -1, *(1,) * (x.ndim - 2))
    mean = x.mean(axes) if training else norm.running_mean
    variance = x.var(axes, correction=0) if training else norm.running_var
    scaled = (x - mean.view(shape)) / (variance.view(shape) + norm.eps).sqrt()
    return scaled * norm.weight.view(shape) + norm.bias.view(shape)


def convolution_by_hand(x, weight):
    """3×3, zeros beyond the border, as nine shifted products."""
    padded = F.pad(x, (1, 1, 1, 1))
    height, width = x.shape[-2:]
    return sum(
        torch.einsum("oc,nchw->nohw", weight[:, :, i, j], padded[:, :, i : i + height, j : j + width])
        for i in range(3)
        for j in range(3)
    )


@pytest.mark.parametrize("training", [True, False])
def test_mmfm_is_equations_6_and_7(training):
    module = MMFM(4, reduction=2).double()
    for seed, parameter in enumerate(module.parameters()):
        parameter.data = normal(20 + seed, *parameter.shape) * 0.7
    for seed, buffer in enumerate(module.buffers()):
        if buffer.ndim:
            buffer.copy_(normal(50 + seed, *buffer.shape).abs() + 0.1)
    module.train(training)
    v, n = normal(1, 3, 4, 5, 6, grad=True), normal(2, 3, 4, 5, 6, grad=True)

    def spatial(x, weights):
        first, norm1, _, second, norm2, _ = weights.layers
        hidden = torch.relu(batch_norm_by_hand(convolution_by_hand(x, first.weight), norm1, training=training))
        w = torch.sigmoid(batch_norm_by_hand(convolution_by_hand(hidden, second.weight), norm2, training=training))
        return w * x

    joined = torch.cat([spatial(v, module.main), spatial(n, module.auxiliary)], dim=1)
    w1, norm1, _, w2, norm2, _ = module.channels.layers
    assert w1.weight.shape == (4, 8)  # 2C / r × 2C
    pooled = joined.sum(dim=(2, 3)) / 30
    hidden = torch.relu(batch_norm_by_hand(pooled @ w1.weight.T, norm1, training=training))
    w_se = torch.sigmoid(batch_norm_by_hand(hidden @ w2.weight.T, norm2, training=training))
    weighted = w_se[:, :, None, None] * joined
    expected = torch.einsum("oc,nchw->nohw", module.compress.weight[:, :, 0, 0], weighted)
    expected = expected + module.compress.bias[None, :, None, None]
    same_gradients(module(v, n), expected, v, n, *module.parameters())


@pytest.mark.parametrize("make", [lambda: MMFM(6, reduction=16), lambda: Concatenation(6)])
def test_fusion_begins_as_a_mean_of_both_streams(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make()
    v, n = torch.randn(8, 6, 16, 16), torch.randn(8, 6, 16, 16)
    found = module(v, n)
    assert (found * v).mean().item() == pytest.approx(0.5, abs=0.2)
    assert (found * n).mean().item() == pytest.approx(0.5, abs=0.2)


def test_the_gate_is_equation_11():
    unimodal, multimodal = normal(0, 5).abs().requires_grad_(), normal(1, 5).abs().requires_grad_()
    d = torch.tensor([0.2, 0.5, 0.50001, 0.9, 0.4], dtype=torch.float64, requires_grad=True)
    found = gated_loss(unimodal, multimodal, d, 0.5)
    expected = torch.stack([u + m if x <= 0.5 else u for u, m, x in zip(unimodal, multimodal, d.tolist(), strict=True)])
    same_gradients(found, expected, unimodal, multimodal)
    assert torch.autograd.grad(found.sum(), d, allow_unused=True)[0] is None


def feedback_by_hand(l_u, l_m, d, *, gamma, alpha):
    rows = []
    for u, m, x in zip(l_u, l_m, d, strict=True):
        entropy = -torch.log(1 - x) if m <= u else -torch.log(x)
        rows.append(entropy + alpha * (x - gamma) ** 2)
    return torch.stack(rows)


def test_the_feedback_is_equation_13_with_its_minus():
    l_u, l_m = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.5, 3.5])  # a tie counts for the multi-modal branch
    d = torch.tensor([0.3, 0.7, 0.6], dtype=torch.float64, requires_grad=True)
    drawn = [one[:, None] for one in (l_u, l_m, d)]
    found = divergence_feedback(*drawn, gamma=0.5, alpha=0.1)[:, 0]
    same_gradients(found, feedback_by_hand(l_u, l_m, d, gamma=0.5, alpha=0.1), d)
    told = lambda x: divergence_feedback(*drawn[:2], x[:, None], gamma=0.5, alpha=0.1)  # noqa: E731
    assert torch.autograd.gradcheck(told, (d,))


def test_the_draws_of_an_example_have_one_label():
    """Of the first example two draws of three say uni-modal, their mean multi-modal; of the second the other way."""
    l_u = torch.tensor([[1.0, 1.0, 3.0], [1.0, 1.0, 1.0]])
    l_m = torch.tensor([[1.1, 1.1, 1.0], [0.9, 0.9, 3.0]])
    d = torch.tensor([[0.2, 0.4, 0.6], [0.2, 0.4, 0.6]])
    found = divergence_feedback(l_u, l_m, d, gamma=0.5, alpha=0.0)
    torch.testing.assert_close(found, torch.stack([-torch.log(1 - d[0]), -torch.log(d[1])]))


@pytest.mark.parametrize(("better", "sign"), [("multimodal", -1), ("unimodal", 1)])
def test_d_falls_where_the_multimodal_branch_is_better(better, sign):
    """From γ itself, where nothing pulls but the cross-entropy."""
    d = torch.tensor([[0.5]], requires_grad=True)
    l_u, l_m = (torch.tensor([[1.0]]), torch.tensor([[0.5]]))
    if better == "unimodal":
        l_u, l_m = l_m, l_u
    for _ in range(5):
        (gradient,) = torch.autograd.grad(divergence_feedback(l_u, l_m, d, gamma=0.5, alpha=0.1).sum(), d)
        d = (d - 0.02 * gradient).detach().requires_grad_()
    assert sign * (float(d) - 0.5) > 0.05


def test_divergence_is_the_mean_of_u():
    u = normal(0, 3, 1, 4, 5).sigmoid()
    expected = [sum(u[i, 0].flatten().tolist()) / 20 for i in range(3)]
    assert divergence(u).tolist() == pytest.approx(expected)
