"""What the pages name is there: modules, files, commands and their options."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmarks.reproduce.__main__ import SYSTEMS
from benchmarks.shared.benchmark import find
from diffuscope.cli import app

ROOT = Path(__file__).resolve().parents[2]
CARDS = sorted((ROOT / "src/diffuscope/model/weights").glob("*/README.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *CARDS]
FOLDERS = ("src", "docs", "docs_scripts", "benchmarks", "tests", "tools", "sample_data")
BENCHMARKS = find()
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def quoted(page: Path) -> list[str]:
    """Return what stands between backticks, and the lines of code blocks; a changelog also tells of what has gone."""
    text = page.read_text(encoding="utf-8")
    if page.name == "CHANGELOG.md":
        text = re.sub(r"replaces? `[^`]*`", "", text)
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    inline = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", inline) + [
        line for block in blocks for line in block.replace("\\\n", " ").splitlines()
    ]


def resolved(name: str) -> Any:
    """Return what a dotted name stands for; the longest part of it that is a module is imported."""
    words = name.split(".")
    for number in range(len(words), 0, -1):
        try:
            found = import_module(".".join(words[:number]))
        except ModuleNotFoundError:
            continue
        for word in words[number:]:
            found = getattr(found, word)
        return found
    raise ModuleNotFoundError(name)


def flags(words: list[str]) -> set[str]:
    return {word.partition("=")[0].strip("[](),.") for word in words if word.startswith(("--", "[--"))}


@pages
def test_every_dotted_name_can_be_imported(page: Path):
    texts = quoted(page)
    titles = [text.removeprefix("# ").removeprefix("row of ") for text in texts if text.startswith("# ")]
    shown = {title.removesuffix(".py").replace("/", ".") for title in titles}
    for text in texts:
        if re.fullmatch(r"(diffuscope|benchmarks|docs_scripts)(\.\w+)+(\(\))?", text):
            resolved(text.removesuffix("()"))
        for module, names in re.findall(r"^from (diffuscope[\w.]*) import ([\w, ]+)", text):
            for name in names.split(",") if module not in shown else ():  # the page shows it
                resolved(f"{module}.{name.strip()}")


@pages
def test_every_path_is_there(page: Path):
    named = [re.match(rf"(?:{'|'.join(FOLDERS)})/[\w./#-]*", word) for text in quoted(page) for word in text.split()]
    missing = [found[0] for found in named if found and not (ROOT / found[0].partition("#")[0]).exists()]
    assert not missing


@pages
def test_every_link_leads_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


@pages
def test_every_module_that_is_run_is_one(page: Path):
    for text in quoted(page):
        for name, rest in re.findall(r"python -m ([\w.]+)(.*)", text):
            if name in {"venv", "pip", "pytest"}:
                continue
            assert find_spec(name) is not None, text
            words = rest.split()
            if name != "benchmarks" or not words or words[0] == "NAME":
                continue
            if words[0] == "reproduce":
                assert words[1] in {*SYSTEMS, "SYSTEM"}, text
            else:
                assert flags(words) <= BENCHMARKS[words[0]].parser._option_string_actions.keys(), text


@pages
def test_every_command_and_option_is_known(page: Path):
    verbs = typer.main.get_command(app)
    for text in quoted(page):
        words = text.partition("  #")[0].split()
        if words[:1] != ["diffuscope"] or len(words) < 2 or not re.fullmatch(r"[a-z_-]+", words[1]):
            continue
        command, depth = verbs, 1
        while hasattr(command, "commands") and depth < len(words) and re.fullmatch(r"[a-z_|-]+", words[depth]):
            for verb in words[depth].split("|"):
                assert verb in command.commands, text
            command, depth = command.commands[words[depth].split("|")[0]], depth + 1
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        given = {flag for word in words if word.startswith("--") for flag in word.split("|") if flag.startswith("--")}
        assert {one.partition("=")[0] for one in given} <= known | {"--help"}, text
