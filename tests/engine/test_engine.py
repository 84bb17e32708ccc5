"""The engine over a stand-in system: exactness, cancel, padding, events."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.engine.compute import LocalCompute
from diffuscope.engine.events import Finished, Preview, Started, TileDone
from diffuscope.engine.tiles import BEHIND, run_tiles
from diffuscope.ports.settings import SampleSettings
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import open_result
from diffuscope.tiling.plan import make_plan
from diffuscope.tiling.region import Region

GRID = {"factors": (1.0, 1.0), "tile": 32, "overlap": 8}


@pytest.fixture
def slide() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (100, 130, 3), np.uint8)


def images(path: Path) -> dict[str, np.ndarray]:
    """Every level of every image, from disk."""
    result = open_result(path)
    return {f"{key}/{i}": np.asarray(a) for key, levels in result.images.items() for i, a in enumerate(levels)}


def level0(path: Path) -> dict[str, np.ndarray]:
    return {key: np.asarray(levels[0]) for key, levels in open_result(path).images.items()}


def test_a_system_without_tile_effects_gives_the_function_of_the_whole_slide(tmp_path, make_toy, run):
    """A local function is the same computed in tiles or at once; independent reference by scipy."""
    from scipy.ndimage import uniform_filter

    y, x = np.mgrid[:100, :130]
    slide = np.stack([127 + 100 * np.sin(y / 9 + c) * np.cos(x / 7) for c in range(3)], axis=-1).astype(np.uint8)
    system = make_toy(drift=0.0, noise=0.0)
    run(system, slide, make_plan(shape=(100, 130), **GRID), tmp_path / "out")
    expected = np.stack([uniform_filter(slide[..., c].astype(float), 5) for c in range(3)], axis=-1)
    got = level0(tmp_path / "out")
    inside = (slice(2, -2), slice(2, -2))  # the filter's own border at the slide's edge
    # Two px beside a tile's edge the filter sees its zero padding; there that tile weighs at most 0.1.
    difference = np.abs(got["ihc"].astype(float) - expected)[inside]
    assert np.median(difference) <= 0.5
    assert difference.max() < 12
    np.testing.assert_allclose(got["dab"][..., 0] * 128, got["ihc"].mean(axis=-1), atol=0.6)


def test_the_same_run_twice_gives_the_same_bits(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    for name in "ab":
        run(make_toy(), slide, plan, tmp_path / name)
    first, second = images(tmp_path / "a"), images(tmp_path / "b")
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


def test_another_seed_gives_another_image(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    run(make_toy(), slide, plan, tmp_path / "a")
    run(make_toy(), slide, plan, tmp_path / "b", seed=4)
    assert (level0(tmp_path / "a")["ihc"] != level0(tmp_path / "b")["ihc"]).mean() > 0.5


@settings(max_examples=15)
@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    grid=st.integers(8, 40).flatmap(lambda tile: st.tuples(st.just(tile), st.integers(0, tile // 2))),
    corner=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    extent=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    tissue_seed=st.integers(0, 1000),
)
def test_a_region_run_equals_the_whole_run_inside(make_toy, run, shape, grid, corner, extent, tissue_seed):
    height, width = shape
    slide = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    tissue = np.random.default_rng(tissue_seed).random((30, 30)) < 0.7
    stride = grid[0] - grid[1]

    def is_tissue(y: float, x: float, *_: float) -> bool:
        return bool(tissue[int(y) // stride % 30, int(x) // stride % 30])

    y, x = int(corner[0] * height), int(corner[1] * width)
    region = Region(x, y, min(extent[1], width - x), min(extent[0], height - y))
    options = {"shape": shape, "factors": (1.0, 1.0), "tile": grid[0], "overlap": grid[1]}
    everything = make_plan(**options)
    whole = make_plan(**options, region=Region(0, 0, width, height), shows=is_tissue)
    part = make_plan(**options, region=region, shows=is_tissue)
    if not set(part.tiles()) <= set(whole.tiles()):  # a region without tissue is computed as it is
        whole = everything
        part = make_plan(**options, region=region)
    with tempfile.TemporaryDirectory() as folder:
        run(make_toy(), slide, whole, Path(folder) / "whole")
        run(make_toy(), slide, part, Path(folder) / "part")
        whole_images, part_images = level0(Path(folder) / "whole"), level0(Path(folder) / "part")
    for key, image in part_images.items():
        expected = whole_images[key][y : y + region.height, x : x + region.width]
        np.testing.assert_array_equal(image, expected, err_msg=key)


def test_tiles_in_any_order_and_done_twice_give_the_same_bits(tmp_path, slide, make_toy, run, ports):
    plan = make_plan(shape=slide.shape[:2], **GRID, shows=lambda y, x, *_: (y + x) % 72 != 24)
    run(make_toy(), slide, plan, tmp_path / "rows")
    expected = images(tmp_path / "rows")
    outputs = {}

    class Tap(Canvas):
        def write_tiles(self, group):
            for item in group:
                outputs[item.tile] = {key: value.copy() for key, value in item.outputs.items()}
            return super().write_tiles(group)

    tap = Tap(tmp_path / "tap", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={})
    padded = np.pad(slide, ((0, 40), (0, 40), (0, 0)), constant_values=255)

    def read(tile):
        return {"he": padded[tile.y : tile.y + 32, tile.x : tile.x + 32]}

    toy = make_toy()
    compute = LocalCompute(
        system=toy,
        read=read,
        plan=plan,
        settings=toy.presets["fast"],
        seed=3,
        batch=1,
        device=torch.device("cpu"),
        precision="fp32",
    )
    list(run_tiles(compute, tap))
    rng = np.random.default_rng(5)
    for attempt in range(3):
        order = list(outputs)
        rng.shuffle(order)
        order = [t for tile in order for t in ([tile, tile] if rng.random() < 0.3 else [tile])] + order[:3]
        canvas = Canvas(tmp_path / f"shuffled{attempt}", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={})
        for index, tile in enumerate(order):
            canvas.write_tile(tile, outputs[tile])
            if index % 4 == 0:
                canvas.refresh()
        assert canvas.finish()
        for key, image in images(canvas.path).items():
            np.testing.assert_array_equal(image, expected[key], err_msg=key)


@pytest.mark.parametrize("batch", [1, 4])
def test_one_batch_shape_and_padding_changes_nothing(tmp_path, slide, make_toy, run, batch):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    assert plan.count % 4 != 0
    toy = make_toy()
    run(toy, slide, plan, tmp_path / "out", batch=batch)
    assert toy.shapes == {(batch, 3, 32, 32)}
    run(make_toy(), slide, plan, tmp_path / "one", batch=1)
    difference = level0(tmp_path / "out")["ihc"].astype(int) - level0(tmp_path / "one")["ihc"]
    assert np.abs(difference).max() <= 1


def test_events_tell_the_story_in_order(tmp_path, slide, make_toy, run, monkeypatch):
    monkeypatch.setattr("diffuscope.engine.compute.PREVIEW_SECONDS", 0.0)
    plan = make_plan(shape=slide.shape[:2], **GRID, region=Region(10, 20, 50, 40))
    events = run(make_toy(), slide, plan, tmp_path / "out", notices=("a notice",))
    assert events[0] == Started(out=str(tmp_path / "out"), tiles=plan.count, notices=("a notice",))
    assert isinstance(events[-1], Finished)
    assert (events[-1].complete, events[-1].done, events[-1].tiles) == (True, plan.count, plan.count)
    done = [event for event in events if isinstance(event, TileDone)]
    assert [event.done for event in done] == list(range(1, plan.count + 1))
    previews = [event for event in events if isinstance(event, Preview)]
    assert [(p.step, p.steps) for p in previews] == [(1, 3), (2, 3), (3, 3)] * plan.count
    assert [(p.y, p.x) for p in previews[::3]] == [(t.y - 20, t.x - 10) for t in plan.tiles()]
    assert previews[0].image.shape == (32, 32, 3)
    assert previews[0].image.dtype == np.uint8
    # What the boxes say was written is everything.
    painted = np.zeros((40, 50), bool)
    for event in done:
        y, x, height, width = event.box
        assert y >= 0 and x >= 0 and y + height <= 40 and x + width <= 50
        painted[y : y + height, x : x + width] = True
    assert painted.all()


def test_previews_are_throttled(tmp_path, slide, make_toy, run):
    toy = make_toy()
    toy.presets = {"fast": SampleSettings(sampler="ddim", steps=200)}
    plan = make_plan(shape=slide.shape[:2], **GRID, region=Region(0, 0, 10, 10))
    events = run(toy, slide, plan, tmp_path / "out")
    previews = sum(isinstance(event, Preview) for event in events)
    assert 1 <= previews <= 1 + events[-1].seconds / 0.1


def test_cancel_is_looked_at_before_every_evaluation_and_keeps_what_is_done(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    calls = itertools.count(1)
    # Three evaluations and the generator's return a tile: the 15th look is before tile 4's third evaluation.
    events = run(make_toy(), slide, plan, tmp_path / "out", cancelled=lambda: next(calls) >= 15)
    assert next(calls) == 16
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert (finished.complete, finished.done, finished.tiles) == (False, 3, plan.count)
    result = open_result(tmp_path / "out")
    assert (result.complete, result.done, result.tiles) == (False, 3, plan.count)
    run(make_toy(), slide, plan, tmp_path / "whole")
    whole, part = level0(tmp_path / "whole")["ihc"], level0(tmp_path / "out")["ihc"]
    np.testing.assert_array_equal(part[:24, :72], whole[:24, :72])  # cells whose tiles all came
    assert (part[:32, :80] != 255).any(axis=-1).all()  # and the edge of what came is shown too
    assert (part[40:] == 255).all()
    assert (np.asarray(result.images["ihc"][-1]) != 255).any()


def test_a_closed_generator_keeps_what_is_done(tmp_path, slide, make_toy, ports):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    canvas = Canvas(tmp_path / "out", plan=replace(plan, spacing=(0.5, 0.5)), ports=ports, record={})
    toy = make_toy()
    compute = LocalCompute(
        system=toy,
        read=lambda tile: {"he": np.zeros((32, 32, 3), np.uint8)},
        plan=plan,
        settings=toy.presets["fast"],
        seed=0,
        batch=1,
        device=torch.device("cpu"),
        precision="fp32",
    )
    events = run_tiles(compute, canvas)
    next(event for event in events if isinstance(event, TileDone) and event.done == 2)
    events.close()
    result = open_result(tmp_path / "out")
    assert not result.complete
    assert 2 <= result.done <= 2 + BEHIND + 1  # and what was computed and waited to be written


def test_bf16_runs_under_autocast(tmp_path, slide, make_toy, run):
    seen = []

    class Watch(make_toy):
        def sample(self, inputs, noise, settings):
            for estimate in super().sample(inputs, noise, settings):
                seen.append(torch.is_autocast_enabled("cpu"))
                yield estimate
            return {"ihc": estimate.clean["ihc"], "dab": estimate.clean["ihc"][:, :1]}

    plan = make_plan(shape=slide.shape[:2], **GRID, region=Region(0, 0, 10, 10))
    run(Watch(), slide, plan, tmp_path / "a", precision="bf16")
    assert all(seen)
    assert not torch.is_autocast_enabled("cpu")
    seen.clear()
    run(Watch(), slide, plan, tmp_path / "b", precision="fp32")
    assert not any(seen)
