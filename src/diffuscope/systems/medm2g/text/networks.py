"""BERT and GPT-2 of the transformers library, in the shapes that were published, so that published weights fit."""

from __future__ import annotations

import math
from typing import Any

from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

# Places for tokens, as published.
_READ, _WRITTEN = 512, 1024
# Deviation of new weights: 0.02 where 768 wide, as published, and larger in a narrower network by the usual rule.
_SPREAD = 0.02 * math.sqrt(768)


def bert(words: int, *, hidden: int, layers: int, heads: int, positions: int = _READ) -> Any:
    """Return a BERT (Devlin et al. 2019) without its pooler, untrained, without dropout.

    Parameters
    ----------
    words : int
        Pieces of its vocabulary; the first is the padding.
    hidden, layers, heads : int
        Its size; inner layers are four times as wide.
    positions : int
        Tokens that it has places for.
    """
    return BertModel(
        BertConfig(
            vocab_size=words,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * hidden,
            max_position_embeddings=positions,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            initializer_range=_SPREAD / math.sqrt(hidden),
        ),
        add_pooling_layer=False,
    )


def gpt2(pieces: int, *, hidden: int, layers: int, heads: int, positions: int = _WRITTEN) -> Any:
    """Return a GPT-2 (Radford et al. 2019), untrained, without dropout.

    Parameters
    ----------
    pieces : int
        Of its vocabulary; the last is the end.
    hidden, layers, heads, positions : int
        As of `bert`.
    """
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=pieces,
            n_positions=positions,
            n_embd=hidden,
            n_layer=layers,
            n_head=heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=pieces - 1,
            eos_token_id=pieces - 1,
            initializer_range=_SPREAD / math.sqrt(hidden),
        )
    )
