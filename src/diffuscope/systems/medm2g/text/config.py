"""Configuration of the text side, with all that its tokenizers need: a model folder is whole."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from diffuscope.systems.bounds import STRICT, Weight

_Piece = Annotated[str, Field(min_length=1, max_length=200)]
_Width = Annotated[int, Field(ge=8, le=4096)]
_Layers = Annotated[int, Field(ge=1, le=48)]
_MOST = 100_000
#: What BERT's WordPiece has besides words, in the order of their numbers.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
#: What begins and ends a text of GPT-2's.
END = "<|endoftext|>"


class Vocabulary(BaseModel):
    """Pieces of words: BERT's WordPiece for what is read, GPT-2's byte-level BPE for what is written.

    Attributes
    ----------
    words : tuple of str
        WordPiece's pieces, the special ones first.
    pieces : tuple of str
        BPE's pieces.
    merges : tuple of str
        BPE's merges, each "LEFT RIGHT", the first ones first.
    """

    model_config = STRICT

    words: Annotated[tuple[_Piece, ...], Field(min_length=len(SPECIAL) + 1, max_length=_MOST)]
    pieces: Annotated[tuple[_Piece, ...], Field(min_length=257, max_length=_MOST)]
    merges: Annotated[tuple[_Piece, ...], Field(max_length=_MOST)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.words[: len(SPECIAL)] != SPECIAL:
            raise ValueError(f"words begin with {', '.join(SPECIAL)}")
        for name, several in (("words", self.words), ("pieces", self.pieces)):
            if len(set(several)) < len(several):
                raise ValueError(f"{name} has one twice")
        known = set(self.pieces)
        if END not in known:
            raise ValueError(f"pieces has no {END}")
        if any(len(merge.split(" ")) != 2 or merge.replace(" ", "") not in known for merge in self.merges):
            raise ValueError("a merge is not two pieces that make a third")
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
        Weight of the divergence from a standard normal, a number of the latent.
    free : float
        Divergence that costs nothing, nats a number (Optimus' free bits).
    forget : float
        Share of the tokens that the decoder does not see in training, so that it needs the latent.
    width, depth : int
        Of the denoiser, in blocks (the paper's depth: 2).
    """

    model_config = STRICT

    vocabulary: Vocabulary
    hidden: _Width = 128
    layers: _Layers = 2
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    latent: _Width = 64
    longest: Annotated[int, Field(ge=4, le=1024)] = 96
    kl: Weight = 0.02
    free: Weight = 0.1
    forget: Annotated[float, Field(ge=0, lt=1)] = 0.3
    width: _Width = 256
    depth: Annotated[int, Field(ge=1, le=16)] = 2

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.hidden % self.heads or self.width % self.heads:
            raise ValueError(f"hidden and width are multiples of the {self.heads} heads")
        return self
