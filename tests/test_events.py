"""Events of any verb: pace by a clock that is set by hand, and a job run to its end."""

from __future__ import annotations

import logging
from collections.abc import Generator

import numpy as np
import pytest

from diffuscope.engine.events import Preview, Started, TileDone
from diffuscope.events import Notice, Pace, Progress, finish
from diffuscope.training.events import StepDone


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_pace_is_that_of_this_job_and_begins_with_its_first_step():
    clock = Clock()
    pace = Pace(clock)
    assert pace.take(Started(out="out", tiles=10, done=4)) and pace.left is None
    clock.now += 2.0
    # half of a tile in 2 s: 5.5 tiles are left
    assert pace.take(Preview(y=0, x=0, image=np.zeros((1, 1, 3)), step=4, steps=8))
    assert (pace.progress.done, pace.speed, pace.left) == (4.5, 0.25, pytest.approx(22.0))
    clock.now += 2.0
    assert pace.take(TileDone(done=6, tiles=10, box=(0, 0, 1, 1), seconds=4.0))
    assert (pace.speed, pace.left) == (0.5, pytest.approx(8.0))
    assert not pace.take(Notice("a tile could not be read")) and pace.progress.done == 6


def test_no_time_goes_by_while_a_job_is_paused():
    clock = Clock()
    pace = Pace(clock)
    pace.take(Started(out="out", tiles=10))
    clock.now += 2.0
    pace.take(TileDone(done=1, tiles=10, box=(0, 0, 1, 1), seconds=2.0))
    pace.pause()
    clock.now += 500.0
    assert pace.left == pytest.approx(18.0)
    pace.resume()
    clock.now += 2.0
    pace.take(TileDone(done=2, tiles=10, box=(0, 0, 1, 1), seconds=2.0))
    assert (pace.speed, pace.left) == (0.5, pytest.approx(16.0))


def test_pace_begins_anew_where_something_else_is_counted():
    clock = Clock()
    pace = Pace(clock)
    pace.take(Progress(what="Affine"))
    clock.now += 50.0
    pace.take(Progress(total=4, unit="blocks", what="Writing"))
    clock.now += 1.0
    pace.take(Progress(done=1, total=4, unit="blocks", what="Writing"))
    assert pace.left == pytest.approx(3.0)
    clock.now += 5.0
    # Another round of as many.
    pace.take(Progress(done=0, total=4, unit="blocks", what="Writing"))
    clock.now += 2.0
    pace.take(Progress(done=1, total=4, unit="blocks", what="Writing"))
    assert pace.left == pytest.approx(6.0)


def test_progress_in_words():
    assert Progress(what="Affine").text == "Affine"
    assert Progress(done=2, total=4, unit="blocks", what="Writing").text == "2 of 4 blocks, Writing"
    assert Progress(done=1.4, total=3, what="Case 2 of 3: b, 3 of 9 tiles").text == "Case 2 of 3: b, 3 of 9 tiles"
    step = StepDone(step=3, steps=9, terms={"loss": 0.25}, learning_rate=1e-3, seconds=10.0, waited=2.0)
    assert step.progress.text == "3 of 9 steps, loss 0.25, 20% of the time spent waiting for data"


def test_a_job_is_run_to_its_end_and_its_notices_are_logged(caplog: pytest.LogCaptureFixture):
    def job() -> Generator[object, None, None]:
        yield Started(out="out", tiles=1, notices=("µm/px are assumed.",))
        yield Notice("One tile could not be read.")
        yield Progress(done=1, total=1)

    with caplog.at_level(logging.WARNING, logger="diffuscope"):
        assert finish(job()) == Progress(done=1, total=1)
    assert caplog.messages == ["µm/px are assumed.", "One tile could not be read."]

    def returns() -> Generator[Progress, None, str]:
        yield Progress(done=1, total=1)
        return "found"

    assert finish(returns()) == "found"
