"""Benchmarks that run in processes of their own: what these do, at its smallest."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed import kills, memory


@pytest.mark.slow
def test_the_memory_of_a_run_of_the_stand_in_is_watched(tmp_path: Path):
    memory.write_slide(tmp_path / "slide.ome.zarr", 2048)
    peak, told = memory.watch(tmp_path / "slide.ome.zarr", tmp_path / "out.ome.zarr")
    # Megabytes, of which an interpreter with torch has some hundreds.
    assert 100 < peak < 10_000
    assert told["tiles"] > 4 and told["seconds"] > 0


@pytest.mark.slow
def test_a_run_that_is_to_be_killed_logs_every_tile(tmp_path: Path):
    out, log = tmp_path / "out.ome.zarr", tmp_path / "log"
    # Two tiles of the nine.
    assert kills.start(out, log, region="640,1856,300,60").wait() == 0
    places = kills.tiles(log)
    assert len(set(places)) == len(places) == 2
    assert kills.result_hash(out) != "incomplete"
