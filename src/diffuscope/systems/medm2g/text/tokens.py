"""A text as numbers, by ready-made tokenizers, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.systems.medm2g.text.config import END, SPECIAL, TextConfig, Vocabulary

_UNKNOWN = SPECIAL[1]
# Every character that English reports are written with has a piece of its own.
_ALPHABET = [chr(number) for number in range(33, 127)]


class Tokens:
    """BERT's WordPiece, in lower case, and GPT-2's byte-level BPE over one vocabulary.

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
        self._words = BertWordPieceTokenizer({word: place for place, word in enumerate(known.words)}, lowercase=True)
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

    def unknown(self, ids: Tensor) -> tuple[str, ...]:
        """Return the words of a text (see `encode`) that had to be put together from pieces, in order, each once.

        Of a vocabulary that was learned from the texts of a training these are words that it never had.
        """
        words: list[list[str]] = []
        for number in ids[: self.longest].long().tolist():
            piece = self._words.id_to_token(number)
            if piece.startswith("##"):
                words[-1].append(piece[2:])
            elif piece not in SPECIAL or piece == _UNKNOWN:
                words.append([piece])
        found = ("".join(pieces) for pieces in words if len(pieces) > 1 or pieces == [_UNKNOWN])
        return tuple(dict.fromkeys("a character that it does not know" if one == _UNKNOWN else one for one in found))

    def decode(self, pieces: Sequence[int]) -> str:
        """Return the text of BPE's numbers."""
        text: str = self._pieces.decode(list(pieces))
        return text

    def pieces(self, numbers: Sequence[int]) -> list[str]:
        """Return the part of the text that each of BPE's numbers adds; bytes that are no whole character go along."""
        before, found = "", []
        for count in range(1, len(numbers) + 1):
            text = self.decode(numbers[:count])
            whole = text if not text.endswith("\ufffd") else before
            found.append(whole[len(before) :])
            before = whole
        return found


def train_vocabulary(texts: Iterable[str], *, words: int = 400, pieces: int = 600) -> Vocabulary:
    """Return a vocabulary of texts.

    Parameters
    ----------
    texts : iterable of str
        To learn from.
    words, pieces : int
        How many WordPiece and BPE have at most; BPE has 257 at least.
    """
    from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer

    several = [" ".join(text.split()) for text in texts]
    word = BertWordPieceTokenizer(lowercase=True)
    word.train_from_iterator(
        several,
        vocab_size=words,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(SPECIAL),
        initial_alphabet=_ALPHABET,
    )
    piece = ByteLevelBPETokenizer()
    piece.train_from_iterator(several, vocab_size=pieces, min_frequency=2, show_progress=False, special_tokens=[END])
    model = json.loads(piece.to_str())["model"]
    by_number = [name for name, _ in sorted(word.get_vocab().items(), key=lambda one: one[1])]
    # The trainer gives characters a piece at the beginning of a word alone.
    within = [f"##{character}" for character in _ALPHABET]
    return Vocabulary(
        words=tuple(dict.fromkeys([*by_number, *within])),
        pieces=tuple(sorted(model["vocab"], key=model["vocab"].__getitem__)),
        merges=tuple(" ".join(merge) for merge in model["merges"]),
    )
