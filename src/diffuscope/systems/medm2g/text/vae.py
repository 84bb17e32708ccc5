"""A text as one vector, and back: BERT reads, GPT-2 writes (Optimus, Li et al. 2020).

Versatile Diffusion (Xu et al. 2022) and MedM2G (§4) diffuse these vectors. Two things are not as in Optimus, which
begins with trained networks: the vector is read from the mean over the tokens, not from the first one, and its noise
begins small. Trained from nothing on templated reports both decide whether the decoder ever looks at it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.ports.text import Written
from diffuscope.systems.medm2g.scale import Scale
from diffuscope.systems.medm2g.text.config import TextConfig
from diffuscope.systems.medm2g.text.decoder import Decoder
from diffuscope.systems.medm2g.text.networks import bert
from diffuscope.systems.medm2g.text.tokens import Tokens

# log σ² that the posterior begins with, and what it is kept between: beyond what training comes to.
_BEGIN, _LEAST, _MOST = -4.0, -12.0, 8.0


class TextVAE(nn.Module):
    """Token ids to a latent, and back.

    Parameters
    ----------
    config : TextConfig
        See there.

    Attributes
    ----------
    scale : Scale
        Brings latents to a mean of 0 and a deviation of 1; it follows the texts that train.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config, self.tokens = config, Tokens(config)
        size = {"hidden": config.hidden, "layers": config.layers, "heads": config.heads}
        self.encoder = bert(len(config.vocabulary.words), **size)
        self.moments = nn.Linear(config.hidden, 2 * config.latent)
        nn.init.constant_(self.moments.bias[config.latent :], _BEGIN)
        self.decoder = Decoder(len(config.vocabulary.pieces), latent=config.latent, **size)
        self.scale = Scale(config.latent)

    def encode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance (n, latent) of token ids (n, 2 · longest) (see `Tokens.encode`)."""
        words = ids[:, : self.config.longest].long()
        there = words != 0
        long = max(1, int(there.sum(1).max()))
        words, there = words[:, :long], there[:, :long]
        seen = self.encoder(words, attention_mask=there.long()).last_hidden_state
        mean_token = (seen * there[:, :, None]).sum(1) / there.sum(1, keepdim=True).clamp_min(1)
        mean, variance = self.moments(mean_token).float().chunk(2, dim=1)
        return mean, variance.clamp(_LEAST, _MOST)

    def loss(self, ids: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the negative evidence bound of texts, nats a token, with `config.kl` as its weight of the divergence.

        Parameters
        ----------
        ids : Tensor (n, 2 · longest)
            From `Tokens.encode`.
        generator : torch.Generator
            Of the latents, and of the tokens that the decoder does not see.

        Returns
        -------
        dict of str to Tensor
            ``"loss"``; ``"reconstruction"``, cross-entropy of a token; ``"kl"``, divergence of a text, free or not.
        """
        where = generator.device
        mean, variance = self.encode(ids)
        if self.training:
            self.scale.follow(mean.detach())
        noise = torch.randn(mean.shape, generator=generator, device=where).to(mean)
        pieces, there = self._written(ids)
        before = F.pad(pieces[:, :-1], (1, 0), value=self.tokens.end)
        forgotten = torch.rand(pieces.shape, generator=generator, device=where).to(mean) < self.config.forget
        logits = self.decoder(mean + (0.5 * variance).exp() * noise, before.masked_fill(forgotten, self.tokens.end))
        errors = F.cross_entropy(logits.float().transpose(1, 2), pieces, reduction="none")
        count = there.sum()
        reconstruction = (errors * there).sum() / count
        divergence = 0.5 * (mean.square() + variance.exp() - 1 - variance).mean(0)
        paid = divergence.clamp_min(self.config.free).sum() * len(ids) / count
        return {
            "loss": reconstruction + self.config.kl * paid,
            "reconstruction": reconstruction,
            "kl": divergence.sum(),
        }

    def decode(self, latents: Tensor) -> list[Written]:
        """Return the likeliest text, token by token, of latents (n, latent), with the probability of each piece.

        A text that does not end by itself ends at `config.longest` tokens.
        """
        numbers, chances = self.decoder.write(latents, self.config.longest)
        return [self._text(one, sure) for one, sure in zip(numbers.tolist(), chances.tolist(), strict=True)]

    def _text(self, numbers: list[int], chances: list[float]) -> Written:
        count = numbers.index(self.tokens.end) if self.tokens.end in numbers else len(numbers)
        parts = self.tokens.parts(numbers[:count], chances[:count])
        return Written("".join(piece for piece, _ in parts), parts)

    def _written(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is to be written (n, m), as far as the longest text goes, and which of it counts, bool (n, m)."""
        pieces = ids[:, self.config.longest :].long()
        ended = pieces == self.tokens.end
        # The first of the marks that end a text is written, those that fill it up are not.
        there = ended.long().cumsum(1) - ended.long() == 0
        long = int(there.sum(1).max())
        return pieces[:, :long], there[:, :long]
