"""Texts of a result: read as they were written, those of before as well, and what nobody wrote is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffuscope.ports.text import Text, Written
from diffuscope.results.beside.texts import TEXTS, read_texts, write_texts

PORTS = (Text(name="report", key="report"), Text(name="second", key="second"))


def test_a_text_is_read_as_it_was_written(tmp_path: Path):
    made = Written("Kleiner Knoten,\n\nlinks.\n", (("Kleiner", 0.75), ("Knoten", 1.0), (" ", 0.0)))
    write_texts(tmp_path, {"report": made, "second": "plain"})
    assert read_texts(tmp_path, PORTS) == {"report": made, "second": Written("plain")}
    assert read_texts(tmp_path, PORTS[1:]) == {"second": Written("plain")}


def test_a_text_of_an_older_result_is_read(tmp_path: Path):
    (tmp_path / TEXTS).mkdir()
    (tmp_path / TEXTS / "report.txt").write_text("as it was", encoding="utf-8")
    assert read_texts(tmp_path, PORTS) == {"report": Written("as it was")}


@pytest.mark.parametrize(
    "stated",
    ['{"text": 3, "tokens": []}', '{"text": "a", "tokens": [["a", 2]]}', '{"text": "a", "tokens": [[1, 0.5]]}', "[]"],
)
def test_what_is_no_text_is_refused(tmp_path: Path, stated: str):
    write_texts(tmp_path, {"report": "a"})
    (tmp_path / TEXTS / "report.json").write_text(stated, encoding="utf-8")
    with pytest.raises((ValueError, TypeError)):
        read_texts(tmp_path, PORTS)


def test_what_is_no_probability_is_not_written(tmp_path: Path):
    with pytest.raises(ValueError, match="is no piece of the text report with its probability"):
        write_texts(tmp_path, {"report": Written("a", (("a", 1.5),))})
