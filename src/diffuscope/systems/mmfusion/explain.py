"""What a score rests on: the share that each node of the graph has in it, and what the score is without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import torch
from torch import Tensor


@dataclass(frozen=True)
class Shares:
    """What a score rests on, node by node; NaN of those that are not there.

    Attributes
    ----------
    shapley : Tensor (nodes,)
        Shapley values: they add up to the score less what is said where nothing is known.
    left_out : Tensor (nodes,)
        The score less the score without the node.
    """

    shapley: Tensor
    left_out: Tensor


def subsets(present: Tensor) -> Tensor:
    """Return every subset of the nodes that are there but the empty one, all of them last.

    Parameters
    ----------
    present : Tensor of bool (nodes,)
        Which are there: 1 to `diffuscope.systems.mmfusion.config.SHARED`.

    Returns
    -------
    Tensor of bool (2^n − 1, nodes)
        Row k − 1 has the i-th node that is there where bit i of k is set.
    """
    places = present.nonzero()[:, 0]
    codes = torch.arange(1, 2 ** len(places), device=present.device)
    kept = torch.zeros(len(codes), len(present), dtype=torch.bool, device=present.device)
    kept[:, places] = (codes[:, None] >> torch.arange(len(places), device=present.device) & 1).bool()
    return kept


def explain(value: Callable[[Tensor], Tensor], present: Tensor, *, empty: float) -> Shares:
    """Share a score out among the nodes that it was made of (L. Shapley, A value for n-person games, 1953).

    Of node i the mean, over all orders in which the nodes may come, of what it changes when it comes:

        φ_i = Σ_{S ∌ i} |S|! (n − |S| − 1)! / n! · (v(S ∪ i) − v(S)).

    Parameters
    ----------
    value : callable
        Returns the scores (subsets,) of the case with the nodes of each subset (subsets, nodes) alone, all with the
        same noise, so that what they differ by is the nodes and the shares add up.
    present : Tensor of bool (nodes,)
        Which are there: 1 to `diffuscope.systems.mmfusion.config.SHARED`.
    empty : float
        The score where nothing is known: the share of the class among the patients who trained.
    """
    places = present.nonzero()[:, 0]
    count = len(places)
    scored = value(subsets(present)).cpu().double()
    v = torch.cat([scored.new_full((1,), empty), scored])
    codes = torch.arange(2**count, device=v.device)
    sizes = torch.stack([codes >> one & 1 for one in range(count)]).sum(0)
    weights = v.new_tensor([factorial(one) * factorial(count - one - 1) / factorial(count) for one in range(count)])
    shapley, left_out = (v.new_full((len(present),), torch.nan) for _ in range(2))
    for number, place in enumerate(places):
        without = codes[(codes >> number & 1) == 0]
        gains = v[without | 1 << number] - v[without]
        shapley[place] = (weights[sizes[without]] * gains).sum()
        left_out[place] = v[-1] - v[-1 - (1 << number)]
    return Shares(shapley.float(), left_out.float())


def received(attention: Tensor, present: Tensor) -> Tensor:
    """Return how much the nodes look at each one: mean over those that are there.

    Parameters
    ----------
    attention : Tensor (nodes, nodes)
        Of a case; row i is what node i looks at (see `diffuscope.systems.mmfusion.graph.GraphAttention`).
    present : Tensor of bool (nodes,)
        Which are there.

    Returns
    -------
    Tensor (nodes,)
        Adds to 1; NaN of nodes that are not there.
    """
    return attention[present].mean(dim=0).masked_fill(~present, torch.nan)
