"""HGA: the modalities of a case as a fully connected graph, with one layer of attention (or convolution) over it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GraphAttention(nn.Module):
    """One layer of graph attention over nodes of which some may be missing.

    P. Veličković et al., Graph attention networks, ICLR 2018, Eq. 1–6: e_ij = LeakyReLU(a · [W h_i ‖ W h_j]), softmax
    over the neighbours j of i that are there, i itself among them.

    Parameters
    ----------
    width, heads : int
        Numbers of a node, shared out among the heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into = nn.Linear(width, width, bias=False)
        self.source = nn.Parameter(torch.empty(heads, width // heads))
        self.target = nn.Parameter(torch.empty(heads, width // heads))
        nn.init.xavier_uniform_(self.source)
        nn.init.xavier_uniform_(self.target)

    def forward(self, nodes: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nodes after they have looked at each other, and how much each looked at whom.

        Parameters
        ----------
        nodes : Tensor (n, nodes, width)
            Whatever stands in those that are missing counts for nothing.
        present : Tensor of bool (n, nodes)
            Which are there, at least one of a case.

        Returns
        -------
        Tensor (n, nodes, width)
            0 of missing nodes.
        Tensor (n, nodes, nodes)
            Attention of node i (second axis) to node j (third), mean over heads; rows of nodes that are there add to 1.
        """
        n, count, width = nodes.shape
        values = self.into(nodes).view(n, count, self.heads, width // self.heads)
        of_i, of_j = (values * self.target).sum(-1), (values * self.source).sum(-1)
        logits = torch.nn.functional.leaky_relu(of_i[:, :, None] + of_j[:, None], 0.2)
        logits = logits.masked_fill(~present[:, None, :, None], float("-inf"))
        weights = logits.softmax(dim=2) * present[:, :, None, None]
        seen = torch.einsum("nijh,njhc->nihc", weights, values).reshape(n, count, width)
        return torch.nn.functional.elu(seen), weights.mean(-1)


class GraphConvolution(nn.Module):
    """The paper's ablation: each node takes the mean of those that are there (GCN on a fully connected graph)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.into = nn.Linear(width, width, bias=False)

    def forward(self, nodes: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """As of `GraphAttention`."""
        there = present.to(nodes.dtype)
        weights = there[:, None] / there.sum(1)[:, None, None] * there[:, :, None]
        return torch.nn.functional.elu(weights @ self.into(nodes)), weights
