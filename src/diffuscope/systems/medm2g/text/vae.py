"""A text as one vector, and back: BERT reads, GPT-2 writes (after Optimus, Li et al. 2020).

Optimus hands the latent to the decoder twice, as a memory that every layer attends to and added to each embedding. Here
the memory is four embeddings in front of the text, whose keys and values every layer makes itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

from diffuscope.ports.text import Written
from diffuscope.systems.medm2g.scale import Scale
from diffuscope.systems.medm2g.text.config import TextConfig
from diffuscope.systems.medm2g.text.tokens import Tokens

_MEMORY = 4


class TextVAE(nn.Module):
    """Token ids to a latent of mean 0 and deviation 1, and back.

    Parameters
    ----------
    config : TextConfig
        See there.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config, self.tokens = config, Tokens(config)
        self.encoder: Any = BertModel(bert_config(config), add_pooling_layer=False)
        self.decoder: Any = GPT2LMHeadModel(gpt2_config(config))
        self.moments = nn.Linear(config.hidden, 2 * config.latent)
        self.memory = nn.Linear(config.latent, _MEMORY * config.hidden)
        self.added = nn.Linear(config.latent, config.hidden)
        self.scale = Scale(config.latent)

    def encode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance (n, latent) of token ids (n, 2 · longest) (see `Tokens.encode`)."""
        words = ids[:, : self.config.longest].long()
        seen = self.encoder(words, attention_mask=(words != 0).long()).last_hidden_state[:, 0]
        mean, variance = self.moments(seen).float().chunk(2, dim=1)
        return mean, variance.clamp(-8, 8)

    def loss(self, ids: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the cross-entropy of the tokens, nats each, and the divergence beyond what is free."""
        where = generator.device
        mean, variance = self.encode(ids)
        if self.training:
            self.scale.follow(mean.detach())
        noise = torch.randn(mean.shape, generator=generator, device=where).to(mean)
        latents = mean + (0.5 * variance).exp() * noise
        pieces = ids[:, self.config.longest :].long()
        forgotten = torch.rand(pieces.shape, generator=generator, device=where).to(mean) < self.config.forget
        shown = torch.where(forgotten & self.training, self.tokens.end, pieces)
        logits = self._logits(latents, shown[:, :-1])
        # The first of the marks that end a text is written, those that fill it up are not.
        ended = (pieces == self.tokens.end).long().cumsum(1)
        counts = (ended == 0) | ((ended == 1) & (pieces == self.tokens.end))
        errors = F.cross_entropy(logits.float().transpose(1, 2), pieces, reduction="none")
        reconstruction = errors[counts].mean()
        divergence = 0.5 * (mean.square() + variance.exp() - 1 - variance).mean(0)
        kl = divergence.clamp_min(self.config.free).sum()
        return {
            "loss": reconstruction + self.config.kl * kl,
            "reconstruction": reconstruction,
            "kl": divergence.sum(),
        }

    def decode(self, latents: Tensor) -> list[Written]:
        """Return the likeliest text, token by token, of latents (n, latent), with the probability of each piece."""
        cache = None
        step = self._begun(latents)
        added = self.added(latents)[:, None]
        numbers, chances = [], []
        for _ in range(self.config.longest):
            seen = self.decoder(inputs_embeds=step, past_key_values=cache, use_cache=True)
            cache = seen.past_key_values
            chance, number = seen.logits[:, -1].float().softmax(1).max(1)
            numbers.append(number)
            chances.append(chance)
            if bool((torch.stack(numbers) == self.tokens.end).any(0).all()):
                break
            step = self.decoder.transformer.wte(number)[:, None] + added
        return [
            self._written(one, sure)
            for one, sure in zip(torch.stack(numbers, 1).tolist(), torch.stack(chances, 1).tolist(), strict=True)
        ]

    def _written(self, numbers: list[int], chances: list[float]) -> Written:
        count = numbers.index(self.tokens.end) if self.tokens.end in numbers else len(numbers)
        pieces = self.tokens.pieces(numbers[:count])
        return Written("".join(pieces), tuple(zip(pieces, chances[:count], strict=True)))

    def _begun(self, latents: Tensor) -> Tensor:
        begun: Tensor = self.memory(latents).unflatten(1, (_MEMORY, self.config.hidden))
        return begun

    def _logits(self, latents: Tensor, shown: Tensor) -> Tensor:
        """Return what is foreseen of each token (n, m + 1, pieces) from those before it (n, m)."""
        embedded = self.decoder.transformer.wte(shown) + self.added(latents)[:, None]
        logits: Tensor = self.decoder(inputs_embeds=torch.cat([self._begun(latents), embedded], dim=1)).logits
        return logits[:, _MEMORY - 1 :]


def bert_config(config: TextConfig) -> BertConfig:
    """Return what BERT is built with."""
    return BertConfig(
        vocab_size=len(config.vocabulary.words),
        hidden_size=config.hidden,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=4 * config.hidden,
        max_position_embeddings=max(config.longest, 512),
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def gpt2_config(config: TextConfig) -> GPT2Config:
    """Return what GPT-2 is built with."""
    return GPT2Config(
        vocab_size=len(config.vocabulary.pieces),
        n_positions=max(config.longest + _MEMORY, 1024),
        n_embd=config.hidden,
        n_layer=config.layers,
        n_head=config.heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
