"""Texts as numbers and back: nothing is lost, and what is not read is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from diffuscope.errors import InputError
from diffuscope.ports.text import Text
from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.declare import declare
from diffuscope.systems.medm2g.text.config import SPECIAL, TextConfig, Vocabulary, byte_symbols
from diffuscope.systems.medm2g.text.tokens import Tokens, train_vocabulary
from tests.systems.written_reports import write_reports

REPORTS = write_reports(400)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return train_vocabulary(REPORTS)


@pytest.fixture(scope="module")
def tokens(vocabulary) -> Tokens:
    return Tokens(TextConfig(vocabulary=vocabulary))


@pytest.fixture(scope="module")
def port(vocabulary) -> Text:
    """What a model of this vocabulary says of the texts that it takes."""
    images = ({"key": "ct", "name": "CT", "modality": "ct"},)
    config = MedM2GConfig.model_validate({"images": images, "text": {"vocabulary": vocabulary.model_dump()}})
    return next(one for one in declare(config).inputs if isinstance(one, Text))


ASCII = tuple(chr(number) for number in range(33, 127))
LETTERS = Tokens(TextConfig(vocabulary=Vocabulary(words=SPECIAL + ASCII, merges=()), longest=200))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip))
def test_any_text_comes_back_with_single_spaces(text):
    numbers = LETTERS.encode(text)[200:].long().tolist()
    assert LETTERS.decode(numbers[: numbers.index(LETTERS.end)]) == " ".join(text.split())


def test_a_trained_vocabulary_has_the_words_of_its_texts_whole_and_shortens_them(tokens, port):
    for report in REPORTS[:50]:
        ids = tokens.encode(report)
        assert not port.unknown(report)
        assert ids[96:].tolist().index(tokens.end) < len(report) / 4


def test_ids_are_those_of_transformers_own_tokenizers(vocabulary, tokens):
    from transformers import BertTokenizerFast, GPT2TokenizerFast

    bert = BertTokenizerFast(vocab={piece: number for number, piece in enumerate(vocabulary.words)})
    merges = [tuple(pair.split(" ")) for pair in vocabulary.merges]
    gpt2 = GPT2TokenizerFast(vocab={symbol: number for number, symbol in enumerate(vocabulary.pieces)}, merges=merges)
    for text in [*REPORTS[:20], "Ödem, 3 cm (rechts); naïve ZZZ é β", "two\nlines\tand  spaces "]:
        ids = tokens.encode(text).long().tolist()
        expected = bert(text)["input_ids"]
        assert ids[:96] == expected + [0] * (96 - len(expected))
        expected = gpt2(" ".join(text.split()))["input_ids"]
        assert ids[96:] == expected + [gpt2.eos_token_id] * (96 - len(expected))


def test_the_bytes_are_in_the_order_of_gpt2():
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    assert byte_symbols() == tuple(bytes_to_unicode().values())


def test_words_that_are_not_whole_and_characters_that_are_not_there_are_told(port):
    assert port.unknown("there is a tiny xylophone , β , tiny xylophone") == ("xylophone", "β")


def test_a_cased_vocabulary_is_read_with_its_case():
    texts = ["Chest and HEAD", "chest and head", "Chest and HEAD"] * 3
    cased = Tokens(TextConfig(vocabulary=train_vocabulary(texts, lower=False)))
    lower = Tokens(TextConfig(vocabulary=train_vocabulary(texts)))
    assert not cased.encode("Chest").equal(cased.encode("chest"))
    assert lower.encode("Chest")[:96].equal(lower.encode("chest")[:96])


def test_nothing_is_cut_silently(tokens):
    with pytest.raises(InputError, match="the text has 161 pieces of words and this model reads 96"):
        tokens.encode("qz" * 80)
    for empty in ("", " \n"):
        with pytest.raises(InputError, match="the text is empty"):
            tokens.encode(empty)


def test_pieces_join_to_the_text_and_a_character_of_many_tokens_is_one():
    written = LETTERS.encode("a β😀.")[200:].long().tolist()
    written = written[: written.index(LETTERS.end)]
    parts = LETTERS.parts(written, [0.5] * len(written))
    assert parts == (("a", 0.5), (" ", 0.5), ("β", 0.25), ("😀", 0.0625), (".", 0.5))


def test_bytes_that_are_no_character_are_shown_as_such():
    broken = LETTERS.encode("😀")[200:].long().tolist()[:2]
    assert LETTERS.parts(broken, [1.0, 1.0]) == (("\N{REPLACEMENT CHARACTER}", 1.0),)


def test_a_vocabulary_is_the_same_every_time_and_survives_json(vocabulary):
    assert train_vocabulary(REPORTS) == vocabulary
    config = TextConfig(vocabulary=vocabulary)
    assert TextConfig.model_validate_json(json.dumps(config.model_dump(mode="json"))) == config


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"words": ("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "a")}, "words begin with"),
        ({"words": (*SPECIAL, "a", "a")}, "twice"),
        ({"merges": ("a bc",)}, "not of two pieces that are there"),
        ({"merges": ("ab",)}, "not of two pieces that are there"),
        ({"merges": ("a b", "b c", "ab c", "a bc")}, "become the same"),
    ],
)
def test_a_wrong_vocabulary_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        Vocabulary(**{"words": (*SPECIAL, "a"), "merges": (), **wrong})
