"""The map of CONTRIBUTING.md is that of the package, and the house is as small as its rules say."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "diffuscope"
MOST_LINES, MOST_MODULES = 300, 20


def test_the_rooms_of_the_page_are_those_that_imports_are_held_to():
    [layers] = [
        contract["layers"]
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The map")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", page, flags=re.MULTILINE)
    assert [re.findall(r"`(\w+)`", row) for row in rows] == [layer.split(" | ") for layer in layers]


def test_no_folder_is_crowded():
    counts = {folder: len(list(folder.glob("*.py"))) for folder in PACKAGE.rglob("*") if folder.is_dir()}
    crowded = {str(folder.relative_to(PACKAGE)): count for folder, count in counts.items() if count > MOST_MODULES}
    assert counts and not crowded


def test_a_long_file_says_why_at_its_top():
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if len(text.splitlines()) > MOST_LINES:
            assert "300 lines" in (ast.get_docstring(ast.parse(text)) or ""), file


def test_the_plugin_has_no_file_beside_its_folders():
    assert [file.name for file in (PACKAGE / "plugin").glob("*.py")] == ["__init__.py"]
