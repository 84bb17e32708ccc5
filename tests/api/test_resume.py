"""An interrupted run from the outside: killed, cancelled, gone on with, or refused in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from patience import SECONDS

from diffuscope import open_result, run
from diffuscope.engine.events import Finished, Started, TileDone
from diffuscope.errors import InputError
from diffuscope.events import finish
from diffuscope.results.ledger import Ledger

STEPS = 2
# So many that a run is still at work when it is killed.
LONG = 8


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, small_slide: Path) -> Path:
    """Return the result of a run that nobody disturbed, on one thread."""
    out = tmp_path_factory.mktemp("whole") / "out.ome.zarr"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in run(tiny_model, small_slide, out, steps=STEPS):
            pass
    finally:
        torch.set_num_threads(before)
    return out


def begin(tiny_model: Path, small_slide: Path, out: Path, tiles: int = 2) -> None:
    """Cancel a run after so many tiles."""
    torch.set_num_threads(1)
    done: list[TileDone] = []
    events = run(tiny_model, small_slide, out, steps=STEPS, cancelled=lambda: len(done) >= tiles)
    done.extend(event for event in events if isinstance(event, TileDone))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL to send")
@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(tmp_path, tiny_model, small_slide, assert_same):
    out = tmp_path / "out.ome.zarr"
    command = [sys.executable, "-m", "diffuscope", "run", str(tiny_model), str(small_slide), "-o", str(out)]
    command += ["--steps", str(LONG), "--resume"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    deadline = time.monotonic() + SECONDS
    try:
        while len(list(Ledger(out / "tiles" / "ledger"))) < 2:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    entered = len(list(Ledger(out / "tiles" / "ledger")))
    result = open_result(out)
    assert not result.complete
    assert entered < result.tiles
    [started, *events] = run(tiny_model, small_slide, out, steps=LONG, resume=True)
    assert isinstance(started, Started)
    assert entered <= started.done <= entered + 1
    computed = [event for event in events if isinstance(event, TileDone)]
    assert len(computed) == result.tiles - started.done
    assert isinstance(events[-1], Finished) and events[-1].complete
    finish(run(tiny_model, small_slide, tmp_path / "whole.ome.zarr", steps=LONG, threads=1))
    assert_same(out, tmp_path / "whole.ome.zarr")
    assert not (out / "tiles").exists()


@pytest.mark.slow
def test_a_script_that_fails_in_the_middle_of_a_run_ends_and_can_go_on(
    tmp_path, tiny_model, small_slide, whole, assert_same
):
    out = tmp_path / "out.ome.zarr"
    script = f"""
from diffuscope import run
events = run({str(tiny_model)!r}, {str(small_slide)!r}, {str(out)!r}, steps={STEPS}, threads=1)
for event in events:
    if type(event).__name__ == "TileDone":
        raise RuntimeError("the user's own mistake")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 1
    assert "the user's own mistake" in ended.stderr
    [started, *_] = run(tiny_model, small_slide, out, steps=STEPS, resume=True)
    assert started.done >= 1
    assert_same(out, whole)


@pytest.mark.slow
def test_a_cancelled_run_goes_on_with_the_threads_it_was_begun_with(
    tmp_path, tiny_model, small_slide, whole, assert_same
):
    out = tmp_path / "out.ome.zarr"
    before = torch.get_num_threads()
    try:
        begin(tiny_model, small_slide, out)
        torch.set_num_threads(2)
        for _ in run(tiny_model, small_slide, out, steps=STEPS, resume=True):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert_same(out, whole)
    [again] = open_result(out).record["resumed"]
    assert again["versions"]["torch"] == open_result(out).record["versions"]["torch"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 4}, "begun with seed 0 and this run asks for 4"),
        ({"steps": STEPS - 1}, f"begun with steps {STEPS} and this run asks for {STEPS - 1}"),
        ({"region": "10,10,300,300"}, "begun with region None"),
        ({"batch": 2}, "begun with batch 1 and this run asks for 2"),
        ({"mpp": 0.5}, "µm/px"),
        ({"overwrite": True}, "choose one"),
    ],
)
def test_another_run_is_not_gone_on_with(tmp_path, tiny_model, small_slide, change, words):
    out = tmp_path / "out.ome.zarr"
    begin(tiny_model, small_slide, out, tiles=1)
    files = sorted(out.rglob("*"))
    with pytest.raises(InputError, match=words):
        run(tiny_model, small_slide, out, **{"steps": STEPS, "resume": True, **change})
    assert sorted(out.rglob("*")) == files


def test_a_complete_result_is_not_computed_again(tiny_model, small_slide, whole):
    with pytest.raises(InputError, match="complete: there is nothing to resume"):
        run(tiny_model, small_slide, whole, steps=STEPS, resume=True)
