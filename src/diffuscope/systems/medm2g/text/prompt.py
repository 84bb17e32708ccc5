"""C_T, the prompt encoder of texts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from diffuscope.systems.medm2g.text.config import TextConfig

_LAYERS, _HEADS = 2, 4


class TextPrompt(nn.Module):
    """Token ids to tokens, and to a vector of the space that all modalities share.

    Parameters
    ----------
    config : TextConfig
        For its vocabulary and lengths.
    width : int
        Numbers of a token and of the vector.
    """

    def __init__(self, config: TextConfig, width: int) -> None:
        super().__init__()
        self.longest = config.longest
        self.encoder: Any = BertModel(
            BertConfig(
                vocab_size=len(config.vocabulary.words),
                hidden_size=width,
                num_hidden_layers=_LAYERS,
                num_attention_heads=_HEADS,
                intermediate_size=2 * width,
                max_position_embeddings=config.longest,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
            ),
            add_pooling_layer=False,
        )
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens (n, longest, width), which there are, bool (n, longest), and the vector (n, width)."""
        words = ids[:, : self.longest].long()
        mask = words != 0
        tokens: Tensor = self.encoder(words, attention_mask=mask.long()).last_hidden_state
        there = mask[:, :, None]
        mean = (tokens * there).sum(1) / there.sum(1).clamp_min(1)
        # Cases without a text come as zeros, and are not looked at: they must only not be NaN.
        largest = tokens.masked_fill(~there, -1e4).amax(1)
        return tokens, mask, self.head(torch.cat([mean, largest], dim=1))
