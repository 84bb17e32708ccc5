"""Configuration of the text side, with all that its tokenizers need: a model folder is whole."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from diffuscope.systems.bounds import STRICT, Weight

_Piece = Annotated[str, Field(min_length=1, max_length=200)]
_Width = Annotated[int, Field(ge=8, le=4096)]
_Layers = Annotated[int, Field(ge=1, le=48)]
_MOST = 200_000
#: What BERT's WordPiece has besides words. The first is number 0.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
#: What begins and ends a text of GPT-2's.
END = "<|endoftext|>"


def byte_symbols() -> tuple[str, ...]:
    """Return the 256 characters that stand for bytes in GPT-2's vocabulary, in the order of their numbers.

    First come the bytes that are shown as they are, then the others, as the characters from U+0100 on (Radford et al.
    2019, `encoder.py`).
    """
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return tuple(chr(byte) for byte in shown) + tuple(chr(256 + number) for number in range(256 - len(shown)))


class Vocabulary(BaseModel):
    """Pieces of words: BERT's WordPiece for what is read, GPT-2's byte-level BPE for what is written.

    Attributes
    ----------
    words : tuple of str
        WordPiece's pieces; within a word they begin with ``##``. The first is ``[PAD]``.
    merges : tuple of str
        BPE's merges, each "LEFT RIGHT", the first ones first. Its pieces follow from them (see `pieces`).
    lower : bool
        Whether what is read is read in lower case and without accents, as an uncased BERT does. What is written has
        both.
    """

    model_config = STRICT

    words: Annotated[tuple[_Piece, ...], Field(min_length=len(SPECIAL) + 1, max_length=_MOST)]
    merges: Annotated[tuple[_Piece, ...], Field(max_length=_MOST)]
    lower: bool = True

    @property
    def pieces(self) -> tuple[str, ...]:
        """BPE's pieces by number, in GPT-2's order: the bytes, what each merge becomes, and the end."""
        return (*byte_symbols(), *("".join(merge.split(" ")) for merge in self.merges), END)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.words[0] != SPECIAL[0] or not set(SPECIAL) <= set(self.words):
            raise ValueError(f"words begin with {SPECIAL[0]} and have {', '.join(SPECIAL[1:])}")
        if len(set(self.words)) < len(self.words):
            raise ValueError("words has one twice")
        known = set(byte_symbols())
        for merge in self.merges:
            left, _, right = merge.partition(" ")
            if not {left, right} <= known:
                raise ValueError("a merge is not of two pieces that are there: bytes, or merged before")
            if left + right in known:
                raise ValueError("two merges become the same")
            known.add(left + right)
        return self


class TextConfig(BaseModel):
    """Sizes of the text's networks; the defaults are small ones, BERT-base's and GPT-2's are 768, 12, 12, 768.

    Attributes
    ----------
    vocabulary : Vocabulary
        See there.
    hidden, layers, heads : int
        Of encoder and decoder.
    latent : int
        Numbers of the latent vector (the paper's: 768).
    longest : int
        Tokens that a text has at most, either way.
    kl : float
        Weight of the divergence from a standard normal, of a text, against the cross-entropy of its tokens.
    free : float
        Divergence that costs nothing, nats a number (Optimus' free bits).
    forget : float
        Share of the tokens that the decoder does not see in training.
    width, depth : int
        Of the denoiser: channels of its first level, and levels, each with twice the channels of the one before
        (Versatile Diffusion's: 320 and, as the paper's, 2).
    """

    model_config = STRICT

    vocabulary: Vocabulary
    hidden: _Width = 128
    layers: _Layers = 2
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    latent: _Width = 128
    longest: Annotated[int, Field(ge=4, le=512)] = 96
    kl: Weight = 0.01
    free: Weight = 0.5
    forget: Annotated[float, Field(ge=0, lt=1)] = 0.0
    width: Annotated[int, Field(ge=8, le=1024, multiple_of=8)] = 64
    depth: Annotated[int, Field(ge=1, le=4)] = 2

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(f"hidden is no multiple of the {self.heads} heads")
        return self
