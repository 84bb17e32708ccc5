"""The file dialog of exports answered without a user: it is asked as it stands, and never shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from diffuscope.plugin.panels.files.export_dialog import ExportDialog


@dataclass
class Asked:
    """What the dialogs proposed and listed, the last one last."""

    proposed: list[Path] = field(default_factory=list)
    types: list[str] = field(default_factory=list)


def answer(monkeypatch: pytest.MonkeyPatch, typed: Path | None = None, *, of: str | None = None) -> Asked:
    """Have all dialogs answered with a file, the proposed one without, as the type `of`, the first one without."""
    asked = Asked()

    def exec_(dialog: ExportDialog) -> int:
        asked.proposed.append(Path(dialog.selectedFiles()[0]))
        asked.types = dialog.nameFilters()
        if of is not None:
            dialog.selectNameFilter(of)
        if typed is not None:
            dialog.selectFile(str(typed))
        return 1

    monkeypatch.setattr(ExportDialog, "exec", exec_)
    return asked
