"""Which branch counts, and how its success feeds back: DAMMP and the divergence feedback loss (paper §3.4)."""

from __future__ import annotations

import torch
from torch import Tensor


def divergence(uncertainty: Tensor) -> Tensor:
    """Divergence d = mean(U) of each example (paper §3.4).

    Parameters
    ----------
    uncertainty : Tensor of shape (n, 1, h, w)
        U in (0, 1).

    Returns
    -------
    Tensor of shape (n,)
    """
    return uncertainty.mean(dim=(1, 2, 3))


def squared_error(wrong: Tensor, alpha_bar: Tensor) -> Tensor:
    """L^(u) or L^(m) of each example (paper Eqs. 4 and 5), divided by ᾱ_t: the mean squared error of the velocity.

    Without it a sampler of a few steps begins where nothing was trained: of the clean estimate at t ≈ T the paper's
    error of ε tells next to nothing.

    Parameters
    ----------
    wrong : Tensor of shape (n, c, h, w)
        ε_θ − ε.
    alpha_bar : Tensor of shape (n,)
        ᾱ_t.

    Returns
    -------
    Tensor of shape (n,)
    """
    return wrong.square().mean(dim=(1, 2, 3)) / alpha_bar


def absolute_error(wrong: Tensor, alpha_bar: Tensor) -> Tensor:
    """L_1^(u) or L_1^(m) of each example (paper §3.4), divided by √ᾱ_t: weighted as `squared_error` is."""
    return wrong.abs().mean(dim=(1, 2, 3)) / alpha_bar.sqrt()


def gated_loss(unimodal: Tensor, multimodal: Tensor, d: Tensor, gamma: float) -> Tensor:
    """L = L^(u) + L^(m) where d ≤ γ, else L^(u), of each example (paper Eq. 11); of γ = 1, which d never reaches, both.

    Parameters
    ----------
    unimodal, multimodal : Tensor of shape (n,)
        L^(u), L^(m).
    d : Tensor of shape (n,)
        Divergence; no gradient goes through the decision.
    gamma : float
        γ.
    """
    return unimodal + torch.where(d <= gamma, multimodal, torch.zeros_like(multimodal))


def divergence_feedback(unimodal: Tensor, multimodal: Tensor, d: Tensor, *, gamma: float, alpha: float) -> Tensor:
    """L_dfl = −[e log(1 − d) + (1 − e) log d] + α (d − γ)² of each draw (paper Eqs. 12 and 13).

    e = 1 where the multi-modal branch is no worse: ours is told by the means over all draws of an example, since one
    draw's is nearly a coin. The cross-entropy has a leading minus that Eq. 13 lacks: without it,
    d would rise where the multi-modal branch is the better one.

    Parameters
    ----------
    unimodal, multimodal : Tensor of shape (n, draws)
        L_1^(u), L_1^(m): mean absolute errors of ε, of each draw of (t, ε) of an example.
    d : Tensor of shape (n, draws)
        Divergence, in (0, 1).
    gamma, alpha : float
        γ, and the weight of the pull towards it.
    """
    e = (multimodal.mean(dim=1, keepdim=True) <= unimodal.mean(dim=1, keepdim=True)).to(d.dtype)
    entropy = -(e * torch.log1p(-d) + (1.0 - e) * torch.log(d))
    return entropy + alpha * (d - gamma).square()
