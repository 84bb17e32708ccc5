"""The button that exports a slide's result for QuPath: there where it can be, and what it asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import stain_result
import volume_result

pytest.importorskip("napari")
from asked_where import answer

from diffuscope.plugin.panels.results import ResultsWidget
from diffuscope.sample_data import sample_path

pytestmark = pytest.mark.gui


def test_a_folder_beside_the_result(qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = ResultsWidget()
    qtbot.addWidget(widget)
    widget.show_result(stain_result.write_stain(tmp_path))
    widget.layer.setCurrentIndex(1)  # whatever is chosen, all goes
    asked = answer(monkeypatch, tmp_path / "for-qupath")
    with qtbot.waitSignal(widget.export_asked) as signal:
        widget.qupath.click()
    assert signal.args == [str(tmp_path / "for-qupath.qupath"), "all"]
    assert (asked.proposed, asked.types) == ([tmp_path / "r.qupath"], ["Folder for QuPath (*.qupath)"])
    with qtbot.waitSignal(widget.export_asked) as signal:
        widget.report.click()
    assert signal.args == [str(tmp_path / "for-qupath.report.pdf"), "all"]
    assert asked.proposed[1:] == [tmp_path / "r.report.pdf"]
    assert asked.types == ["Report, PDF (*.report.pdf)", "Report, HTML (*.report.html)"]


def test_not_of_a_volume(qtbot, tmp_path: Path) -> None:
    widget = ResultsWidget()
    qtbot.addWidget(widget)
    source = sample_path("head-patient19-T1.nii.gz")
    widget.show_result(volume_result.write_result(tmp_path / "ct.ome.zarr", source))
    assert widget.qupath.isHidden() and widget.report.isHidden() and not widget.export.isHidden()


def test_not_of_a_picture_that_is_no_slide(qtbot, tmp_path: Path) -> None:
    widget = ResultsWidget()
    qtbot.addWidget(widget)
    result = stain_result.write_stain(tmp_path)
    widget.show_result(replace(result, place=replace(result.place, spacing=(4000.0, 4000.0))))
    assert widget.qupath.isHidden() and not widget.export.isHidden()


def test_the_folder_of_a_result_is_shown(qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    opened = "diffuscope.plugin.panels.files.recent.QDesktopServices.openUrl"
    monkeypatch.setattr(opened, lambda place: shown.append(place.toLocalFile()))
    widget = ResultsWidget()
    qtbot.addWidget(widget)
    widget.show_result(stain_result.write_stain(tmp_path))
    widget.folder.click()
    assert shown == [str(tmp_path)]


def test_what_is_incomplete_is_not_offered_and_why_is_said(qtbot, tmp_path: Path) -> None:
    widget = ResultsWidget()
    qtbot.addWidget(widget)
    result = stain_result.write_stain(tmp_path)
    buttons = widget.export, widget.qupath, widget.report
    for complete in (False, True):
        widget.show_result(replace(result, complete=complete))
        assert [one.isEnabled() for one in buttons] == [complete] * 3
        assert ("not exported: continue this run" in widget.note.text()) != complete
        # a dock that comes to rest offers no more, and one at work nothing, and says so
        for is_idle in (False, True):
            widget.set_idle(is_idle)
            assert [one.isEnabled() for one in buttons] == [complete and is_idle] * 3
            assert widget.resume.isEnabled() == is_idle
            assert ("while a job of this dock goes on" in widget.note.text()) == (complete and not is_idle)
            assert widget.note.isHidden() == (complete and is_idle)
