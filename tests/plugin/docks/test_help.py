"""Help opens the page of the window at the heading of its dock, and follows links to the other pages."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from qtpy.QtCore import QUrl
from qtpy.QtWidgets import QWidget

from diffuscope.plugin.docks.frame.help import PAGE, HelpButton, HelpPages, pages
from diffuscope.plugin.docks.kinds import KINDS
from diffuscope.plugin.docks.welcome import DOCKS

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot: Any) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    return window


@pytest.mark.parametrize("title", ["Welcome", *DOCKS, *(kind.title for kind in KINDS)])
def test_the_button_shows_the_heading_of_its_dock(window: QWidget, title: str):
    button = HelpButton(title)
    button.setParent(window)
    button.click()
    shown = window.findChild(HelpPages)
    assert shown.isVisible() and shown.textCursor().block().text() == title
    assert PAGE in shown.windowTitle()
    button.click()
    assert len(window.findChildren(HelpPages)) == 1


def test_links_between_pages_are_followed_and_pictures_are_found(window: QWidget, monkeypatch: pytest.MonkeyPatch):
    outside: list[str] = []
    monkeypatch.setattr(
        "diffuscope.plugin.docks.frame.help.QDesktopServices.openUrl", lambda link: outside.append(link.toString())
    )
    shown = HelpPages(window)
    shown.show_at("Train")
    shown.anchorClicked.emit(QUrl("train.md"))
    assert shown.source().toLocalFile() == str(pages() / "train.md") and "train.md" in shown.windowTitle()
    assert "finetune" in shown.toPlainText() and not outside
    shown.anchorClicked.emit(QUrl("https://napari.org"))
    assert outside == ["https://napari.org"] and shown.source().toLocalFile() == str(pages() / "train.md")


def test_links_can_be_read_on_a_dark_theme_and_on_a_light_one(window: QWidget):
    shown = HelpPages(window)
    shown.show_at("Train")
    colours, block = [], shown.document().begin()
    while block.isValid():
        piece = block.begin()
        while not piece.atEnd():
            look = piece.fragment().charFormat()
            if look.isAnchor():
                colours.append(look.foreground().color().getRgbF()[:3])
            piece += 1
        block = block.next()
    assert len(colours) > 10

    def luminance(*colour: float) -> float:
        # WCAG 2, relative luminance
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ground in ((0.06, 0.06, 0.07), (1.0, 1.0, 1.0)):
        for colour in colours:
            low, high = sorted([luminance(*ground), luminance(*colour)])
            assert (high + 0.05) / (low + 0.05) > 4
