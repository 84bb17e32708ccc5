"""Docks side by side in a small window, by their geometry: each has a tab, its room, and nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from patience import MILLISECONDS

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from napari.settings import get_settings
from npe2 import PluginManifest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QTabBar,
    QWidget,
)

pytestmark = pytest.mark.gui

#: Docks that are open together: every one that there is, and some twice.
TOGETHER = (
    ("Virtual staining", "Nanoparticle distribution"),
    ("Train", "Evaluate", "Register"),
    ("Modality translation", "Lymph-node scoring", "Text and images", "Many slides"),
    ("Other models", "Virtual staining", "Register", "Train"),
)
MAIN = ("Run", "Train", "Compare")
PARTS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLabel, QLineEdit)


@pytest.fixture(params=[1.0, 1.5], ids=["usual font", "150 % font"])
def window(request: Any, make_napari_viewer: Any, qtbot: Any) -> Iterator[Any]:
    """A small window on the screen, with the sample slide."""
    appearance = get_settings().appearance
    before = appearance.font_size
    appearance.font_size = round(before * request.param)  # first: what is there would be polished anew
    viewer = make_napari_viewer()
    viewer.window.show()
    viewer.window._qt_window.resize(1280, 800)
    viewer.open_sample("diffuscope", "cmu-1")
    yield viewer.window
    viewer.close()
    appearance.font_size = before


@pytest.fixture
def large(make_napari_viewer: Any) -> Iterator[Any]:
    """A window of a screen of 4k, in the light theme."""
    appearance = get_settings().appearance
    before = appearance.theme
    appearance.theme = "light"
    viewer = make_napari_viewer()
    viewer.window.show()
    viewer.window._qt_window.resize(3840, 2160)
    yield viewer.window
    viewer.close()
    appearance.theme = before


def settle(qtbot: Any, dock: QDockWidget) -> None:
    dock.raise_()
    qtbot.waitUntil(lambda: not dock.widget().visibleRegion().isEmpty(), timeout=MILLISECONDS)
    qtbot.wait(200)


def box_in(part: QWidget, whole: QWidget) -> tuple[int, int, int, int]:
    at = part.mapTo(whole, QPoint(0, 0))
    return at.x(), at.y(), at.x() + part.width(), at.y() + part.height()


def cut_parts(dock: QWidget) -> list[str]:
    """Name what reaches over an edge, or has less room than its words need."""
    found = []
    for part in dock.findChildren(QWidget):
        if not isinstance(part, PARTS) or not part.isVisible() or isinstance(part.parent(), QAbstractSpinBox):
            continue
        left, _, right, _ = box_in(part, dock)
        text = part.text() if isinstance(part, QAbstractButton | QLabel) else part.objectName()
        if left < 0 or right > dock.width():
            found.append(f"{type(part).__name__} {text!r} reaches to {left}..{right} of {dock.width()}")
        if isinstance(part, QLabel) and part.text() and part.wordWrap():
            if part.height() < part.heightForWidth(part.width()):
                found.append(f"{text!r} is {part.height()} of {part.heightForWidth(part.width())} px high")
        elif isinstance(part, QComboBox | QLineEdit | QAbstractSpinBox):
            if part.font().pointSize() < get_settings().appearance.font_size:
                found.append(f"letters of {type(part).__name__} {text!r} are smaller than napari's")
            if part.height() < part.fontMetrics().height():
                found.append(f"{type(part).__name__} {text!r} is lower than its letters")
        elif part.width() < (least := part.minimumSizeHint().width()):
            found.append(f"{type(part).__name__} {text!r} is {part.width()} of {least} px wide")
    areas = [area for area in dock.findChildren(QScrollArea) if area.isVisible()]
    wide = [(area.widget().width(), area.viewport().width()) for area in areas]
    return [*found, *(f"a form of {form} px in {room}" for form, room in wide if form > room)]


def test_no_dock_is_left_out():
    manifest = PluginManifest.from_distribution("diffuscope")
    named = {widget.display_name for widget in manifest.contributions.widgets}
    # it has nothing to run
    assert {title for titles in TOGETHER for title in titles} == named - {"Welcome"}


@pytest.mark.slow
@pytest.mark.parametrize("titles", TOGETHER, ids=lambda titles: f"{len(titles)}-{titles[0]}")
def test_docks_are_tabs_each_of_which_has_its_room(window: Any, qtbot: Any, titles: tuple[str, ...]):
    main = window._qt_window
    docks = [window.add_plugin_dock_widget("diffuscope", title)[0] for title in titles]
    qtbot.waitUntil(lambda: len(main.tabifiedDockWidgets(docks[0])) == len(titles) - 1, timeout=MILLISECONDS)
    qtbot.waitUntil(lambda: not docks[-1].widget().visibleRegion().isEmpty(), timeout=MILLISECONDS)  # the newest
    [bar] = [bar for bar in main.findChildren(QTabBar) if bar.isVisible() and bar.count() == len(titles)]
    for tab in range(bar.count()):
        wide = bar.fontMetrics().horizontalAdvance(bar.tabText(tab))
        assert wide <= bar.tabRect(tab).width() - 8, f"{bar.tabText(tab)} is cut"
    for dock in docks:
        settle(qtbot, dock)
        assert main.size().width() == 1280 and main.size().height() == 800
        assert dock.height() > 600 and dock.width() < 450  # a slide has more than half of the window
        assert cut_parts(dock.widget()) == []
        [run] = [one for one in dock.findChildren(QPushButton) if one.isVisible() and one.text() in MAIN]
        left, top, right, bottom = box_in(run, main)
        assert 0 <= left < right <= 1280 and 0 < top < bottom <= 800
        assert not run.visibleRegion().isEmpty()


def contrast(one: Any, other: Any) -> float:
    """Return the contrast ratio of two colours, as WCAG 2 has it."""
    lightness = []
    for colour in (one, other):
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.getRgbF()[:3]]
        lightness.append(0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05)
    return max(lightness) / min(lightness)


@pytest.mark.slow
def test_at_4k_and_in_the_light_theme_nothing_is_cut_and_all_is_read(large: Any, qtbot: Any):
    main = large._qt_window
    docks = [large.add_plugin_dock_widget("diffuscope", title)[0] for title in TOGETHER[2]]
    qtbot.waitUntil(lambda: len(main.tabifiedDockWidgets(docks[0])) == len(docks) - 1, timeout=MILLISECONDS)
    for dock in docks:
        settle(qtbot, dock)
        assert main.size().width() == 3840 and dock.height() > 1800
        assert cut_parts(dock.widget()) == []
        for part in dock.findChildren(QLabel) + dock.findChildren(QPushButton):
            if part.isVisible() and part.isEnabled() and part.text():
                colours = part.palette()
                letters, ground = colours.color(part.foregroundRole()), colours.color(part.backgroundRole())
                assert contrast(letters, ground) >= 4.5, f"{part.text()!r}: {letters.name()} on {ground.name()}"
