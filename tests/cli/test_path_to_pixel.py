"""The way of an input from the command line to its first pixel: who is handed its path enters no room twice over."""

from __future__ import annotations

import sys
from collections import Counter
from functools import cache
from inspect import CO_VARARGS, CO_VARKEYWORDS
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from typer.testing import CliRunner

import diffuscope
from diffuscope.cli import app
from diffuscope.scans.formats.tiff_level import TiffLevel

PACKAGE = Path(diffuscope.__file__).parent
FIRST_PIXEL = TiffLevel.read.__code__


@cache
def room_of(file: str) -> str:
    """The room of a file of the package, or nothing."""
    return Path(file).relative_to(PACKAGE).parts[0].removesuffix(".py") if Path(file).is_relative_to(PACKAGE) else ""


def room(frame: FrameType | None) -> str:
    """The room of the innermost call of the package, or nothing."""
    while frame is not None and not room_of(frame.f_code.co_filename):
        frame = frame.f_back
    return room_of(frame.f_code.co_filename) if frame is not None else ""


def names(value: Any, name: str, depth: int = 0) -> bool:
    """Whether a value is the path of a file, or holds it."""
    if isinstance(value, str | Path):
        return str(value).endswith(name)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return depth < 3 and any(names(part, name, depth + 1) for part in parts)


@pytest.mark.parametrize("given", [["{}"], ["--input", "he={}"]], ids=["alone", "by its port"])
def test_no_room_is_entered_more_than_twice(tiny_model: Path, small_slide: Path, tmp_path: Path, given: list[str]):
    entered: list[str] = []
    over = False

    def follow(frame: FrameType, event: str, _: Any) -> None:
        nonlocal over
        code = frame.f_code
        if over or event != "call" or not room_of(code.co_filename):
            return
        over = code is FIRST_PIXEL
        gathered = bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + gathered]
        handed = any(names(frame.f_locals.get(one), small_slide.name) for one in arguments)
        if over or (handed and room(frame.f_back) != room(frame)):
            entered.append(room(frame))
        if over:
            sys.setprofile(previous)

    line = ["run", str(tiny_model), *(one.format(small_slide) for one in given), "-o", str(tmp_path / "out")]
    previous = sys.getprofile()
    sys.setprofile(follow)
    try:
        # refused before the first tile, after the first pixel: the tissue is looked for, and then the room on the disk
        CliRunner().invoke(app, [*line, "--device", "cpu", "--region", "0,0,32,32", "--precision", "none"])
    finally:
        sys.setprofile(previous)
    assert over and {"api", "jobs", "files", "scans"} <= set(entered)
    assert max(Counter(entered).values()) <= 2, entered
