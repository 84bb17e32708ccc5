"""Words of a text that a system has not learned, and more than it reads."""

from __future__ import annotations

from diffuscope.ports.state import read_port, state_port
from diffuscope.ports.text import Text


def test_words_that_were_not_learned_are_told_once_and_in_order():
    port = Text(name="report", key="report", words=("a", "left", "lung", "nodule", "ray"))
    text = "A spiculated nodule (12 mm) in the LEFT lung; X-ray, spiculated."
    assert port.unknown(text) == ("spiculated", "mm", "in", "the")
    assert port.unknown("a nodule, left") == () == port.unknown("")
    assert port.unknown("X-ray: β nodule") == ("β",)
    assert port.doubt("a nodule, left") == ""
    said = "The model has never read “spiculated”, “mm”, “in” and 1 more: it can only guess what that means."
    assert port.doubt(text) == said
    assert port.doubt("12 34.5") == "There is no word in this text: the model can only guess what it means."
    assert port.doubt(" ") == "" == Text(name="report", key="report").doubt("12")


def test_a_text_that_is_surely_too_long_is_told_before_a_tokenizer_counts():
    port = Text(name="report", key="report", most_words=6, longest=40)
    assert port.too_long("A nodule, 12 mm.") == ""
    assert port.too_long("A nodule, 12 mm, on.") == ("report has 8 words and marks, and the model reads 6: shorten it.")
    assert port.too_long("a" * 41) == "report has 41 characters and may have 40: shorten it."
    assert Text(name="report", key="report").too_long("a " * 4000) == ""


def test_a_system_that_does_not_say_its_words_knows_all():
    assert Text(name="report", key="report").unknown("anything") == ()


def test_a_result_states_a_text_as_before():
    port = Text(name="report", key="report")
    assert not {"words", "most_words"} & set(state_port(port)) and read_port(state_port(port)) == port
