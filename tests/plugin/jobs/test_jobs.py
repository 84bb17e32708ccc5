"""The child process: order, cancel, errors, a crash, and its end. Real processes, no Qt, no torch."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fake_verbs
import psutil
import pytest
from patience import SECONDS

from diffuscope.plugin.jobs.child import Child, drive
from diffuscope.plugin.jobs.process import CAN_STAND, Failed, Returned


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child("fake_verbs")
    yield made
    made.close()
    assert made.pid is None


def messages(child: Child, command: str, **arguments: object) -> list[object]:
    return [message for message in drive(child, command, **arguments) if message is not None]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_messages_come_in_order_and_the_process_is_kept(child: Child):
    assert messages(child, "count", upto=5) == [0, 1, 2, 3, 4, Returned("counted")]
    pid = child.pid
    assert messages(child, "count", upto=1) == [0, Returned("counted")]
    assert child.pid == pid is not None


@pytest.mark.slow
def test_cancel_stops_the_job_at_its_next_step_but_not_the_next_job(child: Child):
    seen = []
    for message in drive(child, "count", upto=10_000):
        seen.append(message)
        if message == 3:
            child.cancel()
    assert seen[-1] == Returned("cancelled") and len(seen) < 1000
    assert messages(child, "count", upto=2)[-1] == Returned("counted")


@pytest.mark.parametrize("ending", ["counted", "cancelled"])
def test_a_paused_job_waits_until_it_goes_on_or_is_cancelled(child: Child, ending: str):
    job = drive(child, "count", upto=300)
    while next(job) != 2:
        pass
    child.pause()
    seen: list[object] = [2]
    while (message := next(job)) is not None:  # what was on its way still comes, and then nothing
        seen.append(message)
    assert seen == list(range(2, 2 + len(seen))) and len(seen) < 298
    if ending == "counted":
        child.resume()
    else:
        child.cancel()
    seen += [message for message in job if message is not None]
    assert seen[-1] == Returned(ending) and seen[:-1] == list(range(2, 1 + len(seen)))
    assert (len(seen) == 299) is (ending == "counted")


def test_a_job_that_is_paused_while_its_pixels_are_copied_waits_once_it_is_sent(child: Child):
    assert messages(child, "count", upto=1)[-1] == Returned("counted")  # what follows does not wait for the process
    child.pause()
    job = drive(child, "count", upto=2)
    assert [next(job) for _ in range(3)] == [None] * 3
    child.resume()
    assert [message for message in job if message is not None] == [0, 1, Returned("counted")]


@pytest.mark.skipif(not CAN_STAND, reason="needs signals of Linux")
def test_a_process_stands_at_once_and_goes_on(child: Child):
    assert not child.stand()  # there is none yet
    job = drive(child, "count", upto=300)
    while next(job) != 2:
        pass
    assert child.stand()
    seen: list[object] = [2]
    while (message := next(job)) is not None:  # what was on its way still comes, and then nothing
        seen.append(message)
    assert len(seen) < 298 and psutil.Process(child.pid).status() == psutil.STATUS_STOPPED
    child.go_on()
    seen += [message for message in job if message is not None]
    assert seen == [*range(2, 300), Returned("counted")]


@pytest.mark.skipif(not CAN_STAND, reason="needs signals of Linux")
@pytest.mark.parametrize("end", ["cancel", "close"])
def test_on_its_way_to_an_end_a_process_does_not_stand(end: str):
    child = Child("fake_verbs")
    job = drive(child, "count", upto=10_000)
    while next(job) != 2:
        pass
    process = psutil.Process(child.pid)
    assert child.stand()
    if end == "cancel":
        child.cancel()
        assert not child.stand()
        child.go_on()
        assert [message for message in job if message is not None][-1] == Returned("cancelled")
    child.close(patience=SECONDS)
    assert not process.is_running() and not child.stand()


@pytest.mark.slow
def test_a_job_that_was_left_does_not_speak_into_the_next(child: Child):
    job = drive(child, "count", upto=10_000)
    while next(job) != 2:
        pass
    job.close()
    assert messages(child, "count", upto=3) == [0, 1, 2, Returned("counted")]


@pytest.mark.slow
def test_a_job_that_is_left_late_does_not_cancel_the_next(child: Child):
    left = drive(child, "count", upto=1)
    while next(left) != 0:
        pass
    following = drive(child, "count", upto=20)
    seen = [next(following)]
    left.close()
    assert [m for m in (*seen, *following) if m is not None][-1] == Returned("counted")


def test_window_and_job_that_ask_at_once_start_one_process(child: Child, monkeypatch: pytest.MonkeyPatch):
    begin, started = child._start, []

    def slowly() -> None:
        time.sleep(0.2)
        begin()
        started.append(child.pid)

    monkeypatch.setattr(child, "_start", slowly)
    window = threading.Thread(target=child.warm)
    window.start()
    assert messages(child, "count", upto=1) == [0, Returned("counted")]
    window.join()
    assert started == [child.pid]


def test_a_foreseen_error_is_its_sentence(child: Child):
    assert messages(child, "refuse") == [Failed("slide.svs is a text file: give a slide.")]
    assert messages(child, "count", upto=1)[-1] == Returned("counted")


@pytest.mark.slow
def test_an_unforeseen_error_is_one_sentence_and_a_report_without_its_message(
    child: Child, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.ERROR):
        *_, last = messages(child, "stumble")
    assert isinstance(last, Failed)
    told = "Something went wrong that nobody foresaw (ZeroDivisionError in plugin/jobs/process.py): please copy"
    assert last.sentence.startswith(told)
    assert "ZeroDivisionError" in last.report and "one" not in last.report.split("\n\n")[1]
    assert last.report in caplog.text and "fake_verbs" not in caplog.text


@pytest.mark.slow
def test_after_a_crash_there_is_one_sentence_and_then_a_new_process(child: Child):
    before = messages(child, "about")[0]["pid"]
    *_, last = messages(child, "crash")
    assert isinstance(last, Failed) and "ended unexpectedly (exit code 9)" in last.sentence
    after = messages(child, "about")[0]["pid"]
    assert before != after and not is_alive(before)


@pytest.mark.slow
def test_close_ends_even_a_process_that_does_not_listen():
    child = Child("fake_verbs")
    job = drive(child, "ignore_cancel")
    while next(job) != "begun":
        pass
    pid = child.pid
    child.close(patience=0.2)
    assert pid is not None and not is_alive(pid)
    assert [m for m in job if m is not None] == [Failed("The compute process was closed.")]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "child.stand()", "child.stand(); sys.exit()"])
def test_the_parent_script_is_not_run_again_and_the_child_dies_with_its_parent(tmp_path, end: str):
    # a script as users write them: no ``if __name__ == "__main__"``, killed without any clean-up
    script = tmp_path / "mine.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, sys
            sys.path.insert(0, {str(Path(fake_verbs.__file__).parent)!r})
            print("run", flush=True)
            from diffuscope.plugin.jobs.child import Child, drive
            child = Child("fake_verbs")
            facts = next(m for m in drive(child, "about") if m is not None)
            print(facts["pid"], facts["main"], "torch" in facts["modules"], "torch" in sys.modules, flush=True)
            {end}
            os._exit(1)
            """
        )
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=SECONDS, check=False)
    lines = done.stdout.splitlines()
    assert lines[0] == "run" and len(lines) == 2, done.stdout + done.stderr
    pid, main, child_torch, parent_torch = lines[1].split()
    assert main == "None" or "mine.py" not in main
    assert (child_torch, parent_torch) == ("False", "False")
    deadline = time.monotonic() + SECONDS
    while is_alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(pid))


def test_a_job_knows_where_the_user_looks(child: Child):
    assert messages(child, "looked_at")[:-1] == []  # nowhere yet: None, like every message that says nothing
    child.look_at(1200.5, 30.0)
    assert messages(child, "looked_at") == [(1200.5, 30.0), Returned(None)]
    child.look_at(5.0, 6.0)
    assert messages(child, "looked_at") == [(5.0, 6.0), Returned(None)]
