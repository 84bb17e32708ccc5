"""Small files that came from elsewhere, read within bounds: plain files, no longer than they may be, text in UTF-8."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import yaml

from diffuscope.errors import InputError

#: Most bytes of a text that is read at once, and of a YAML, which takes some seconds a MB.
TEXT, YAML = 32_000_000, 500_000
# Of a table; more columns than any case has ports, more cells than any cohort has.
_COLUMNS, _CELLS = 1000, 2_000_000
_DELIMITERS = (",", ";", "\t")
# Of a key that stands twice, messages show so much; and what YAML calls one that brings in the entries of an alias.
_SHOWN, _MERGED = 60, "tag:yaml.org,2002:merge"
# Entries of a YAML with every alias written out.
_ENTRIES = 100_000
# A pipe would be waited for.
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def read_bytes(path: Path, *, most: int, inside: Path | None = None) -> bytes:
    """Read a plain file.

    Parameters
    ----------
    path : Path
        Of it.
    most : int
        Bytes that it may have.
    inside : Path, optional
        Folder that came from elsewhere: a link out of it is not followed.

    Raises
    ------
    InputError
        It is no plain file (a folder, a pipe, a device), too long, or a link out of the folder.
    OSError
        It is not there, or may not be read.
    """
    if inside is not None:
        check_inside(path, inside)
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file: copy the whole again from where it came.")
    handle = os.open(path, _OPEN)
    with os.fdopen(handle, "rb") as opened:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{path} is no plain file (a pipe or a device): put a copy of the file there.")
        if about.st_size > most:
            raise InputError(f"{path} has {about.st_size / 1e6:.0f} MB, more than the {_mb(most)} that it may have.")
        return opened.read(most)


def check_inside(path: Path, folder: Path) -> None:
    """Refuse a link that leads out of a folder that came from elsewhere; the folder itself may be one.

    Raises
    ------
    InputError
        It does.
    """
    root = Path(os.path.realpath(folder))
    real = Path(os.path.realpath(path))
    # The hub's cache keeps its files beside the folders of their versions.
    blobs = root.parents[1] / "blobs" if root.parent.name == "snapshots" else root
    if not (real.is_relative_to(root) or real.is_relative_to(blobs)):
        raise InputError(f"{path} is a link out of {folder}, and is not followed: put a copy of the file there.")


def is_file(path: Path) -> bool:
    """Whether a path is that of a file; also of a name that no disk could have, it only says no."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_text(path: Path, *, most: int = TEXT, inside: Path | None = None) -> str:
    """Read a plain file of text in UTF-8, with or without a mark in front; as of `read_bytes`.

    Raises
    ------
    InputError
        It is no such text.
    """
    try:
        text = read_bytes(path, most=most, inside=inside).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8 (byte {error.start}): save it again in UTF-8.") from error
    if "\0" in text:
        raise InputError(f"{path} is no text (it holds a NUL character): save it again as text in UTF-8.")
    return text


def read_json(path: Path, *, most: int = TEXT, inside: Path | None = None) -> Any:
    """Read a plain file of JSON; as of `read_text`.

    Raises
    ------
    ValueError
        It is no JSON, or nested deeper than anything that is meant.
    """
    try:
        return json.loads(read_text(path, most=most, inside=inside))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_yaml(path: Path) -> Any:
    """Read a plain file of YAML; as of `read_text`.

    Raises
    ------
    InputError
        It is no YAML, has a key twice, or says a thing so often by its aliases that nobody could write it out.
    """
    text = read_text(path, most=YAML)
    try:
        found = _Once(text).get_single_data()
    except _TwiceError as error:
        raise InputError(f"{path} {error}: keep one of them.") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML{_place(error)}.") from error
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply: save it again as plain YAML.") from error
    # Tags and dates that are none: the library's constructors raise what they stumble on.
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError) as error:
        raise InputError(f"{path} is not YAML: it has a value of a kind that it is not.") from error
    if _is_endless(found):
        raise InputError(f"{path} has more than {_ENTRIES} entries once its aliases are written out: write less.")
    return found


class _TwiceError(Exception):
    """A key stands twice among the same entries: which, and where, in words."""


class _Once(yaml.SafeLoader):
    """The safe loader, which takes the last of two entries of one key, and this one neither."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """As in the library; what an alias brings in by ``<<`` is not there yet and may be written over."""
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGED:
                line, named = key.start_mark.line + 1, (key.tag, key.value)
                if named in lines:
                    raise _TwiceError(f"has {ascii(key.value)[:_SHOWN]} twice, {_lines(lines[named], line)}")
                lines[named] = line
        return node


def _lines(first: int, second: int) -> str:
    return f"at lines {first} and {second}" if first != second else f"in line {first}"


def _place(error: yaml.YAMLError) -> str:
    """Return what is wrong with a text that is no YAML, and in which line, from 1."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None and error.problem:
        return f" at line {error.problem_mark.line + 1}: {error.problem}"
    return f": {str(error).splitlines()[0]}"


def read_rows(path: Path) -> list[dict[Any, Any]]:
    """Read a CSV table in UTF-8 (see `delimiter_of`), a dictionary a line by the names in its first; as of `read_text`.

    As of `csv.DictReader`: what a line has too much stands under None, what it lacks is None.

    Raises
    ------
    InputError
        It is no such table, or larger than any that is meant.
    """
    text = read_text(path)
    rows, cells = [], 0
    try:
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=False)
        if len(table.fieldnames or ()) > _COLUMNS:
            raise InputError(f"{path} has more than {_COLUMNS} columns: leave out those that nobody reads.")
        for row in table:
            rows.append(row)
            cells += len(row) + len(row.get(None, ()))
            if cells > _CELLS:
                raise InputError(f"{path} has more than {_CELLS} cells: divide it.")
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a table ({error}): save it as CSV in UTF-8.") from error
    return rows


def delimiter_of(text: str) -> str:
    """Return what divides the values of a table: semicolons or tabs where its first line has no comma.

    Raises
    ------
    csv.Error
        The first line is none of a table.
    """
    # Lines may end as they did on old Macs, too.
    begin = io.StringIO(text, newline="").readline().rstrip("\r\n")
    return next((one for one in _DELIMITERS if len(next(csv.reader([begin], delimiter=one), [])) > 1), ",")


def _is_endless(tree: Any) -> bool:
    """Whether a tree has more entries than it may have, what stands at several places counted at each."""
    left, count = [tree], 0
    while left:
        one = left.pop()
        parts = [*one, *one.values()] if isinstance(one, dict) else one if isinstance(one, list | tuple | set) else ()
        count += len(parts)
        if count > _ENTRIES:
            return True
        left.extend(parts)
    return False


def _mb(most: int) -> str:
    return f"{most / 1e6:.3g} MB"
