"""What may go wrong while tiles are computed: memory, and input that cannot be read."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import any_toys
import numpy as np
import pytest
import torch
from patience import SECONDS

from diffuscope.devices import is_out_of_memory
from diffuscope.engine import batch_size as batching
from diffuscope.engine.events import Finished, Notice, TileDone
from diffuscope.engine.tiles import GONE
from diffuscope.errors import InputError
from diffuscope.results.result import open_result
from diffuscope.tiling.plan import make_plan

GRID = {"factors": (1.0, 1.0), "tile": 32, "overlap": 8}


@pytest.fixture
def slide() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (100, 130, 3), np.uint8)


def small_memory(make_toy, largest: int):
    """Return a stand-in that takes no more than so many tiles at once."""

    class Small(make_toy):
        def sample(self, inputs, noise, settings):
            if len(inputs["he"]) > largest:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return (yield from super().sample(inputs, noise, settings))

    return Small()


def test_a_batch_too_large_is_halved_and_nothing_is_lost(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    run(make_toy(), slide, plan, tmp_path / "two", batch=2)
    toy = small_memory(make_toy, 2)
    events = run(toy, slide, plan, tmp_path / "out", batch=8)
    assert toy.shapes == {(2, 3, 32, 32)}
    assert [event.sentence.split(":")[0] for event in events if isinstance(event, Notice)] == [
        "Memory was too small"
    ] * 2
    assert events[-1].complete
    assert sum(isinstance(event, TileDone) for event in events) == plan.count
    result = open_result(tmp_path / "out")
    assert result.record["compute"] == {"batch": 2, "batches": [8, 4, 2]}
    for key, levels in open_result(tmp_path / "two").images.items():
        np.testing.assert_array_equal(np.asarray(levels[0]), np.asarray(result.images[key][0]))


def test_lanes_change_no_bit(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    for lanes in (1, 3):
        toy = make_toy()
        events = run(toy, slide, plan, tmp_path / str(lanes), batch=2, lanes=lanes)
        assert events[-1].complete
        assert toy.shapes == {(2, 3, 32, 32)}
    one, three = open_result(tmp_path / "1"), open_result(tmp_path / "3")
    for key, levels in one.images.items():
        for level, other in zip(levels, three.images[key], strict=True):
            np.testing.assert_array_equal(np.asarray(level), np.asarray(other))


def test_lanes_compute_at_the_same_time_and_halve_together(tmp_path, slide, make_toy, run):
    meeting, failed = threading.Barrier(2, timeout=SECONDS), []

    class Meeting(make_toy):
        def sample(self, inputs, noise, settings):
            meeting.wait()
            if len(inputs["he"]) > 1:
                failed.append(len(inputs["he"]))
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return (yield from super().sample(inputs, noise, settings))

    plan = make_plan(shape=(56, 80), **GRID)
    assert plan.count % 2 == 0
    events = run(Meeting(), slide[:56, :80], plan, tmp_path / "out", batch=2, lanes=2)
    assert events[-1].complete
    assert failed == [2, 2]
    assert sum(isinstance(event, Notice) for event in events) == 1


def test_a_copy_on_a_further_device_computes_its_share_and_changes_no_bit(tmp_path, slide, make_toy, run):
    meeting = threading.Barrier(2, timeout=SECONDS)

    class Meeting(make_toy):
        def sample(self, inputs, noise, settings):
            # Neither goes on before the other has a batch, too.
            meeting.wait()
            return (yield from super().sample(inputs, noise, settings))

    plan = make_plan(shape=(56, 80), **GRID)
    assert plan.count % 4 == 0
    run(make_toy(), slide[:56, :80], plan, tmp_path / "one", batch=2)
    first, second = Meeting(), Meeting()
    others = ((second, torch.device("cpu")),)
    events = run(first, slide[:56, :80], plan, tmp_path / "two", batch=2, others=others)
    assert events[-1].complete
    assert first.shapes == second.shapes == {(2, 3, 32, 32)}
    one, two = open_result(tmp_path / "one"), open_result(tmp_path / "two")
    for key, levels in one.images.items():
        np.testing.assert_array_equal(np.asarray(levels[0]), np.asarray(two.images[key][0]))


def test_several_readers_change_no_bit_and_lose_no_order(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    run(make_toy(), slide, plan, tmp_path / "one", batch=4)
    run(make_toy(), slide, plan, tmp_path / "four", batch=4, readers=4)
    one, four = open_result(tmp_path / "one"), open_result(tmp_path / "four")
    for key, levels in one.images.items():
        np.testing.assert_array_equal(np.asarray(levels[0]), np.asarray(four.images[key][0]))


def test_what_is_said_on_the_way_is_a_notice(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=(56, 80), **GRID)
    said = deque(["The network could not be compiled."])
    events = run(make_toy(), slide[:56, :80], plan, tmp_path / "out", messages=said)
    assert [event.sentence for event in events if isinstance(event, Notice)] == ["The network could not be compiled."]


def test_not_even_one_tile_fits(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    with pytest.raises(InputError, match="not enough memory on cpu for one tile"):
        run(small_memory(make_toy, 0), slide, plan, tmp_path / "out", batch=4)
    assert not open_result(tmp_path / "out").complete


def test_other_errors_are_not_taken_for_memory(tmp_path, slide, make_toy, run):
    class Broken(make_toy):
        def sample(self, inputs, noise, settings):
            raise RuntimeError("shape mismatch")
            yield

    plan = make_plan(shape=slide.shape[:2], **GRID)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        run(Broken(), slide, plan, tmp_path / "out", batch=4)


def test_pytorchs_own_error_of_a_full_memory_is_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)


def test_a_tile_that_cannot_be_read_is_left_out_and_told(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=slide.shape[:2], **GRID)
    tiles = list(plan.tiles())
    bad = {tiles[3], tiles[9]}
    padded = np.pad(slide, ((0, 40), (0, 40), (0, 0)), constant_values=255)

    def read(tile):
        if tile in bad:
            raise OSError(5, "Input/output error")
        return {"he": padded[tile.y : tile.y + 32, tile.x : tile.x + 32]}

    events = run(make_toy(), slide, plan, tmp_path / "out", batch=2, read=read)
    [notice] = [event for event in events if isinstance(event, Notice)]
    assert f"y {tiles[3].y}, x {tiles[3].x} could not be read" in notice.sentence
    assert "Input/output error" in notice.sentence
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.complete, end.done, end.unread) == (False, plan.count - 2, 2)
    assert not open_result(tmp_path / "out").complete


def test_a_drive_that_is_gone_ends_the_run(tmp_path, slide, make_toy, run):
    plan = make_plan(shape=(400, 400), **GRID)
    reads = []

    def read(tile):
        reads.append(tile)
        if len(reads) > 5:
            raise OSError(107, "Transport endpoint is not connected")
        return {"he": np.zeros((32, 32, 3), np.uint8)}

    with pytest.raises(InputError, match=f"{GONE} tiles in a row could not be read .*not connected"):
        run(make_toy(), slide, plan, tmp_path / "out", read=read)
    assert open_result(tmp_path / "out").done == 5
    assert len(reads) < plan.count


@pytest.mark.parametrize(
    ("tile", "a_tile", "memory", "expected"),
    [
        (272, 0.2, 80, 32),  # 2^21 px, rounded up to a power of two
        (272, 0.2, 8, 16),  # of half of 8 GB
        (272, 5.0, 8, 1),
        (32, 0.001, 80, 64),  # never more
        (2048, 0.2, 80, 1),
    ],
)
def test_a_gpus_batch_follows_from_the_tile_and_the_memory(make_toy, monkeypatch, tile, a_tile, memory, expected):
    toy = make_toy()
    toy.tile = tile
    card = SimpleNamespace(total_memory=memory * 1e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(batching, "bytes_a_tile", lambda *_, **__: a_tile * 1e9)
    found = batching.find_batch(toy, toy.presets["fast"], device=torch.device("cuda"), precision="fp32")
    assert found == expected


def test_memory_is_measured_on_the_system_itself(make_toy):
    toy = make_toy()
    batching.evaluate_empty(toy, toy.presets["fast"], 2, device=torch.device("cpu"), precision="fp32")
    assert toy.shapes == {(2, 3, 32, 32)}


def test_memory_is_measured_with_what_a_run_is_given_and_not_with_what_it_makes():
    seen: list[list[str]] = []

    class Toy(any_toys.Slices):
        def sample(self, inputs, noise, settings):
            seen.append(sorted(inputs))
            return (yield from super().sample(inputs, noise, settings))

    settings = replace(any_toys.PRESETS["fast"], wanted=("flair",))
    batching.evaluate_empty(Toy(any_toys.SLICES), settings, 2, device=torch.device("cpu"), precision="fp32")
    assert seen == [["t1", "t2"]]
