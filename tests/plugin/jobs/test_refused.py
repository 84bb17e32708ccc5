"""A run that the model refuses at once, when its empty result is gone before the window has opened it; and worse."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from fake_models import MODELS
from fake_verbs import run as fake_run
from patience import MILLISECONDS

pytest.importorskip("napari")

from napari.utils.notifications import notification_manager

from diffuscope.engine.events import Finished, Progress, Started, TileDone
from diffuscope.errors import InputError
from diffuscope.plugin.jobs import run
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.job import Job
from diffuscope.plugin.jobs.process import Failed, Returned
from diffuscope.plugin.jobs.run import Opened, Request, carry_out
from diffuscope.plugin.jobs.session import Session
from diffuscope.results.result import open_result

WHY = "the text has 962 pieces of words and this model reads 80: shorten it to about 73 words."


class Told:
    """A compute process of which all messages are known beforehand."""

    def __init__(self, *messages: Any) -> None:
        self.messages = list(messages)

    def submit(self, _command: str, _arguments: dict[str, Any]) -> int:
        return 0

    def receive(self, _job: int, *, timeout: float) -> Any:
        return self.messages.pop(0)

    def cancel(self, _job: int) -> None:
        pass


def begun(out: Path) -> Started:
    """Write a result of which nothing is computed."""
    events = fake_run(cancelled=lambda: True, model=MODELS[0].name, out=out)
    first = next(events)
    events.close()
    return first


def carried_out(out: Path, *messages: Any) -> list[Any]:
    request = Request(inputs=(), placement=None, region=None, settings={"out": out, "model": "m"}, overwrite=False)
    child: Any = Told(*messages)
    return list(carry_out(child, threading.Event(), request=request))


def test_a_refusal_is_told_where_the_result_is_gone_before_it_is_opened(tmp_path: Path):
    out = tmp_path / "out.ome.zarr"
    said = [Started(out=str(out), tiles=1), Progress(what="Reading"), Failed(WHY)]
    assert carried_out(out, *said) == [*said, Returned(None)]


def test_a_refusal_is_told_where_the_result_goes_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "out.ome.zarr"

    def opened(path: Path) -> Any:
        found = open_result(path)
        shutil.rmtree(path)
        return found

    started = begun(out)
    monkeypatch.setattr(run, "open_result", opened)
    assert carried_out(out, started, Failed(WHY)) == [started, Failed(WHY), Returned(None)]


def test_a_result_that_cannot_be_opened_while_its_run_goes_on_is_an_error(tmp_path: Path):
    out = tmp_path / "out.ome.zarr"
    ends: list[Any] = [TileDone(done=1, tiles=1, box=(0, 0, 1, 1), seconds=1.0), Returned(None)]
    for last in ends:
        with pytest.raises(InputError, match="does not exist: give the folder that a run wrote"):
            carried_out(out, Started(out=str(out), tiles=1), last)


def test_one_that_is_there_is_opened(tmp_path: Path):
    out = tmp_path / "out.ome.zarr"
    finished = Finished(out=str(out), complete=False, done=0, tiles=1, seconds=0.0)
    found = carried_out(out, begun(out), finished, Returned(None))
    assert [type(one) for one in found] == [Started, Opened, Finished, Returned] and found[-1].value.path == out


@pytest.mark.gui
def test_what_goes_wrong_in_a_jobs_thread_is_one_sentence_and_no_error_of_napari(
    make_napari_viewer: Callable[..., Any], qtbot: Any
):
    def work(_child: Child, _stop: threading.Event) -> Generator[Any, None, None]:
        yield Progress(what="Reading")
        raise FileNotFoundError("/home/me/patient 7")

    session = Session(make_napari_viewer(), "Texts", Child("fake_verbs"))
    notification_manager.records.clear()
    session.submit(Job(text="a", doing="Reading", work=work))
    qtbot.waitUntil(lambda: session.state.is_idle, timeout=MILLISECONDS)
    assert session.state.failed and "nobody foresaw (FileNotFoundError in" in session.state.message
    assert "patient 7" not in session.state.message + session.state.report
    qtbot.wait(50)
    assert not notification_manager.records
    session.close()
