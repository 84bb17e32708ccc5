"""Central alignment by InfoNCE, and the visual invariant by redundancy reduction (MedM2G §3.2, §3.3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Below this deviation over a batch a feature says nothing.
_LEAST = 1e-6


def info_nce(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """Return the symmetric contrastive loss L_{A,B} + L_{B,A} (Eq. 3; the paper prints L_{A,B} twice).

    Parameters
    ----------
    one, other : Tensor of shape (n, d)
        Embeddings of the same n cases in two modalities; brought to length 1 here.
    temperature : float
        τ.

    Returns
    -------
    Tensor
        Mean over the cases, a scalar.
    """
    a, b = F.normalize(one.float(), dim=1), F.normalize(other.float(), dim=1)
    alike = a @ b.T / temperature
    own = torch.arange(len(a), device=a.device)
    return F.cross_entropy(alike, own) + F.cross_entropy(alike.T, own)


def visual_invariant(one: Tensor, other: Tensor, off_diagonal: float) -> Tensor:
    """Return L_VR of two views' features (Eq. 4, after Zbontar et al. 2021), with 1 / D′ in front.

    Each feature is centred and scaled to a standard deviation of 1 / √K over the batch of K, so that the product of the
    two is their cross-correlation C.

    Parameters
    ----------
    one, other : Tensor of shape (K, D′)
        Features of two views of the same pictures.
    off_diagonal : float
        λ₁.
    """
    number, width = one.shape
    a, b = (_scaled(view.float(), number) for view in (one, other))
    correlation = a.T @ b
    same = torch.diagonal(correlation)
    invariant = (1 - same).square().sum()
    redundant = correlation.square().sum() - same.square().sum()
    return (invariant + off_diagonal * redundant) / width


def _scaled(features: Tensor, number: int) -> Tensor:
    centred = features - features.mean(0)
    return centred / (centred.std(0, correction=0).clamp_min(_LEAST) * number**0.5)
