"""Mutations of JSON, YAML and CSV as what they say: keys that go, values that are of another kind, and bombs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from random import Random
from typing import Any

import yaml

from benchmarks.fuzz.bytes import NUMBERS

_DTYPES = ("<u1", "|u1", "<i8", ">f4", "<f8", "<c16", "|O", "|S9999999", "|V1000000000", "float16", "uint7", "string")
_TEXTS = (
    "",
    "\0",
    "ä" * 3,
    "x" * 5000,
    "../../outside",
    "/etc/hostname",
    "file:///dev/zero",
    "nan",
    "0",
    "%s {}",
    *_DTYPES,
)
_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)


def mutate_json(data: bytes, rng: Random) -> bytes | None:
    """Return another JSON text; None where it is none."""
    return _mutate(data, rng, json.loads, lambda tree: json.dumps(tree, ensure_ascii=rng.random() < 0.5), _deep)


def mutate_yaml(data: bytes, rng: Random) -> bytes | None:
    """Return another YAML text; None where it is none."""
    return _mutate(data, rng, yaml.safe_load, lambda tree: yaml.safe_dump(tree, sort_keys=False), _odd_yaml)


def mutate_csv(data: bytes, rng: Random) -> bytes | None:
    """Return another table; None where it is no text, or has a cell that is larger than any table's."""
    try:
        text = data.decode()
        rows = [*csv.reader(io.StringIO(text))]
    except (UnicodeDecodeError, csv.Error):
        return None
    if not rows or rng.random() < 0.2:
        return _odd_table(text, rng).encode(rng.choice(("utf-8", "utf-16", "utf-8-sig")))
    row = rng.randrange(len(rows))
    column = rng.randrange(len(rows[row]) or 1)
    match rng.randrange(6):
        case 0:
            del rows[row]
        case 1:
            rows.append(rows[row])
        case 2:
            rows = [line[:column] + line[column + 1 :] for line in rows]
        case 3:
            rows[row][column:column] = [rng.choice((*_TEXTS, *NUMBERS))]
        case 4:
            del rows[row][column:]
        case _:
            rows[row][column : column + 1] = [rng.choice((*_TEXTS, *NUMBERS))]
    out = io.StringIO()
    csv.writer(out, delimiter=rng.choice(",,,;\t")).writerows(rows)
    return out.getvalue().encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "latin-1")), errors="replace")


def _odd_table(text: str, rng: Random) -> str:
    return rng.choice(
        (
            text + '"',
            text.replace(",", ',"', 1),
            text + "\0",
            text.replace("\n", "\r"),
            "," * 10**6 + "\n" + text,
            text + "x" * 200_000 + "\n",
            text * 500,
            "",
            "\n\n\n",
        )
    )


def _mutate(
    data: bytes,
    rng: Random,
    read: Callable[[str], Any],
    write: Callable[[Any], str],
    odd: Callable[[str, Random], str],
) -> bytes | None:
    try:
        text = data.decode()
        tree = read(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        return None
    if rng.random() < 0.1:
        return odd(text, rng).encode(rng.choice(("utf-8", "latin-1", "utf-16")), errors="replace")
    for _ in range(rng.choice((1, 1, 2, 4))):
        tree = _change(tree, rng)
    try:
        return write(tree).encode(errors="replace")
    except (ValueError, yaml.YAMLError):
        return odd(text, rng).encode()


def _change(tree: Any, rng: Random) -> Any:
    """Change one place of a tree of lists and dictionaries."""
    places: list[tuple[Any, Any]] = []
    _collect(tree, places)
    if not places or rng.random() < 0.03:
        return _value(rng)
    parent, key = rng.choice(places)
    if rng.random() < 0.3:
        del parent[key]
    elif isinstance(parent, dict) and rng.random() < 0.2:
        parent[rng.choice((str(key) + "x", "", str(key).upper(), "__class__"))] = parent.pop(key)
    elif rng.random() < 0.2:
        parent[key] = rng.choice((lambda old: [old], lambda old: {"x": old}, lambda old: [old, old], str))(parent[key])
    elif isinstance(parent[key], int | float) and rng.random() < 0.7:
        parent[key] = float(number) if "." in (number := rng.choice(NUMBERS)) or "e" in number else _number(number)
    else:
        parent[key] = _value(rng)
    return tree


def _collect(tree: Any, places: list[tuple[Any, Any]]) -> None:
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(pairs):
        places.append((tree, key))
        _collect(value, places)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _value(rng: Random) -> Any:
    kind = rng.randrange(6)
    if kind == 0:
        return _number(rng.choice(NUMBERS))
    if kind == 1:
        return rng.choice(_TEXTS)
    return rng.choice((None, True, False, [], {}, [None], [[]], {"": None}, [0] * 40, [10**9] * 4, {"x": {"x": 1}}))


def _deep(text: str, rng: Random) -> str:
    return rng.choice(("[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, text * 2, "", "nul", "1" * 6_000, "﻿" + text))


def _odd_yaml(text: str, rng: Random) -> str:
    return rng.choice(
        (
            *(_BOMB, text + _BOMB, "[" * 20_000, "\t" + text, text + "\n? [", "!!python/object/apply:os.getcwd []"),
            *(
                text + "\nname: twice",
                "name: ä",
                "- " * 5_000,
                "a: " * 2_000,
                "",
                "---\n---\n",
                "&a [*a]",
                "!!binary x",
            ),
            *("<<: 1", "1" * 5_000 + ": 1", "2026-99-99", "? {a: 1}\n: b", "!!timestamp x", "0x: {", "a: !!int x"),
        )
    )
