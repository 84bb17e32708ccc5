"""The order of tiles: each once, row by row or from where the user looks outwards."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.engine.queue import TileQueue
from diffuscope.tiling.plan import make_plan


def plan_of(tissue: np.ndarray, factor: float = 1.0):
    rows, columns = tissue.shape
    stride = 24 * factor
    return make_plan(
        shape=(round(rows * stride), round(columns * stride)),
        factors=(factor, factor),
        tile=32,
        overlap=8,
        shows=lambda y, x, *_: bool(tissue[round(y / stride) % rows, round(x / stride) % columns]),
    )


tissues = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99)).map(
    lambda t: np.random.default_rng(t[2]).random((t[0], t[1])) < 0.7
)


@given(tissue=tissues, batch=st.integers(1, 5), focus=st.none() | st.tuples(st.floats(-50, 300), st.floats(-50, 300)))
def test_every_tile_that_is_not_done_comes_once(tissue, batch, focus):
    tissue[0, 0] = True
    plan = plan_of(tissue)
    done = plan.selected & (np.random.default_rng(1).random(plan.selected.shape) < 0.3)
    queue = TileQueue(plan, done, lambda: focus)
    taken = []
    while group := queue.take(batch):
        assert len(group) <= batch
        taken += group
    want = [tile for tile in plan.tiles() if not done[tile.index]]
    assert sorted(taken, key=lambda t: t.index) == want
    assert len(queue) == 0
    if focus is None:
        assert taken == want


def test_the_nearest_to_the_focus_comes_first_and_the_focus_may_move():
    plan = plan_of(np.ones((9, 9), bool), factor=2.0)
    look = [(4.5 * 48, 4.5 * 48)]
    queue = TileQueue(plan, np.zeros_like(plan.selected), lambda: look[0])
    assert [t.index for t in queue.take(1)] == [(4, 4)]
    look[0] = (0.0, 9 * 48.0)
    assert [t.index for t in queue.take(1)] == [(0, 8)]
    # By brute force from there on.
    look[0] = (3 * 48.0, 7 * 48.0)
    last = -1.0
    while group := queue.take(1):
        [tile] = group
        distance = np.hypot(2 * (tile.y + 16) - look[0][0], 2 * (tile.x + 16) - look[0][1])
        assert distance >= last - 1e-9
        last = distance


def test_tiles_that_are_put_back_come_again():
    plan = plan_of(np.ones((3, 3), bool))
    queue = TileQueue(plan, np.zeros_like(plan.selected))
    first = queue.take(4)
    queue.put_back(first[1:])
    assert queue.take(3) == first[1:]
    assert len(queue) == 5
