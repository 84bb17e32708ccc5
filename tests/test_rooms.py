"""Tests lie where what they test lies: a folder of `tests` is a room of the package, or one of the few beside it."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent
ROOMS = TESTS.parent / "src" / "diffuscope"
BESIDE = {"benchmarks", "docs", "packaging"}


def test_every_test_lies_in_a_room():
    homes = {file.parent.relative_to(TESTS) for file in TESTS.rglob("test_*.py")}
    assert [str(home) for home in sorted(homes) if str(home) not in BESIDE and not (ROOMS / home).is_dir()] == []
