"""What another γ would have decided, and which tile lies where: without a window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")

from nano_result import GAMMA, SAMPLES, STEPS, write_nano

from diffuscope.plugin.layers.decisions import decisions_of, slot_at, summary, what_changes
from diffuscope.plugin.layers.placement import Placement
from diffuscope.plugin.layers.values import tile_place
from diffuscope.plugin.panels.divergence_plot import axis_of


def test_another_gamma_turns_over_what_lies_between(tmp_path: Path):
    _, result = write_nano(tmp_path)
    told = decisions_of(result)
    assert told.gamma == GAMMA and told.samples == SAMPLES
    assert not told.changed_by(GAMMA).any() and "as this run did" in what_changes(told, GAMMA)
    rows = list(result.values.rows())
    for gamma in (0.0, 0.425, 0.47, 1.0):
        literal = [(row["divergence"] <= np.float32(gamma)) != (row["multimodal"] > 0.5) for row in rows]
        assert told.changed_by(gamma).sum() == sum(literal) > 0
        places = {(row["y"], row["x"]) for row, changed in zip(rows, literal, strict=True) if changed}
        said = what_changes(told, gamma)
        assert f"{sum(literal):,} of {len(rows):,} decisions, in {len(places)} of" in said and "new Run" in said
        assert (told.share_changed(gamma) > 0).sum() == len(places)
    taken = np.mean([row["multimodal"] for row in rows])
    assert f"{taken:.0%} of {len(rows):,} decisions" in summary(told)
    first = told.curves((0, 0))
    assert first.shape == (SAMPLES, STEPS)
    np.testing.assert_allclose(first.ravel(), 0.40 + 0.001 * np.arange(SAMPLES * STEPS), rtol=1e-6)


def test_a_model_that_does_not_decide_by_gamma_has_none_to_explore(tmp_path: Path):
    _, result = write_nano(tmp_path)
    always = replace(result, record={**result.record, "parameters": {"samples": SAMPLES}})
    assert decisions_of(always).gamma is None
    assert decisions_of(None) is None and decisions_of(replace(result, values=None)) is None


def test_the_tile_at_a_place_is_the_one_whose_middle_is_nearest(tmp_path: Path):
    _, result = write_nano(tmp_path)
    values = result.values
    grid = values.arrays["divergence"].shape[:2]
    place = Placement.of(tile_place(result, values))
    middles = np.array([[values.corner[a] + i * values.stride[a] + (values.tile[a] - 1) / 2 for i in range(grid[a])]
                        for a in (0, 1)])  # fmt: skip
    for y, x in np.random.default_rng(0).uniform(30, 200, (50, 2)):
        nearest = tuple(int(np.abs(middles[a] - at).argmin()) for a, at in enumerate((y, x)))
        assert slot_at(place, (y, x), grid) == nearest
    assert slot_at(place, (-500, 10), grid) is None and slot_at(place, (10, 5000), grid) is None


def test_the_axis_holds_every_divergence_and_gamma():
    d = np.float32([[0.4, np.nan, 0.45]])
    low, high = axis_of(d, 0.7)
    assert low < 0.4 and high > 0.7
    low, high = axis_of(d, None)
    assert 0.39 < low < 0.4 and 0.45 < high < 0.46
