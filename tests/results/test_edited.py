"""A text that a user has made of one in a result, which is kept beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffuscope.errors import InputError
from diffuscope.ports.text import Written
from diffuscope.results.beside.edited import read_edited, told_texts, write_edited
from diffuscope.results.beside.mark import EDITED, generated_by, signed, unsigned


def test_it_is_kept_says_what_it_is_and_can_be_taken_back(tmp_path: Path):
    (tmp_path / "texts").mkdir()
    assert read_edited(tmp_path, "report") is None
    write_edited(tmp_path, "report", "No nodule.\n\nÄrztlich gesehen.")
    assert (tmp_path / "texts/report.edited.txt").read_text(encoding="utf-8").splitlines()[-1] == EDITED
    assert read_edited(tmp_path, "report") == "No nodule.\n\nÄrztlich gesehen."
    write_edited(tmp_path, "report", None)
    assert read_edited(tmp_path, "report") is None and not list((tmp_path / "texts").iterdir())
    write_edited(tmp_path, "report", None)


def test_where_it_cannot_be_written_is_one_sentence(tmp_path: Path):
    with pytest.raises(InputError, match=r"report\.edited\.txt cannot be written .*: copy the text instead"):
        write_edited(tmp_path / "gone", "report", "No nodule.")


def test_a_text_goes_out_as_it_was_edited_and_says_who_wrote_it(tmp_path: Path):
    (tmp_path / "texts").mkdir()
    record, texts = {"model": {"name": "toy"}}, {"report": Written("A nodule.\n"), "second": Written("Two.")}
    mark = generated_by(record)
    assert told_texts(tmp_path, texts, record) == {"report": ("A nodule.", mark), "second": ("Two.", mark)}
    write_edited(tmp_path, "report", "No nodule.")
    assert told_texts(tmp_path, texts, record) == {"report": ("No nodule.", EDITED), "second": ("Two.", mark)}


def test_its_line_comes_off_as_it_was_put_on():
    assert unsigned(signed("No nodule.", EDITED)) == ("No nodule.", EDITED)
