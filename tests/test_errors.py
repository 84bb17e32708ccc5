"""Sentences are one line, of a length that can be read, and do nothing to a terminal, whatever they quote."""

from __future__ import annotations

import pickle

import pytest

from diffuscope.errors import DiffuscopeError, InputError, choice, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a.svs is no slide: give another.", "a.svs is no slide: give another."),
        ("“größe” µm × 3", "“größe” µm × 3"),
        ("a\nb\tc\0", "a\\nb\\tc\\x00"),
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("\u202egpj.exe\ud800", "\\u202egpj.exe\\ud800"),
    ],
)
def test_what_moves_a_cursor_is_spelled_out(text: str, shown: str):
    assert printable(text) == shown == str(InputError(text))


def test_a_sentence_without_end_keeps_both_ends():
    said = str(InputError(f"the file {'x' * 10**6} has no end: give another."))
    assert said.startswith("the file xxx") and said.endswith("xxx has no end: give another.") and len(said) < 600


def test_errors_survive_the_way_from_another_process():
    error = pickle.loads(pickle.dumps(InputError("a\nb")))
    assert isinstance(error, DiffuscopeError) and str(error) == "a\\nb"


def test_of_few_names_all_are_listed_and_of_many_the_nearest():
    assert choice("best", ("fast", "mean")) == "choose one of fast, mean"
    many = [f"{kind}-{key}" for kind in ("cross", "encode", "generate") for key in ("ct", "mri", "text", "xray")]
    assert choice("cross-mr", many) == "choose one of cross-mri, cross-xray, cross-ct or 9 others"
    assert choice("cross-mr", many, page="docs/a.md").endswith(" or 9 others (docs/a.md lists all)")
    # What is like none of them is no reason to list all.
    assert choice("", many).endswith(" or 9 others")
