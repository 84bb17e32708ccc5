"""In the window, what nobody foresaw is a sentence, and a button copies the report on it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from patience import MILLISECONDS
from psygnal import Signal

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.process import Failed
from diffuscope.plugin.jobs.queue import JobQueue
from diffuscope.plugin.jobs.state import JobState
from diffuscope.plugin.layers.reader import get_reader, read_layers
from diffuscope.plugin.panels.jobs import JobPanel
from diffuscope.plugin.widgets.last_resort import COPY, told


def stumble(path: str) -> None:
    raise ZeroDivisionError(f"PatientName in {path} is Doe^Jane")


@pytest.mark.gui
def test_the_report_of_a_job_is_copied_by_a_button_that_is_there_only_then(qtbot):
    from qtpy.QtGui import QGuiApplication

    class Session:
        changed = Signal()

        def __init__(self) -> None:
            self.state, self.again = JobState(), None
            self.compute = SimpleNamespace(queue=JobQueue(), is_busy=False, at_work=None)

        def cancel(self) -> None: ...

        def go_on(self) -> None: ...

    session = Session()
    panel = JobPanel(session)
    qtbot.addWidget(panel)
    session.state.fail("The slide is none: give another.")
    assert panel.copy.isHidden()
    try:
        stumble("x")
    except ZeroDivisionError as error:
        failed = Failed.by(error, "run")
    session.state.fail(failed.sentence, failed.report)
    assert not panel.copy.isHidden() and panel.copy.text() == COPY and "Something went wrong" in panel.status.text()
    panel.copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied == failed.report and "ZeroDivisionError" in copied and "Jane" not in copied
    session.state.begin("again")
    assert panel.copy.isHidden()


@pytest.mark.gui
def test_a_reader_s_error_is_a_sentence_and_a_notice_that_copies(qtbot, monkeypatch: pytest.MonkeyPatch):
    from napari.utils.notifications import notification_manager
    from qtpy.QtGui import QGuiApplication

    seen = []
    monkeypatch.setattr(notification_manager, "dispatch", seen.append)
    with pytest.raises(InputError) as caught:
        told(stumble)("/home/jane/slide.svs")
    assert "ZeroDivisionError" in str(caught.value) and "jane" not in str(caught.value).lower()
    (text, act), *_ = seen[0].actions
    assert text == COPY and seen[0].message == str(caught.value)
    act(None)
    assert "ZeroDivisionError" in (copied := QGuiApplication.clipboard().text()) and "jane" not in copied.lower()


def test_napari_s_reader_is_guarded_and_foreseen_errors_are_their_sentences(tmp_path: Path, monkeypatch):
    with pytest.raises(InputError, match="does not exist"):
        read_layers(str(tmp_path / "slide.svs"))
    monkeypatch.setattr("diffuscope.plugin.layers.reader.open_input", stumble)
    monkeypatch.setattr("diffuscope.plugin.widgets.last_resort._offer", lambda failed: None)
    with pytest.raises(InputError, match="nobody foresaw"):
        read_layers(str(tmp_path / "slide.svs"))


@pytest.mark.gui
def test_what_is_opened_in_the_window_and_cannot_be_read_is_told_until_it_was_read(qtbot, tmp_path: Path, monkeypatch):
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton

    path = tmp_path / "letter.svs"
    path.write_text("Dear Sir")
    read = get_reader(str(path))
    with pytest.raises(InputError, match=r"letter\.svs"):  # as a script wants it
        read(str(path))

    def opened() -> QMessageBox:
        got: list[object] = []
        QTimer.singleShot(0, lambda: got.append(read(str(path))))
        qtbot.waitUntil(lambda: bool(got), timeout=MILLISECONDS)
        assert got == [[(None,)]]  # ours, and without a layer
        [box] = [one for one in QApplication.topLevelWidgets() if isinstance(one, QMessageBox) and one.isVisible()]
        return box

    box = opened()
    assert box.windowTitle() == "Diffuscope" and box.text().startswith("letter.svs") and not box.isModal()
    assert COPY not in [button.text() for button in box.findChildren(QPushButton)]
    box.close()
    monkeypatch.setattr("diffuscope.plugin.layers.reader.open_input", stumble)
    box = opened()
    assert "nobody foresaw" in box.text()
    assert COPY in [button.text() for button in box.findChildren(QPushButton)]
    box.close()
