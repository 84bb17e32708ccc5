"""The job's state by events of every verb, times and words worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.engine.events import Finished, Preview, Started, Step, TileDone
from diffuscope.events import Notice, Pace, Progress
from diffuscope.plugin.jobs.state import JobState, duration
from diffuscope.training.events import StepDone, TrainingFinished, TrainingStarted, Validated, Validating


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock) -> JobState:
    """A job that has begun."""
    state = JobState()
    state.begin("Preparing “slide”…", Pace(clock))
    return state


def done(tiles: int, of: int = 40) -> TileDone:
    return TileDone(done=tiles, tiles=of, box=(0, 0, 4, 4), seconds=1.0)


def test_a_run_goes_from_loading_to_tiles_to_done(state: JobState, clock: Clock):
    assert (state.phase, state.message, state.progress_text) == ("starting", "Preparing “slide”…", "")
    state.apply(Started(out="out", tiles=40, notices=("As stated.",)))
    assert (state.phase, state.message, state.progress_text) == ("running", "As stated.", "0 of 40 tiles")
    clock.now = 3.0
    state.apply(Preview(y=0, x=0, image=np.zeros((4, 4, 3), np.uint8), step=4, steps=8))
    # half a tile in 3 s: the time that is left is told before the first tile is done
    assert state.progress_text == "0 of 40 tiles · step 4 of 8 · 0.17 tiles/s · 3 min 57 s left"
    clock.now = 5.0
    state.apply(done(10))
    assert state.progress_text == "10 of 40 tiles · 2 tiles/s · 15 s left" and (state.done, state.total) == (10, 40)
    state.apply(Finished(out="out", complete=True, done=40, tiles=40, seconds=20.0))
    assert state.is_idle and not state.failed
    assert state.message.startswith("Done: 40 tiles in 20 s.") and "not for diagnosis" in state.message


def test_steps_are_those_that_were_chosen_and_tiles_beside_each_other_count(clock: Clock):
    state = JobState()
    state.begin("Preparing “slide”…", Pace(clock), chosen=10)
    state.apply(Started(out="out", tiles=4))
    clock.now = 10.0
    # A second network takes 15 of 25 evaluations; two tiles are computed side by side.
    state.apply(Step(step=5, steps=25, beside=2))
    assert state.progress_text == "0 of 4 tiles · step 2 of 10 · 0.04 tiles/s · 1 min 30 s left" and state.done == 0.4
    state.apply(Step(step=24, steps=25, beside=2))
    state.apply(TileDone(done=1, tiles=4, box=(0, 0, 4, 4), seconds=1.0))
    assert state.done == pytest.approx(1.92)  # the other tile is nearly there: the bar does not go back
    for number in (2, 3, 4):
        state.apply(TileDone(done=number, tiles=4, box=(0, 0, 4, 4), seconds=1.0))
    assert state.progress_text == "4 of 4 tiles · finishing"
    state.end("Done.")
    assert state.progress_text == ""


def test_time_goes_by_while_nothing_is_heard(state: JobState, clock: Clock):
    state.apply(Progress(done=0, total=100, what="Affine"))
    clock.now = 10.0
    state.apply(Progress(done=20, total=100, what="B-spline"))
    assert state.progress_text == "B-spline · 40 s left"
    clock.now = 25.0
    state.tick()
    assert state.progress_text == "B-spline · 25 s left" and state.done == 20
    clock.now = 60.0
    state.tick()
    assert state.progress_text == "B-spline"  # it takes longer than was thought: nobody knows how long
    state.end("Done.")
    state.tick()
    assert state.progress_text == ""  # how far it is, of a job that is over


def test_slices_and_cases_are_called_so(state: JobState, clock: Clock):
    state.apply(Started(out="out", tiles=9, unit="slices"))
    assert state.progress_text == "0 of 9 slices"
    state.apply(TileDone(done=3, tiles=9, box=(0,) * 6, seconds=1.0, unit="slices"))
    state.apply(Finished(out="out", complete=False, done=3, tiles=9, seconds=3.0, unit="slices"))
    assert state.message == "Cancelled after 3 of 9 slices: what was finished is kept, marked incomplete."
    state.begin("Preparing a case…", Pace(clock), chosen=50)
    state.apply(Started(out="out", tiles=1, unit="cases"))
    assert state.progress_text == "0 of 1 case"
    clock.now = 4.0
    state.apply(Step(step=25, steps=50))
    assert state.progress_text == "step 25 of 50 · 0.12 cases/s · 4 s left"
    state.apply(Finished(out="out", complete=True, done=1, tiles=1, seconds=8.0, unit="cases"))
    assert state.message.startswith("Done: 1 case in 8 s.")


def test_a_training_goes_on_where_it_was(state: JobState, clock: Clock):
    state.apply(TrainingStarted(folder="m.training", steps=300, done=100))
    clock.now = 10.0
    state.apply(StepDone(step=120, steps=300, terms={"loss": 0.5}, learning_rate=1e-3, seconds=10.0, waited=0.0))
    assert state.progress_text == "120 of 300 steps, loss 0.5 · 2 steps/s · 1 min 30 s left"
    state.apply(Validated(step=120, steps=300, terms={"loss": 0.4}, best=True, picture="/far/away.png"))
    assert state.message == ""  # the dock shows curve and picture
    # what is no step is told as what it is, and no time is promised for it
    clock.now = 110.0
    state.apply(StepDone(step=300, steps=300, terms={"loss": 0.5}, learning_rate=1e-3, seconds=110.0, waited=0.0))
    state.apply(Validating(step=300, steps=300))
    assert state.progress_text == "300 of 300 steps, validating · finishing"
    state.apply(Progress(what="Measuring the new model on what validates"))
    clock.now = 200.0
    state.tick()
    assert state.progress_text == "Measuring the new model on what validates" and state.total == 0
    state.apply(TrainingFinished(out="", complete=False, step=121, steps=300, kept=0, seconds=11.0))
    assert state.progress_text == ""
    assert state.is_idle and state.message.startswith("Stopped at step 121, before the first validation")


def test_a_training_says_how_far_it_reads(state: JobState, clock: Clock):
    state.begin("Reading the data…", state.pace)
    state.apply(Progress(total=12000, unit="cases", what="reading the data"))
    clock.now = 10.0
    state.apply(Progress(done=1200, total=12000, unit="cases", what="reading the data"))
    assert state.progress_text == "1200 of 12000 cases, reading the data · 1.2e+02 cases/s · 1 min 30 s left"
    assert (state.done, state.total, state.message) == (1200, 12000, "")
    state.apply(TrainingFinished(out="", complete=False, step=0, steps=300, kept=0, seconds=0.0))
    assert state.is_idle and state.message == "Stopped before the first step."


def test_cases_and_stages_of_other_verbs(state: JobState, clock: Clock):
    state.apply(Progress(what="Affine"))
    assert (state.phase, state.progress_text, state.total) == ("running", "Affine", 0)
    state.apply(Progress(total=3, what="Case 1 of 3: a"))
    clock.now = 4.0
    state.apply(Progress(done=0.5, total=3, what="Case 1 of 3: a, 4 of 8 tiles"))
    assert state.progress_text == "Case 1 of 3: a, 4 of 8 tiles · 20 s left"
    state.end("Done.")
    assert state.is_idle and state.message == "Done."


def test_a_cancelled_run_is_no_error_and_says_what_is_kept(state: JobState):
    state.apply(Started(out="out", tiles=40))
    state.cancel("Cancelling.")
    state.apply(Notice("The tile at y 0, x 256 could not be read."))
    state.apply(done(7))
    assert (state.phase, state.message) == ("cancelling", "Cancelling.")
    state.apply(Finished(out="out", complete=False, done=7, tiles=40, seconds=3.0))
    assert state.is_idle and not state.failed
    assert state.message == "Cancelled after 7 of 40 tiles: what was finished is kept, marked incomplete."


def test_a_paused_job_is_at_work_until_it_goes_on_or_ends(state: JobState):
    state.pause()
    assert (state.phase, state.is_at_work) == ("paused", True)
    state.apply(Started(out="out", tiles=40))
    assert state.phase == "paused"
    state.resume()
    assert state.phase == "running"
    state.pause()
    state.cancel("Cancelling.")
    assert state.phase == "cancelling"
    state.apply(Finished(out="out", complete=False, done=7, tiles=40, seconds=3.0))
    assert state.is_idle


def test_cancelling_is_not_undone_by_a_late_start(state: JobState):
    state.cancel("Cancelling.")
    state.apply(Started(out="out", tiles=40))
    assert state.phase == "cancelling"


def test_an_error_leaves_an_idle_dock_and_the_next_job_forgets_it(state: JobState):
    state.apply(Started(out="out", tiles=40))
    state.fail("There is no room.")
    assert state.is_idle and state.failed and state.message == "There is no room."
    state.begin("Again")
    assert not state.failed and state.total == 0 and state.progress_text == ""


def test_changes_are_told():
    state, told = JobState(), []
    state.events.done.connect(told.append)
    state.apply(done(3, of=9))
    assert told == [3]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7860, "2 h 11 min")])
def test_durations_as_people_say_them(seconds: float, text: str):
    assert duration(seconds) == text


def test_what_goes_wrong_on_the_way_is_told_and_at_the_end_counted(state: JobState):
    state.apply(Started(out="out", tiles=40))
    state.apply(Notice("The tile at y 0, x 256 could not be read."))
    assert state.message == "The tile at y 0, x 256 could not be read." and state.phase == "running"
    state.apply(Finished(out="out", complete=False, done=37, tiles=40, seconds=20.0, unread=3))
    assert state.message.startswith("3 of 40 tiles could not be read")
    assert state.is_idle
