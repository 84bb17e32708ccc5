"""Shapley values are the mean over every order of arrival, and have the properties that make them unique."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import Tensor

from diffuscope.systems.mmfusion.config import SHARED
from diffuscope.systems.mmfusion.explain import explain, received, subsets

EMPTY = 0.3


def game(count: int, seed: int = 0) -> Tensor:
    """Return a score for every subset of so many nodes, by its bits; the empty one's is `EMPTY`."""
    values = torch.rand(2**count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    values[0] = EMPTY
    return values


def played(values: Tensor, places: Tensor):
    """Return the callable that scores subsets by their bits."""
    return lambda kept: values[(kept[:, places] * 2 ** torch.arange(len(places))).sum(1)]


@pytest.mark.parametrize("present", [[True, False, True, True, False, True], [True], [False, True, True]])
def test_it_is_the_mean_over_every_order(present: list[bool]):
    there = torch.tensor(present)
    places = there.nonzero()[:, 0]
    values = game(len(places))
    shares = explain(played(values, places), there, empty=EMPTY)
    gains = torch.zeros(len(places), dtype=torch.float64)
    orders = list(permutations(range(len(places))))
    for order in orders:
        code = 0
        for one in order:
            gains[one] += values[code | 1 << one] - values[code]
            code |= 1 << one
    assert torch.allclose(shares.shapley[places].double(), gains / len(orders), atol=1e-6)
    assert shares.shapley[~there].isnan().all() and shares.left_out[~there].isnan().all()
    whole = len(values) - 1
    without = torch.stack([values[whole] - values[whole ^ 1 << one] for one in range(len(places))])
    assert torch.allclose(shares.left_out[places].double(), without, atol=1e-6)


def test_they_add_up_to_the_score_less_the_share_of_the_class():
    values, there = game(SHARED), torch.ones(SHARED, dtype=torch.bool)
    shares = explain(played(values, torch.arange(SHARED)), there, empty=EMPTY)
    assert float(shares.shapley.sum()) == pytest.approx(float(values[-1]) - EMPTY, abs=1e-6)


def test_a_node_that_changes_nothing_has_no_share_and_equal_ones_have_equal_shares():
    """Node 1 is never looked at; nodes 0 and 2 are counted, not told apart, and matter more together."""
    there = torch.ones(3, dtype=torch.bool)
    shares = explain(lambda kept: EMPTY + 0.1 * kept[:, ::2].sum(1).double() ** 2, there, empty=EMPTY)
    assert shares.shapley.tolist() == pytest.approx([0.2, 0.0, 0.2]) and shares.left_out.tolist() == pytest.approx(
        [0.3, 0.0, 0.3]
    )


def test_shares_of_two_scores_added_are_their_shares_added():
    there = torch.ones(4, dtype=torch.bool)
    one, other = game(4, seed=1), game(4, seed=2)
    each = [explain(played(values, torch.arange(4)), there, empty=EMPTY).shapley for values in (one, other)]
    both = explain(played(one + other, torch.arange(4)), there, empty=2 * EMPTY).shapley
    assert torch.allclose(sum(each), both, atol=1e-6)


def test_every_subset_is_scored_once_and_all_of_them_last():
    kept = subsets(torch.tensor([True, False, True, True]))
    assert len({tuple(row) for row in kept.tolist()}) == len(kept) == 7
    assert not kept[:, 1].any() and kept.any(1).all() and kept[-1].tolist() == [True, False, True, True]


def test_attention_received_adds_to_one():
    attention = torch.tensor([[0.5, 0.0, 0.5], [9.0, 9.0, 9.0], [0.25, 0.0, 0.75]])
    found = received(attention, torch.tensor([True, False, True]))
    assert found[[0, 2]].tolist() == [0.375, 0.625] and found[1].isnan()
