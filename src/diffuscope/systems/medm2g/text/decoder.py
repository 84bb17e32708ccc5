"""A GPT-2 that writes the text of a latent.

The latent enters in both ways of Optimus (Li et al. 2020): as one key and value that every layer can attend to
("memory"), and added to the embedding of every token. What is added begins at 0, so that the decoder learns how texts
are written at once; else it drowns the tokens, whose embeddings are small.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from diffuscope.systems.medm2g.text.networks import gpt2


class Decoder(nn.Module):
    """Latents in, tokens out.

    Parameters
    ----------
    pieces : int
        Of its vocabulary. The last ends a text, and stands before its first token.
    hidden, layers, heads : int
        Of the GPT-2.
    latent : int
        Numbers of a latent.
    """

    def __init__(self, pieces: int, *, hidden: int, layers: int, heads: int, latent: int) -> None:
        super().__init__()
        self.end = pieces - 1
        self._memory_shape = (layers, heads, 1, hidden // heads)
        self.network: Any = gpt2(pieces, hidden=hidden, layers=layers, heads=heads)
        self.memory = nn.Linear(latent, layers * hidden)
        self.added = nn.Linear(latent, hidden, bias=False)
        nn.init.zeros_(self.added.weight)

    def forward(self, latents: Tensor, shown: Tensor) -> Tensor:
        """Return what is foreseen at each place of texts.

        Parameters
        ----------
        latents : Tensor (n, latent)
        shown : Tensor of int (n, m)
            What stands before each place: the end, and the tokens but the last.

        Returns
        -------
        Tensor (n, m, pieces)
            Logits.
        """
        places = torch.arange(shown.shape[1], device=shown.device)[None]
        logits: Tensor = self._step(self._remembered(latents), self.added(latents)[:, None], shown, places)
        return logits

    def write(self, latents: Tensor, longest: int) -> tuple[Tensor, Tensor]:
        """Write the texts of latents, always the likeliest token.

        Parameters
        ----------
        latents : Tensor (n, latent)
        longest : int
            Tokens at most, the end among them.

        Returns
        -------
        numbers : Tensor of int (n, m)
            Tokens, then the end as often as others go on; m ≤ longest.
        chances : Tensor float32 (n, m)
            Probability of each.
        """
        past, added = self._remembered(latents), self.added(latents)[:, None]
        last = torch.full((len(latents), 1), self.end, device=latents.device)
        over = torch.zeros(len(latents), dtype=torch.bool, device=latents.device)
        numbers, chances = [], []
        for place in range(longest):
            logits = self._step(past, added, last, torch.full((1, 1), place, device=latents.device))
            chance, number = logits[:, -1].float().softmax(1).max(1)
            number = number.masked_fill(over, self.end)
            numbers.append(number)
            chances.append(chance)
            over = over | (number == self.end)
            if bool(over.all()):
                break
            last = number[:, None]
        return torch.stack(numbers, 1), torch.stack(chances, 1)

    def _step(self, past: DynamicCache, added: Tensor, shown: Tensor, places: Tensor) -> Tensor:
        embedded = self.network.transformer.wte(shown) + added
        # The past stands second; its name has changed from one version of transformers to another.
        logits: Tensor = self.network(None, past, inputs_embeds=embedded, position_ids=places).logits
        return logits

    def _remembered(self, latents: Tensor) -> DynamicCache:
        """Return what each layer finds before the text: one vector, which is key and value."""
        past = DynamicCache()
        for layer, vector in enumerate(self.memory(latents).unflatten(1, self._memory_shape).unbind(1)):
            past.update(vector, vector, layer)
        return past
