"""The file dialog of all that is exported of a result: the type that is chosen decides what is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtWidgets import QComboBox, QDialog, QFileDialog, QWidget

from diffuscope.exports.table import Format
from diffuscope.plugin.panels.files.export_choices import bare_name, file_filter, free_name, resolved, stem_of
from diffuscope.results.result import Result


def ask_path(
    parent: QWidget, title: str, result: Result, layer: str, formats: Sequence[Format], *, anonymous: bool = False
) -> str:
    """Ask where a layer of a result goes, as one of several formats; empty where nobody says."""
    dialog = ExportDialog(parent, title, result, layer, formats, anonymous=anonymous)
    path = str(dialog.answer) if dialog.exec() == QDialog.DialogCode.Accepted else ""
    dialog.deleteLater()
    return path


class ExportDialog(QFileDialog):
    """Proposes a name that nothing has beside the result, always with the ending of the type that is chosen.

    Parameters
    ----------
    parent : QWidget or None
        Whose window it is before.
    title : str
        Of its window.
    result : Result
        What is exported.
    layer : str
        A port's key, ``"all"`` or ``"multiplex"``.
    formats : sequence of Format
        What it lists, the first chosen.
    anonymous : bool
        Whether the name that it proposes is not to be that of the case.
    """

    def __init__(
        self,
        parent: QWidget | None,
        title: str,
        result: Result,
        layer: str,
        formats: Sequence[Format],
        *,
        anonymous: bool = False,
    ) -> None:
        super().__init__(parent, title)
        self._own = result.path.absolute()
        self._formats = {file_filter(form): form for form in formats}
        self._stem = stem_of(result, layer, anonymous=anonymous)
        self.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        self.setFileMode(QFileDialog.FileMode.AnyFile)
        self.setNameFilters(list(self._formats))
        self._propose(self._own.parent)
        self.filterSelected.connect(self._fit)
        # Qt's own dialog puts in the last part of an ending, pdf of .view.pdf, once a type is activated: by then the
        # name has it; dialogs of systems have no such list
        types = self.findChild(QComboBox, "fileTypeCombo")
        if types is not None:
            types.currentIndexChanged.connect(self._fit)

    @property
    def answer(self) -> Path:
        """The file that it was answered with."""
        return resolved(Path(self.selectedFiles()[0]), self._form, self._own)

    @property
    def _form(self) -> Format:
        return self._formats.get(self.selectedNameFilter()) or next(iter(self._formats.values()))

    def _fit(self, _: object = None) -> None:
        """Give the name the ending of the type that is chosen now."""
        for path in map(Path, self.selectedFiles()):
            is_empty = path == Path(self.directory().absolutePath())
            if not is_empty and path.name != self._proposed.name:
                self._stem = bare_name(path.name)
            self._propose(path if is_empty else path.parent)

    def _propose(self, folder: Path) -> None:
        ending = self._form.endings[0]
        # what is typed without an ending is asked about, where it exists, by its whole name
        self.setDefaultSuffix(ending.removeprefix("."))
        self._proposed = free_name(folder / (self._stem + ending), self._own)
        self.selectFile(str(self._proposed))
