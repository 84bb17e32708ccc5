"""The diffusion of text latents: fully connected residual blocks, with cross-attention to contexts.

Versatile Diffusion (Xu et al. 2022, §3.2 and its code's `UNetModel0D`): a latent is expanded into a few tokens of many
channels, and goes down and up a U-Net without any downsampling, whose levels have more and more channels. MedM2G (§4)
takes it with two levels ("depth 2") and contexts that are shared with the images' U-Nets.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.systems.medm2g.text.config import TextConfig

#: Tokens that a latent is expanded into: as published.
TOKENS = 4
# Channels of a head.
_HEAD = 32
_GROUPS = 8


class TextDiffuser(nn.Module):
    """ε̂ of text latents.

    Parameters
    ----------
    config : TextConfig
        Its `latent`, `width` and `depth`.
    context_width : int
        Numbers of a token of the contexts, and of the vector.
    vector : bool
        Whether a vector enters with the time step.
    """

    def __init__(self, config: TextConfig, context_width: int, *, vector: bool = False) -> None:
        super().__init__()
        widths = [config.width * 2**level for level in range(config.depth)]
        time = 4 * config.width
        entered = context_width if vector else None
        self.time = nn.Sequential(
            Timesteps(config.width, True, 0), TimestepEmbedding(config.width, time, cond_proj_dim=entered)
        )
        if (takes := self.takes()) is not None:
            nn.init.zeros_(takes.weight)
        self.enter = nn.Linear(config.latent, TOKENS * config.width)
        self.down = nn.ModuleList(
            _Block(before, after, time, context_width)
            for before, after in zip([config.width, *widths[:-1]], widths, strict=True)
        )
        self.middle = _Block(widths[-1], widths[-1], time, context_width)
        self.up = nn.ModuleList(
            _Block(2 * before, after, time, context_width)
            for before, after in zip(widths[::-1], [*widths[-2::-1], config.width], strict=True)
        )
        self.norm = nn.GroupNorm(_GROUPS, config.width)
        self.leave = nn.Linear(TOKENS * config.width, config.latent)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, z_t: Tensor, t: Tensor, context: Tensor, mask: Tensor, vector: Tensor | None = None) -> Tensor:
        """Return ε̂ (Eq. 2).

        Parameters
        ----------
        z_t : Tensor (n, latent)
            Noisy latents.
        t : Tensor (n,)
            Steps, 0 to T − 1.
        context : Tensor (n, m, context_width)
            Tokens of prompts and of other modalities; m may be 0.
        mask : Tensor of bool (n, m)
            Which of them are there. Without any, the cross-attention adds nothing.
        vector : Tensor (n, context_width), optional
            Enters with the time step.

        Returns
        -------
        Tensor (n, latent)
        """
        time = self.time[1](self.time[0](t), vector)
        x = self.enter(z_t).unflatten(1, (-1, TOKENS))
        kept = []
        for block in self.down:
            x = block(x, time, context, mask)
            kept.append(x)
        x = self.middle(x, time, context, mask)
        for block in self.up:
            x = block(torch.cat([x, kept.pop()], 1), time, context, mask)
        return self.leave(F.silu(self.norm(x)).flatten(1))

    def cross(self) -> tuple[nn.Module, ...]:
        """Return its cross-attention and what takes the vector, which train as a part of their own."""
        takes = self.takes()
        cross = tuple(module for module in self.modules() if isinstance(module, Cross))
        return cross if takes is None else (*cross, takes)

    def takes(self) -> nn.Linear | None:
        """Return what brings a vector to the time step, where one enters."""
        embedding: Any = self.time[1]
        found: nn.Linear | None = embedding.cond_proj
        return found


class Cross(nn.Module):
    """Cross-attention of tokens to contexts, added to the tokens; it begins at adding nothing.

    Parameters
    ----------
    channels, context_width : int
        Numbers of a token, and of a token of the contexts.
    """

    def __init__(self, channels: int, context_width: int) -> None:
        super().__init__()
        self.heads = max(1, channels // _HEAD)
        self.norm = nn.LayerNorm(channels)
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_width, channels, bias=False)
        self.to_v = nn.Linear(context_width, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """Return the tokens (n, channels, tokens); contexts and mask as of `TextDiffuser.forward`."""
        if not context.shape[1]:
            return x
        query, key, value = (
            one.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for one in (self.to_q(self.norm(x.transpose(1, 2))), self.to_k(context), self.to_v(context))
        )
        some = mask.any(1)
        # Of an example without contexts, softmax has something to attend to, and what comes of it is not added.
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=(mask | ~some[:, None])[:, None, None])
        added = self.to_out(seen.transpose(1, 2).flatten(2)).transpose(1, 2)
        return x + torch.where(some[:, None, None], added, 0.0)


class _Block(nn.Module):
    """A fully connected residual block over all channels of all tokens, then cross-attention."""

    def __init__(self, before: int, after: int, time: int, context_width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(_GROUPS, before), nn.SiLU(), nn.Flatten())
        self.widen = nn.Linear(TOKENS * before, TOKENS * after)
        self.time = nn.Linear(time, TOKENS * after)
        self.second = nn.Sequential(
            nn.Unflatten(1, (after, TOKENS)), nn.GroupNorm(_GROUPS, after), nn.SiLU(), nn.Flatten()
        )
        self.last = nn.Linear(TOKENS * after, TOKENS * after)
        self.skip = nn.Linear(TOKENS * before, TOKENS * after) if before != after else nn.Identity()
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.cross = Cross(after, context_width)

    def forward(self, x: Tensor, time: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """Return (n, after, tokens) of (n, before, tokens)."""
        inner = self.widen(self.first(x)) + self.time(F.silu(time))
        out = self.skip(x.flatten(1)) + self.last(self.second(inner))
        return self.cross(out.unflatten(1, (-1, TOKENS)), context, mask)
