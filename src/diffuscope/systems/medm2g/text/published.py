"""The vocabularies of a published BERT and GPT-2, as a configuration holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from diffuscope.errors import InputError
from diffuscope.files.read import read_json, read_text
from diffuscope.systems.bounds import first_fault
from diffuscope.systems.medm2g.text.config import Vocabulary

# GPT-2's tokenizer.json has 1.4 MB, those of many languages ten times as much.
_MOST = 20_000_000
_TOKENIZER = "tokenizer.json"


def read_vocabulary(bert: Path, gpt2: Path) -> Vocabulary:
    """Return the vocabulary of folders that are shaped as BERT and GPT-2, for the configuration of a model.

    Parameters
    ----------
    bert : Path
        With tokenizer.json, or vocab.txt.
    gpt2 : Path
        With tokenizer.json, or merges.txt and vocab.json.

    Raises
    ------
    InputError
        A file is missing or no such vocabulary, e.g. GPT-2's with tokens of somebody's own.
    """
    words, lower = _words(bert)
    merges, pieces = _merges(gpt2)
    try:
        found = Vocabulary(words=tuple(words), merges=tuple(merges), lower=lower)
    except ValidationError as error:
        _, said = first_fault(error)
        raise InputError(f"{bert} and {gpt2} are no vocabularies of BERT and GPT-2: {said}.") from error
    if tuple(pieces) != found.pieces:
        raise InputError(
            f"{gpt2} has a vocabulary in another order than GPT-2's, or with tokens of its own: name GPT-2's."
        )
    return found


def _words(folder: Path) -> tuple[list[str], bool]:
    """Return WordPiece's pieces by number, and whether it reads in lower case."""
    if (folder / _TOKENIZER).is_file():
        stored = _json(folder, _TOKENIZER)
        model, normalizer = _inner(stored, "model"), _inner(stored, "normalizer")
        if model.get("type") != "WordPiece" or not isinstance(model.get("vocab"), dict):
            raise InputError(f"{folder / _TOKENIZER} is not BERT's, whose pieces are WordPieces: name a BERT.")
        return _by_number(model["vocab"]), normalizer.get("lowercase") is not False
    words = _text(folder, "vocab.txt").splitlines()
    stated = _json(folder, "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    return words, stated.get("do_lower_case") is not False


def _merges(folder: Path) -> tuple[list[str], list[str]]:
    """Return BPE's merges, and its pieces by number."""
    if (folder / _TOKENIZER).is_file():
        model = _inner(_json(folder, _TOKENIZER), "model")
        merges, vocab = model.get("merges"), model.get("vocab")
        if model.get("type") != "BPE" or not isinstance(merges, list) or not isinstance(vocab, dict):
            raise InputError(f"{folder / _TOKENIZER} is not GPT-2's, whose pieces are merged bytes: name a GPT-2.")
        return [one if isinstance(one, str) else " ".join(map(str, one)) for one in merges], _by_number(vocab)
    lines = _text(folder, "merges.txt").splitlines()
    return [line for line in lines if line and not line.startswith("#version")], _by_number(_json(folder, "vocab.json"))


def _by_number(vocab: dict[str, Any]) -> list[str]:
    return [name for name, _ in sorted(vocab.items(), key=lambda one: one[1] if isinstance(one[1], int) else -1)]


def _inner(stored: dict[str, Any], key: str) -> dict[str, Any]:
    found = stored.get(key)
    return found if isinstance(found, dict) else {}


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        found = read_json(folder / name, most=_MOST, inside=folder)
    except OSError as error:
        raise _missing(folder, name) from error
    except ValueError as error:
        raise InputError(f"{folder / name} is not JSON: fetch the folder again.") from error
    if not isinstance(found, dict):
        raise InputError(f"{folder / name} states nothing by name: fetch the folder again.")
    return found


def _text(folder: Path, name: str) -> str:
    try:
        return read_text(folder / name, most=_MOST, inside=folder)
    except OSError as error:
        raise _missing(folder, name) from error


def _missing(folder: Path, name: str) -> InputError:
    return InputError(f"{folder} has no {_TOKENIZER} and no {name}: name a folder as its authors published it.")
