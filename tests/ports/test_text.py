"""Words of a text that a system has not learned."""

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


def test_a_system_that_does_not_say_its_words_knows_all():
    assert Text(name="report", key="report").unknown("anything") == ()


def test_a_result_states_a_text_as_before():
    port = Text(name="report", key="report")
    assert "words" not in state_port(port) and read_port(state_port(port)) == port
