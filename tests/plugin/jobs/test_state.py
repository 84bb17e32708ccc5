"""The job's state by events, times and words worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.engine.events import Finished, Notice, Preview, Started, TileDone
from diffuscope.plugin.jobs.state import JobState, duration


def running(tiles: int = 40) -> JobState:
    state = JobState()
    state.begin("starting", "Preparing")
    state.apply(Started(out="out", tiles=tiles, notices=("As stated.",)))
    return state


def test_a_run_goes_from_loading_to_tiles_to_done():
    state = JobState()
    state.begin("starting", "Preparing “slide”…")
    assert state.progress_text() == "Loading the model…" and not state.is_idle
    state.apply(Started(out="out", tiles=40, notices=("As stated.",)))
    assert (state.phase, state.message) == ("running", "As stated.")
    state.apply(Preview(y=0, x=0, image=np.zeros((4, 4, 3), np.uint8), step=3, steps=8))
    assert state.progress_text() == "0 of 40 tiles · step 3 of 8"
    state.apply(TileDone(done=10, tiles=40, box=(0, 0, 4, 4), seconds=5.0))
    assert state.eta() == pytest.approx(15.0)
    assert state.progress_text() == "10 of 40 tiles · 2 tiles/s · 15 s left"
    state.apply(Finished(out="out", complete=True, done=40, tiles=40, seconds=20.0))
    assert state.is_idle and not state.failed
    assert state.message.startswith("Done: 40 tiles in 20 s.") and "not for diagnosis" in state.message


def test_a_cancelled_run_is_no_error_and_says_what_is_kept():
    state = running()
    state.phase = "cancelling"
    state.apply(Finished(out="out", complete=False, done=7, tiles=40, seconds=3.0))
    assert state.is_idle and not state.failed
    assert state.message == "Cancelled after 7 of 40 tiles: what was finished is kept, marked incomplete."


def test_speed_is_that_of_this_job_where_it_goes_on_with_another():
    state = JobState()
    state.begin("starting", "Preparing")
    state.apply(Started(out="out", tiles=40, done=30))
    assert state.progress_text() == "30 of 40 tiles" and state.eta() is None
    state.apply(TileDone(done=32, tiles=40, box=(0, 0, 4, 4), seconds=4.0))
    assert state.progress_text() == "32 of 40 tiles · 0.5 tiles/s · 16 s left"


def test_cancelling_is_not_undone_by_a_late_start():
    state = JobState()
    state.begin("starting", "Preparing")
    state.phase = "cancelling"
    state.apply(Started(out="out", tiles=40))
    assert state.phase == "cancelling"


def test_an_error_leaves_an_idle_dock_and_the_next_job_forgets_it():
    state = running()
    state.fail("There is no room.")
    assert state.is_idle and state.failed and state.message == "There is no room."
    state.begin("starting", "Again")
    assert not state.failed and state.tiles == 0


def test_changes_are_told():
    state, told = JobState(), []
    state.events.done.connect(told.append)
    state.apply(TileDone(done=3, tiles=9, box=(0, 0, 1, 1), seconds=1.0))
    assert told == [3]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7860, "2 h 11 min")])
def test_durations_as_people_say_them(seconds: float, text: str):
    assert duration(seconds) == text


def test_what_goes_wrong_on_the_way_is_told_and_at_the_end_counted():
    state = running(tiles=40)
    state.apply(Notice("The tile at y 0, x 256 could not be read."))
    assert state.message == "The tile at y 0, x 256 could not be read." and state.phase == "running"
    state.apply(Finished(out="out", complete=False, done=37, tiles=40, seconds=20.0, unread=3))
    assert state.message.startswith("3 of 40 tiles could not be read")
    assert state.is_idle
