"""What complete cells found, kept under version control: it comes back as it was, and never for another cell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reproduce import kept
from benchmarks.shared.cells import Cell


@dataclass(frozen=True)
class Task:
    """One cell of a table."""

    steps: int

    @property
    def cell(self) -> Cell:
        return Cell("row-0", {"steps": self.steps})


def test_what_was_found_comes_back_on_another_machine(tmp_path: Path):
    here, there, folder = tmp_path / "here", tmp_path / "there", tmp_path / "kept"
    tasks = [Task(1), Task(2)]
    found = tasks[0].cell.compute(here, lambda _: {"PSNR": [0.1 + 0.2, 3.0], "told": "T₂ → CT"})
    kept.keep(tasks, kept=folder, root=here)
    assert kept.restore(tasks, kept=folder, root=there) == 1
    assert tasks[0].cell.found(there) == found and tasks[1].cell.found(there) is None
    assert tasks[0].cell.compute(there, lambda _: json.loads("computed again")) == found


def test_what_another_budget_found_is_neither_taken_nor_kept(tmp_path: Path):
    root, folder = tmp_path / "root", tmp_path / "kept"
    Task(1).cell.compute(root, lambda _: {"PSNR": 1.0})
    kept.keep([Task(1)], kept=folder, root=root)
    assert kept.restore([Task(2)], kept=folder, root=tmp_path / "other") == 0
    kept.keep([Task(2)], kept=folder, root=root)
    assert not list(folder.iterdir())


def test_a_kept_cell_is_written_once_and_what_is_here_counts(tmp_path: Path):
    root, folder = tmp_path / "root", tmp_path / "kept"
    task = Task(1)
    task.cell.compute(root, lambda _: {"PSNR": 1.0})
    kept.keep([task], kept=folder, root=root)
    (file,) = folder.iterdir()
    before = file.read_bytes()
    file.touch()
    kept.keep([task], kept=folder, root=root)
    assert file.read_bytes() == before and kept.restore([task], kept=folder, root=root) == 0
