"""The end of a long job is told on the desktop to who works in another window, whichever dock is in front."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QWidget

from diffuscope.plugin.jobs import session as jobs
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.job import Job
from diffuscope.plugin.jobs.process import Returned
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.widgets import notice

pytestmark = pytest.mark.gui


class Tray(notice.QSystemTrayIcon):
    """That of a desktop which has one, as the virtual one of tests has not."""

    told: list[tuple[str, str]]
    signs: list[Tray]

    @staticmethod
    def isSystemTrayAvailable() -> bool:  # noqa: N802  Qt's name
        return True

    @staticmethod
    def supportsMessages() -> bool:  # noqa: N802  Qt's name
        return True

    def showMessage(self, title: str, text: str) -> None:  # noqa: N802  Qt's name
        self.told.append((title, text))
        self.signs.append(self)


@pytest.fixture
def tray(monkeypatch: pytest.MonkeyPatch) -> type[Tray]:
    Tray.told, Tray.signs = [], []
    monkeypatch.setattr(notice, "QSystemTrayIcon", Tray)
    return Tray


def test_a_window_behind_others_is_told_of(qtbot: Any, tray: type[Tray], monkeypatch: pytest.MonkeyPatch):
    window = QWidget()
    qtbot.addWidget(window)
    raised: list[None] = []
    monkeypatch.setattr(window, "activateWindow", lambda: raised.append(None))
    notice.tell_desktop(window, "Diffuscope: a.svs", "Done.")
    assert tray.told == [("Diffuscope: a.svs", "Done.")]
    tray.signs[0].messageClicked.emit()
    assert raised == [None]
    monkeypatch.setattr(window, "isActiveWindow", lambda: True)
    notice.tell_desktop(window, "Diffuscope: b.svs", "Done.")
    assert len(tray.told) == 1  # it stands in front, and says so itself


@pytest.mark.parametrize(("long", "told"), [(-1, 1), (3600, 0)])
def test_a_long_job_is_told_of_and_a_short_one_is_not(
    long: int,
    told: int,
    make_napari_viewer: Callable[..., Any],
    compute: Child,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    heard: list[tuple[Any, ...]] = []
    monkeypatch.setattr(jobs, "tell_desktop", lambda *said: heard.append(said))
    monkeypatch.setattr(jobs, "LONG", long)
    viewer = make_napari_viewer()
    session = Session(viewer, "Dock", compute)  # no panel of it is in sight

    def work(_child: Child, _stop: Any) -> Generator[Any, None, None]:
        yield Returned(None)

    session.submit(Job(text="a.svs", doing="Working…", work=work, on_end=lambda _: "Done."))
    qtbot.waitUntil(lambda: session.state.message == "Done.", timeout=MILLISECONDS)
    assert [(window is viewer.window._qt_window, *said) for window, *said in heard] == [
        (True, "Diffuscope: a.svs", "Done.")
    ] * told
    heard.clear()  # napari's check that nothing keeps its window
    session.close()
