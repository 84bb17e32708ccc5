"""CSV… of docks as the user works it: a table that is there is replaced only once that was asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari")
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QLineEdit, QMessageBox

from diffuscope.plugin.panels.files.table_dialog import TableDialog
from diffuscope.plugin.panels.numbers.dialog import NumbersDialog
from diffuscope.plugin.panels.numbers.rows import RESULT
from diffuscope.plugin.panels.regions import RegionWidget

pytestmark = pytest.mark.gui


def numbers(qtbot: Any, folder: Path) -> Callable[[], list[str]]:
    """Press CSV… of *Numbers of all results*; the files that were written come back."""
    dialog = NumbersDialog([{RESULT: "a", "area_mm2": "1"}], folder)
    qtbot.addWidget(dialog)

    def press() -> list[str]:
        dialog.note.clear()
        dialog.csv.click()
        told = dialog.note.text()
        return [told.removeprefix("Wrote ").rstrip(".")] if told else []

    return press


def regions(qtbot: Any, folder: Path) -> Callable[[], list[str]]:
    """Press CSV… of measured regions; the names that are asked for come back."""
    widget, asked = RegionWidget(), []
    qtbot.addWidget(widget)
    widget.show_rows([{"region": "a", "load": 1.0}])
    widget._suggested = folder / "regions.csv"
    widget.export_asked.connect(asked.append)

    def press() -> list[str]:
        asked.clear()
        widget.export.click()
        return [Path(one).name for one in asked]

    return press


@pytest.mark.parametrize("of", [numbers, regions])
def test_a_table_is_not_replaced_unasked(of: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    user = {"types": "", "answers": QMessageBox.StandardButton.No}

    def reply() -> None:
        for box in QApplication.topLevelWidgets():
            if isinstance(box, QMessageBox) and box.isVisible():
                asked.append(box.text())
                box.button(user["answers"]).click()

    def work(dialog: TableDialog) -> int:
        dialog.setOption(TableDialog.Option.DontUseNativeDialog)
        dialog.show()
        if user["types"]:
            dialog.findChild(QLineEdit, "fileNameEdit").setText(user["types"])
        timer = QTimer(dialog, interval=20)
        timer.timeout.connect(reply)
        timer.start()
        dialog.accept()
        timer.stop()
        done = dialog.result()
        dialog.close()
        return int(done)

    monkeypatch.setattr(TableDialog, "exec", work)
    press = of(qtbot, tmp_path)
    [proposed] = press()
    assert proposed in ("numbers.csv", "regions.csv") and not asked
    (tmp_path / proposed).unlink(missing_ok=True)  # a file that is there is selected a moment later, over what is typed
    for typed in ("cohort", "cohort.csv"):
        (tmp_path / "cohort.csv").write_text("kept")
        user |= {"types": typed, "answers": QMessageBox.StandardButton.No}
        assert press() == [] and "cohort.csv" in asked.pop() and not asked
        user["answers"] = QMessageBox.StandardButton.Yes
        assert press() == ["cohort.csv"] and "cohort.csv" in asked.pop() and not asked
    (tmp_path / "cohort.xlsx.csv").write_text("kept")
    user["types"] = "cohort.xlsx"  # which is not there, so that nothing is asked
    assert press() == ["cohort.xlsx-2.csv"] and not asked
