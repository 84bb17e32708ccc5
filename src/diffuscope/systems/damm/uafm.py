"""Cross-attention that trusts some keys less: DAMM-Diffusion's uncertainty-aware fusion module (paper §3.3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.networks.blocks import ChannelNorm

# σ rounds to 0 or 1 in float32 beyond about ±17: its range is narrowed by so much on either side.
_EPS = 1e-6


def uncertain_attention(query: Tensor, key: Tensor, value: Tensor, uncertainty: Tensor) -> Tensor:
    """UACA = softmax(Q Kᵀ · (1 − U) / √d) V (paper Eq. 9): U of a key's node scales that key's logits.

    Parameters
    ----------
    query, key, value : Tensor of shape (n, nodes, d)
        Q, K, V.
    uncertainty : Tensor of shape (n, nodes, 1)
        U of the nodes that K and V come from, in (0, 1); 0 everywhere is plain cross-attention (Eq. 8).

    Returns
    -------
    Tensor of shape (n, nodes, d)
    """
    return F.scaled_dot_product_attention(query, (1.0 - uncertainty) * key, value)


class UAFM(nn.Module):
    """X_n + W_o · UACA(Q, K, V, U) with Q = W_q X_v, K = W_k X_n, V = W_v X_n and U = σ(W_n X_n) (Eq. 10).

    Decisions, where the paper is silent: σ brings U into (0, 1), which 1 − U needs; X_v and X_n are normalised over
    their channels first, and the result is added to X_n through W_o, zero before training, as attention blocks in
    diffusion U-Nets are. One head, d = C. In float32 also under autocast: a decision hangs on U.

    Parameters
    ----------
    width : int
        C, channels of the features.
    batch_norm : bool
        U = σ(W_n B(X_n)), B batch norm, instead of channels normalised node by node. Most of X_n is the same in all
        tiles, so that logits of it are, too, and W_n learns slowly; B takes that away and leaves what differs.
    """

    def __init__(self, width: int, *, batch_norm: bool = False) -> None:
        super().__init__()
        self.norm = ChannelNorm()
        self.source_norm = nn.BatchNorm2d(width) if batch_norm else ChannelNorm()
        self.query = nn.Conv2d(width, width, 1, bias=False)
        self.key = nn.Conv2d(width, width, 1, bias=False)
        self.value = nn.Conv2d(width, width, 1, bias=False)
        self.uncertainty = nn.Conv2d(width, 1, 1, bias=False)
        self.project = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)  # type: ignore[arg-type]

    def tells_uncertainty(self) -> tuple[nn.Module, ...]:
        """Return what U hangs on and the attention does not: W_n with its norm."""
        return self.source_norm, self.uncertainty

    def logits(self, auxiliary: Tensor) -> Tensor:
        """Return W_n X_n (n, 1, h, w) of X_n (n, C, h, w), the logits of U."""
        with torch.autocast(auxiliary.device.type, enabled=False):
            return self.uncertainty(self.source_norm(auxiliary.to(in_full(auxiliary))))

    def uncertain(self, auxiliary: Tensor) -> Tensor:
        """Return U (n, 1, h, w), strictly inside (0, 1), of X_n (n, C, h, w)."""
        return strictly_inside(self.logits(auxiliary))

    def forward(self, main: Tensor, auxiliary: Tensor, uncertainty: Tensor) -> Tensor:
        """Return the fused feature (n, C, h, w) of X_v, X_n (n, C, h, w) and U (n, 1, h, w)."""
        with torch.autocast(main.device.type, enabled=False):
            v, n = (self.norm(feature.to(in_full(feature))) for feature in (main, auxiliary))
            nodes = (_nodes(self.query(v)), _nodes(self.key(n)), _nodes(self.value(n)), _nodes(uncertainty))
            mixed = uncertain_attention(*nodes).transpose(1, 2).reshape(auxiliary.shape)
            return auxiliary + self.project(mixed)


def strictly_inside(logits: Tensor) -> Tensor:
    """Return σ of logits, kept so far from 0 and 1 that the logarithms of Eq. 13 are finite."""
    return _EPS + (1.0 - 2.0 * _EPS) * torch.sigmoid(logits)


def _nodes(feature: Tensor) -> Tensor:
    """Return (n, c, h, w) as nodes (n, h · w, c)."""
    return feature.flatten(2).transpose(1, 2)


def in_full(feature: Tensor) -> torch.dtype:
    """Return float32, or float64 for a feature that has it."""
    return torch.promote_types(feature.dtype, torch.float32)
