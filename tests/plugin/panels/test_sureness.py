"""How sure a model was of its words, from what it says of their pieces."""

from __future__ import annotations

import pytest

from diffuscope.plugin.panels.sureness import sureness_text, words_of
from diffuscope.ports.text import Written


def found(written: Written) -> dict[str, tuple[float, str]]:
    return {written.text[word.start : word.end]: (word.probability, word.level) for word in words_of(written)}


def test_a_word_is_as_sure_as_its_least_sure_piece():
    pieces = (("Two", 0.95), (" nod", 0.9), ("ules", 0.6), (",", 0.1), (" left", 0.3), (" lung", 0.5), (".", 0.99))
    written = Written("Two nodules, left lung.", pieces)
    # what stands between words is none
    assert found(written) == {
        "Two": (0.95, "sure"), "nodules": (0.6, "less sure"), "left": (0.3, "unsure"), "lung": (0.5, "less sure"),
    }  # fmt: skip
    assert sureness_text(words_of(written)) == "Of 4 words 2 less sure and 1 unsure."


def test_a_piece_that_is_not_in_the_text_is_passed_over():
    written = Written("a lung", (("<start>", 0.1), ("a", 0.9), (" lung", 0.95), ("<end>", 0.2)))
    assert found(written) == {"a": (0.9, "sure"), "lung": (0.95, "sure")}
    assert sureness_text(words_of(written)) == "The model was sure (90% or more) of all 2 words."


@pytest.mark.parametrize("written", [Written("no pieces told"), Written("", (("a", 0.5),))])
def test_of_words_without_pieces_nothing_is_said(written: Written):
    assert words_of(written) == [] and sureness_text([]) == ""
