"""What to do about a result that is in the way."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QMessageBox, QWidget

from diffuscope.files.place import is_empty_folder
from diffuscope.results.result import RESULT


def ask_overwrite(parent: QWidget, out: Path) -> str:
    """Ask what to do about what is in the way: "replace", which is offered of a result alone, "both" or "cancel"."""
    if is_empty_folder(out):
        return "replace"
    box = QMessageBox(parent)
    box.setWindowTitle("Diffuscope")
    is_result = RESULT.is_one(out) and not out.is_symlink()
    box.setText(f"{out.name} exists already{'' if is_result else ', and is no result'}.")
    replace = box.addButton("Replace it", QMessageBox.ButtonRole.DestructiveRole) if is_result else None
    both = box.addButton("Keep both", QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(both)
    box.exec()
    pressed = box.clickedButton()
    return "replace" if is_result and pressed is replace else "both" if pressed is both else "cancel"
