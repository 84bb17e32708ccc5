"""The dialog of exports as the user works it: the type that is chosen decides which file comes, under which name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stain_result

pytest.importorskip("napari")
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLineEdit

from diffuscope.exports.export import export
from diffuscope.exports.table import ALL
from diffuscope.plugin.panels.files.export_choices import file_filter, offered
from diffuscope.plugin.panels.files.export_dialog import ExportDialog
from diffuscope.results.result import open_result

pytestmark = pytest.mark.gui

TYPES = {
    "OME-TIFF pyramid (*.ome.tif)": "r.ome.tif",
    "Folder for QuPath (*.qupath)": "r.qupath",
    "Report, PDF (*.report.pdf)": "r.report.pdf",
    "Report, HTML (*.report.html)": "r.report.html",
    "OME-Zarr (*.ome.zarr)": "r.export.ome.zarr",  # r.ome.zarr is the result itself, a folder to walk into
    "OME-Zarr 0.5 (*.v05.ome.zarr)": "r.v05.ome.zarr",
    "OME-TIFF, colours as JPEG (lossy) (*.jpeg.ome.tif)": "r.jpeg.ome.tif",
    "OME-TIFF, colours as JPEG XL (lossy) (*.jxl.ome.tif)": "r.jxl.ome.tif",
    "Picture, PNG (*.png)": "r.png",
    "Picture, PDF (*.view.pdf)": "r.view.pdf",
}


class Opened:
    """A dialog on the screen, its field for the name and its list of types."""

    def __init__(self, qtbot: Any, folder: Path) -> None:
        result = stain_result.write_stain(folder)
        self.qtbot, self.dialog = qtbot, ExportDialog(None, "Export", result, ALL, offered(result, ALL))
        qtbot.addWidget(self.dialog)
        self.dialog.show()
        self.field = self.dialog.findChild(QLineEdit, "fileNameEdit")
        self.types = self.dialog.findChild(QComboBox, "fileTypeCombo")

    @property
    def name(self) -> str:
        return self.field.text()

    def type(self, name: str) -> None:
        self.field.setFocus()
        self.field.selectAll()
        self.qtbot.keyClicks(self.field, name)

    def choose(self, listed: str) -> None:
        """Walk to a type by keys, as a user does."""
        self.types.setFocus()
        while self.types.currentText() != listed:
            before = self.types.currentIndex()
            down = before < self.types.findText(listed)
            self.qtbot.keyClick(self.types, Qt.Key.Key_Down if down else Qt.Key.Key_Up)
            assert self.types.currentIndex() != before


@pytest.fixture
def opened(qtbot: Any, tmp_path: Path) -> Opened:
    return Opened(qtbot, tmp_path)


def test_the_proposed_name_has_the_ending_of_each_type_that_is_chosen(opened: Opened, tmp_path: Path):
    assert [opened.types.itemText(number) for number in range(opened.types.count())] == list(TYPES)
    assert opened.name == "r.ome.tif"
    for listed, name in (*TYPES.items(), *reversed(TYPES.items())):
        opened.choose(listed)
        assert opened.name == name and opened.dialog.answer == tmp_path / name


def test_a_typed_name_keeps_what_stands_before_its_ending(opened: Opened):
    for typed, listed, name in (
        ("k05.ome.zarr", "OME-Zarr 0.5 (*.v05.ome.zarr)", "k05.v05.ome.zarr"),
        ("k.sample", "Folder for QuPath (*.qupath)", "k.sample.qupath"),
        ("kp.pdf", "Picture, PDF (*.view.pdf)", "kp.view.pdf"),
        ("k2", "Report, HTML (*.report.html)", "k2.report.html"),
    ):
        opened.type(typed)
        opened.choose(listed)
        assert opened.name == name


@pytest.mark.parametrize(
    ("typed", "listed", "written"),
    [
        ("k05.ome.zarr", "OME-Zarr 0.5 (*.v05.ome.zarr)", "k05.v05.ome.zarr"),
        ("k.v05.ome.zarr", "OME-Zarr (*.ome.zarr)", "k.ome.zarr"),
        ("kp.pdf", "Picture, PDF (*.view.pdf)", "kp.view.pdf"),
        ("k.ome.tif", "OME-TIFF, colours as JPEG (lossy) (*.jpeg.ome.tif)", "k.jpeg.ome.tif"),
        ("k", "Picture, PDF (*.view.pdf)", "k.view.pdf"),
        ("k.pdf", "Report, PDF (*.report.pdf)", "k.pdf"),  # another ending of that type
    ],
)
def test_a_name_that_is_typed_last_is_written_as_the_chosen_type(
    opened: Opened, tmp_path: Path, typed: str, listed: str, written: str
):
    opened.choose(listed)
    opened.type(typed)
    assert opened.dialog.answer == tmp_path / written


def test_what_is_written_is_what_was_chosen(opened: Opened, tmp_path: Path):
    readers: dict[str, Callable[[Path], bool]] = {
        "OME-Zarr 0.5 (*.v05.ome.zarr)": lambda path: '"0.5"' in (path / "zarr.json").read_text(),
        "Picture, PNG (*.png)": lambda path: path.read_bytes().startswith(b"\x89PNG"),
    }
    for listed, is_one in readers.items():
        opened.choose(listed)
        opened.type("k.ome.zarr")
        assert is_one(export(open_result(tmp_path / "r.ome.zarr"), opened.dialog.answer))


def test_a_name_that_is_taken_is_not_proposed(opened: Opened, tmp_path: Path):
    (tmp_path / "r.qupath").mkdir()
    opened.choose("Folder for QuPath (*.qupath)")
    assert opened.name == "r-2.qupath"
    opened.choose("OME-TIFF pyramid (*.ome.tif)")
    assert opened.name == "r.ome.tif"


def test_an_emptied_field_has_a_name_again(opened: Opened):
    opened.field.clear()
    opened.choose("Picture, PNG (*.png)")
    assert opened.name == "r.png"


def test_a_dialog_of_the_system_has_its_name_put_right(opened: Opened):
    # such a one has put in the last part of the ending by itself, and says only which type was chosen
    opened.types.blockSignals(True)
    for listed, name in TYPES.items():
        opened.types.setCurrentText(listed)
        opened.dialog.selectFile(f"{opened.dialog.directory().absolutePath()}/r.ome.{name.rpartition('.')[-1]}")
        opened.dialog.filterSelected.emit(listed)
        assert opened.name == name


def test_every_type_is_listed_by_a_name_of_its_own(tmp_path: Path):
    listed = [file_filter(form) for form in offered(stain_result.write_stain(tmp_path), ALL)]
    assert len(set(listed)) == len(listed)
