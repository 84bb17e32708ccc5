"""What of one modality another one's denoiser reads: the adaptation f_B and the context encoder V_B (MedM2G §3.4).

The paper leaves open how f_B is sampled from z_B, of how many tokens it is, and whether it stays. Our reading: where
modality B is known, f_B = F_emb of its vector in the aligned space and of `adaptation` tokens of z_B = C_B(x_B), drawn
at random in training (φ_s) and evenly spaced in a run. Where B is still to be made, f_B = F_emb of a table of trainable
tokens, which begins as a draw from z_B of the first training batch, as in Textual Inversion; it ships. F_emb is one for
all modalities, and V_B gets [z_t, f_B] as tokens side by side. The first token of f_B, the vector of the aligned space,
enters a denoiser with its time step as well, as unCLIP lets CLIP's do (Ramesh et al. 2022, §2.1): among hundreds of
tokens cross-attention alone did not find it in a thousand steps (docs/medm2g.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.systems.medm2g.config import ContextConfig

# Tokens that the latent of a text becomes.
_TEXT_TOKENS = 4
_HEADS = 4
# What of `Heard` differs from case to case.
_OF_CASES = ("tokens", "mask", "vectors", "said")


@dataclass(frozen=True)
class Heard:
    """What a denoiser reads of one or more other modalities.

    Attributes
    ----------
    tokens, mask : Tensor
        (n, m, width), and which of them count, bool (n, m).
    vectors : Tensor of shape (n, s, width)
        Of each of s sources f_B of its vector in the aligned space; s is 0 without f_B.
    said : Tensor of shape (n, s)
        bool: which of them count.
    places : Tensor of shape (m,)
        Where tokens lie (see `diffuscope.systems.medm2g.near.SamePlace`).
    """

    tokens: Tensor
    mask: Tensor
    vectors: Tensor
    said: Tensor
    places: Tensor

    def only(self, there: Tensor) -> Heard:
        """Return what is heard by some of the cases, bool (n,), alone."""
        return replace(self, mask=self.mask & there[:, None], said=self.said & there[:, None])

    def repeated(self, times: int) -> Heard:
        """Return what each case hears, as often."""
        if times == 1:
            return self
        return replace(self, **{name: getattr(self, name).repeat_interleave(times, dim=0) for name in _OF_CASES})

    def vector(self) -> Tensor:
        """Return the mean vector of the sources that count, (n, width), 0 where there is none."""
        share = self.said.to(self.vectors.dtype)
        share = share / share.sum(1, keepdim=True).clamp_min(1)
        return (self.vectors * share[:, :, None]).sum(1)

    @staticmethod
    def joined(several: Sequence[Heard], dim: int) -> Heard:
        """Return several as one: side by side for `dim` 1, of more cases for `dim` 0."""
        found = {name: torch.cat([getattr(one, name) for one in several], dim=dim) for name in _OF_CASES}
        places = torch.cat([one.places for one in several]) if dim == 1 else several[0].places
        return replace(several[0], **found, places=places)


class Adaptation(nn.Module):
    """The trainable tokens of one modality: what stands for f_B before F_emb where B is not known.

    Parameters
    ----------
    tokens : int
        Without that of the aligned space.
    width : int
        Numbers of a token.
    """

    begun: Tensor

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(tokens + 1, width))
        self.register_buffer("begun", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def begin(self, found: Tensor, generator: torch.Generator) -> None:
        """Begin as a draw from the tokens (m, width) of a batch, once: later calls change nothing."""
        if int(self.begun):
            return
        chosen = torch.randint(len(found), (len(self.table),), generator=generator, device=generator.device)
        self.table.copy_(found[chosen.to(found.device)])
        self.begun.fill_(1)

    def forward(self, number: int) -> Tensor:
        """Return the tokens for a batch, (number, tokens + 1, width)."""
        return self.table.expand(number, -1, -1)


def sampled_tokens(
    whole: Tensor, tokens: Tensor, mask: Tensor, count: int, generator: torch.Generator | None
) -> Tensor:
    """Return φ_s(z_B): the vector of the aligned space and `count` of the tokens, (n, count + 1, width).

    Parameters
    ----------
    whole, tokens, mask : Tensor
        (n, width), (n, m, width), and which tokens there are, bool (n, m).
    count : int
        How many are taken.
    generator : torch.Generator or None
        What they are drawn by; None: they are evenly spaced.
    """
    if generator is not None:
        chances = torch.rand(mask.shape, generator=generator, device=generator.device).to(mask.device)
        order = chances.masked_fill(~mask, -1.0).argsort(dim=1, descending=True)
    else:
        order = (~mask).long().argsort(dim=1, stable=True)
    # A case that has nothing is sampled like the others, and heard by nobody.
    there = mask.sum(1, keepdim=True).clamp_min(1)
    place = torch.arange(count, device=mask.device)
    if generator is not None:
        chosen = order.gather(1, place[None, :] % there)
    else:
        chosen = order.gather(1, (place[None, :] * there) // count)
    taken = tokens.gather(1, chosen[:, :, None].expand(-1, -1, tokens.shape[-1]))
    return torch.cat([whole[:, None], taken], dim=1)


class Embed(nn.Module):
    """F_emb, the embedding layer that all modalities share (Eq. 5)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.layer = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (n, m, width) as V_B takes them."""
        embedded: Tensor = self.layer(self.norm(tokens))
        return embedded


class ImageContext(nn.Module):
    """V_B of an imaging modality: noisy or known latents and f_B to tokens of places, beside those of f_B.

    Parameters
    ----------
    latent, side : int
        Channels and side of the latents.
    kinds : int
        Kinds of images that it is told of.
    config : ContextConfig
        See there.
    """

    def __init__(self, latent: int, side: int, kinds: int, config: ContextConfig) -> None:
        super().__init__()
        width, self.stride = config.width, config.stride
        self.kind = nn.Embedding(kinds, width)
        self.into = nn.Conv2d(latent, width, 3, padding=1)
        self.more = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)
        )
        self.place = nn.Parameter(0.02 * torch.randn((side // config.stride) ** 2, width))
        self.mix = _Mix(width, config.kind)

    def forward(self, latents: Tensor, time: Tensor, kind: Tensor, adapted: Tensor | None) -> Tensor:
        """Return tokens (n, m, width) of latents (n, c, h, w) at t / T of (n,), 0 where they are known."""
        h = self.into(latents)
        h = F.avg_pool2d(h + self.more(h), self.stride) if self.stride > 1 else h + self.more(h)
        tokens = h.flatten(2).transpose(1, 2) + self.place + self.kind(kind)[:, None]
        mixed: Tensor = self.mix(tokens, time, adapted)
        return mixed


class TextContext(nn.Module):
    """V_T: the latent of a text and f_T to tokens.

    Parameters
    ----------
    latent : int
        Numbers of the latent.
    config : ContextConfig
        See there.
    """

    def __init__(self, latent: int, config: ContextConfig) -> None:
        super().__init__()
        self.width = config.width
        self.into = nn.Sequential(
            nn.Linear(latent, 2 * config.width), nn.SiLU(), nn.Linear(2 * config.width, _TEXT_TOKENS * config.width)
        )
        self.mix = _Mix(config.width, config.kind)

    def forward(self, latents: Tensor, time: Tensor, _kind: Tensor, adapted: Tensor | None) -> Tensor:
        """Return tokens (n, m, width) of latents (n, latent) at t / T of (n,)."""
        tokens = self.into(latents).unflatten(1, (_TEXT_TOKENS, self.width))
        mixed: Tensor = self.mix(tokens, time, adapted)
        return mixed


class _Mix(nn.Module):
    """Time and f_B brought in; the tokens see each other once; or, as in CoDi, become one of length 1."""

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.whole = kind == "global"
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.layer = nn.TransformerEncoderLayer(
            width, _HEADS, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, time: Tensor, adapted: Tensor | None) -> Tensor:
        embedded = get_timestep_embedding(1000.0 * time.float(), tokens.shape[-1])
        tokens = tokens + self.time(embedded)[:, None]
        both = tokens if adapted is None else torch.cat([tokens, adapted], dim=1)
        mixed: Tensor = self.norm(self.layer(both))
        return F.normalize(mixed.mean(1, keepdim=True), dim=2) if self.whole else mixed
