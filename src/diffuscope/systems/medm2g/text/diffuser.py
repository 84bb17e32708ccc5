"""The text's denoiser: blocks of fully connected layers with cross-attention (Versatile Diffusion, Xu et al. 2022)."""

from __future__ import annotations

from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor, nn

from diffuscope.systems.medm2g.text.config import TextConfig


class TextDiffuser(nn.Module):
    """Noisy latents of texts to ε, or what ε is made of.

    Parameters
    ----------
    config : TextConfig
        See there.
    context : int
        Numbers of a token that guides.
    """

    def __init__(self, config: TextConfig, context: int) -> None:
        super().__init__()
        width = config.width
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.into = nn.Linear(config.latent, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(2 * config.depth))
        self.attention = nn.ModuleList(_Cross(width, context, config.heads) for _ in range(2 * config.depth))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, config.latent)

    def forward(self, noisy: Tensor, t: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """Return the raw output (n, latent) for latents at t (n,) under tokens (n, m, context), bool mask (n, m)."""
        time = self.time(get_timestep_embedding(t, self.width))
        h = self.into(noisy)
        for block, attend in zip(self.blocks, self.attention, strict=True):
            h = attend(block(h, time), context, mask)
        raw: Tensor = self.out(self.norm(h))
        return raw

    def cross(self) -> list[nn.Module]:
        """Return its cross-attention sub-layers."""
        return list(self.attention)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, 2 * width))
        self.time = nn.Linear(width, 2 * width)
        self.second = nn.Sequential(nn.SiLU(), nn.Linear(2 * width, width))

    def forward(self, h: Tensor, time: Tensor) -> Tensor:
        changed: Tensor = self.second(self.first(h) + self.time(time))
        return h + changed


class _Cross(nn.Module):
    def __init__(self, width: int, context: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, heads, kdim=context, vdim=context, batch_first=True)

    def forward(self, h: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        query = self.norm(h)[:, None]
        found: Tensor = self.attend(query, context, context, key_padding_mask=~mask, need_weights=False)[0]
        return h + found[:, 0]
