"""What is in the way of a result: replaced where it is one, never where it is not."""

from pathlib import Path

import pytest

pytest.importorskip("pytestqt")

from qtpy.QtWidgets import QMessageBox, QWidget
from stain_result import write_stain

from diffuscope.plugin.docks.overwrite import ask_overwrite

pytestmark = pytest.mark.gui


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Return what is asked and offered; the box is left as Escape leaves it."""
    found: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(
        QMessageBox,
        "exec",
        lambda box: found.append((box.text(), sorted(one.text().replace("&", "") for one in box.buttons()))),
    )
    return found


def test_only_a_result_may_be_replaced(qtbot, tmp_path: Path, asked):
    parent = QWidget()
    qtbot.addWidget(parent)
    result, table, empty = write_stain(tmp_path).path, tmp_path / "numbers.csv", tmp_path / "empty"
    table.write_text("mine")
    empty.mkdir()
    link = tmp_path / "link.ome.zarr"
    link.symlink_to(result)
    answers = [ask_overwrite(parent, path) for path in (result, table, link, empty)]
    assert answers == ["cancel", "cancel", "cancel", "replace"]  # nobody has to be asked of an empty folder
    assert asked == [
        ("r.ome.zarr exists already.", ["Cancel", "Keep both", "Replace it"]),
        ("numbers.csv exists already, and is no result.", ["Cancel", "Keep both"]),
        ("link.ome.zarr exists already, and is no result.", ["Cancel", "Keep both"]),
    ]
