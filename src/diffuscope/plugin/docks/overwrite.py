"""What to do about a result that is in the way."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QMessageBox, QWidget


def ask_overwrite(parent: QWidget, out: Path) -> str:
    """Ask what to do about a result in the way: "replace", "both" or "cancel"."""
    box = QMessageBox(parent)
    box.setWindowTitle("Diffuscope")
    box.setText(f"{out.name} exists already.")
    replace = box.addButton("Replace it", QMessageBox.ButtonRole.DestructiveRole)
    both = box.addButton("Keep both", QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(both)
    box.exec()
    pressed = box.clickedButton()
    return "replace" if pressed is replace else "both" if pressed is both else "cancel"
