"""MMRL: tumour and nodes look at themselves and at each other; of whom they look at, training hides a share.

The paper, 2.2 and Fig. 2. Its authors' code gives each tissue one token, of which every relation matrix is 1: here a
tissue has several, spatial ones, so that the matrix says something.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Related:
    """What comes of the relations of a tissue.

    Attributes
    ----------
    node : Tensor (n, width)
        Its features; 0 where it is missing.
    alignment : Tensor ()
        Mean square between x^cu and x^cm over the cases that have both tissues (Eq. 5); 0 in inference.
    looked_at : Tensor (n, tokens of the other tissue)
        How much it looked at each token of the other tissue, mean over its own; adds to 1, or 0 where one is missing.
    """

    node: Tensor
    alignment: Tensor
    looked_at: Tensor


class Relations(nn.Module):
    """One tissue's half of MMRL.

    Parameters
    ----------
    width, heads : int
        Numbers of a token, shared out among the heads.
    tokens : int
        Of this tissue.
    hidden : float
        Share of the cross-tissue relations that training hides.
    """

    def __init__(self, width: int, heads: int, tokens: int, hidden: float) -> None:
        super().__init__()
        self.heads, self.hidden = heads, hidden
        self.places = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.inner = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.merge = nn.Linear(2 * width, width)

    def forward(
        self, own: Tensor, there: Tensor, other: Tensor, other_there: Tensor, generator: torch.Generator | None
    ) -> Related:
        """Return the tissue's features.

        Parameters
        ----------
        own, other : Tensor (n, tokens, width)
            Of both tissues.
        there, other_there : Tensor of bool (n, tokens)
            Which tokens are; all of a case may be missing.
        generator : torch.Generator, optional
            Of the relations that are hidden; without one, none are.
        """
        plain, own = own, own + self.places
        has, both = there.any(1), there.any(1) & other_there.any(1)
        # Of a tissue that is missing anything may come out: it is set to 0 below.
        ignored = ~there & has[:, None]
        within, _ = self.inner(own, own, own, key_padding_mask=ignored, need_weights=False)
        within = self.norm(own + within)
        relation = self._relation(own, other, other_there | ~both[:, None])
        value = self._split(self.value(other))
        unmasked = self._joined(relation.softmax(-1) @ value) * both[:, None, None]
        crossed, alignment = unmasked, own.new_zeros(())
        if generator is not None and self.hidden:
            drawn = torch.rand(relation.shape, generator=generator, device=relation.device) < self.hidden
            # A token that would see nothing sees all.
            drawn &= ~(drawn | relation.isneginf()).all(-1, keepdim=True)
            masked = relation.masked_fill(drawn, float("-inf")).softmax(-1)
            crossed = self._joined(masked @ value) * both[:, None, None]
            apart = ((crossed - unmasked) ** 2).mean(2) * there
            alignment = (apart * both[:, None]).sum() / (there * both[:, None]).sum().clamp(min=1)
        # What the relations add to the tokens: without the tokens themselves, few patients do not teach them back.
        merged = plain + self.merge(torch.cat([crossed, within], dim=2))
        weights = there / there.sum(1, keepdim=True).clamp(min=1)
        looked = (relation.softmax(-1).mean(1) * weights[:, :, None]).sum(1) * both[:, None]
        return Related((merged * weights[:, :, None]).sum(1), alignment, looked)

    def _relation(self, own: Tensor, other: Tensor, seen: Tensor) -> Tensor:
        """Return R_cross before its softmax, (n, heads, own tokens, other tokens), −∞ at what is missing."""
        query, key = self._split(self.query(own)), self._split(self.key(other))
        relation = query @ key.transpose(-1, -2) / key.shape[-1] ** 0.5
        return relation.masked_fill(~seen[:, None, None], float("-inf"))

    def _split(self, tokens: Tensor) -> Tensor:
        n, count, width = tokens.shape
        return tokens.view(n, count, self.heads, width // self.heads).transpose(1, 2)

    def _joined(self, heads: Tensor) -> Tensor:
        n, _, count, _ = heads.shape
        return heads.transpose(1, 2).reshape(n, count, -1)
