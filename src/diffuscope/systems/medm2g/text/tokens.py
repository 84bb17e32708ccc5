"""A text as numbers, by ready-made tokenizers, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.systems.medm2g.text.config import END, SPECIAL, TextConfig, Vocabulary

# Every character that English reports are written with has a piece of its own.
_ALPHABET = [chr(number) for number in range(33, 127)]
# What bytes that are no whole character are shown as.
_BROKEN = "\N{REPLACEMENT CHARACTER}"


class Tokens:
    """BERT's WordPiece and GPT-2's byte-level BPE over one vocabulary.

    Parameters
    ----------
    config : TextConfig
        See there.
    """

    def __init__(self, config: TextConfig) -> None:
        # Loads its library when it is first needed.
        from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer

        known = config.vocabulary
        self.longest = config.longest
        words = {word: place for place, word in enumerate(known.words)}
        self._words = BertWordPieceTokenizer(words, lowercase=known.lower)
        pieces = {piece: place for place, piece in enumerate(known.pieces)}
        left_right = [(left, right) for left, _, right in (merge.partition(" ") for merge in known.merges)]
        self._pieces = ByteLevelBPETokenizer(pieces, left_right)
        self.end = pieces[END]

    def encode(self, text: str) -> Tensor:
        """Return a text's numbers, float32 (2 · longest,): WordPiece's, then BPE's, each padded at its end.

        Raises
        ------
        InputError
            The text is empty, or longer than what the model reads.
        """
        text = " ".join(text.split())
        if not text:
            raise InputError("the text is empty: write what is to be shown.")
        words, pieces = self._words.encode(text).ids, [*self._pieces.encode(text).ids, self.end]
        most = max(len(words), len(pieces))
        if most > self.longest:
            raise InputError(
                f"the text has {most} pieces of words and this model reads {self.longest}: shorten it to about "
                f"{len(text.split()) * self.longest // most} words."
            )
        found = torch.zeros(2, self.longest)
        found[0, : len(words)] = torch.tensor(words, dtype=torch.float32)
        found[1] = self.end
        found[1, : len(pieces)] = torch.tensor(pieces, dtype=torch.float32)
        return found.flatten()

    def decode(self, pieces: Sequence[int]) -> str:
        """Return the text of BPE's numbers."""
        text: str = self._pieces.decode(list(pieces))
        return text

    def parts(self, numbers: Sequence[int], chances: Sequence[float]) -> tuple[tuple[str, float], ...]:
        """Return the text of BPE's numbers piece by piece, each with its probability.

        Tokens that are only parts of one character are one piece, with the product of their probabilities.
        """
        found: list[tuple[str, float]] = []
        begin, together = 0, 1.0
        for stop, chance in enumerate(chances, start=1):
            together *= chance
            piece = self.decode(numbers[begin:stop])
            if stop == len(numbers) or not piece.endswith(_BROKEN):
                found.append((piece, together))
                begin, together = stop, 1.0
        return tuple(found)


def train_vocabulary(texts: Iterable[str], *, words: int = 1000, pieces: int = 1000, lower: bool = True) -> Vocabulary:
    """Return a vocabulary of texts.

    Parameters
    ----------
    texts : iterable of str
        To learn from.
    words, pieces : int
        How many WordPiece and BPE have at most; WordPiece has at least every character, BPE every byte.
    lower : bool
        As of `Vocabulary`.
    """
    from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer

    several = [" ".join(text.split()) for text in texts]
    word = BertWordPieceTokenizer(lowercase=lower)
    shown = {character for text in several for character in word.normalizer.normalize_str(text)}
    alphabet = sorted(shown.union(_ALPHABET) - {" "})
    # The trainer numbers what it does not know yet in no order that stays the same, and ties fall by these numbers.
    first = [*SPECIAL, *alphabet, *(f"##{character}" for character in alphabet)]
    word.train_from_iterator(
        several, vocab_size=max(words, len(first)), min_frequency=2, show_progress=False, special_tokens=first
    )
    piece = ByteLevelBPETokenizer()
    piece.train_from_iterator(several, vocab_size=pieces - 1, min_frequency=2, show_progress=False)
    merges = json.loads(piece.to_str())["model"]["merges"]
    return Vocabulary(
        words=tuple(name for name, _ in sorted(word.get_vocab().items(), key=lambda one: one[1])),
        merges=tuple(" ".join(merge) for merge in merges),
        lower=lower,
    )
