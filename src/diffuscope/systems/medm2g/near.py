"""Heads of cross-attention that look at one place alone: what lies there in another image on the same lattice.

MedM2G's denoisers find where to look in another image by attention alone (§3.4), as Stable Diffusion's do in a text.
Images of one patient on one lattice agree place by place; which token lies at a query's own place is then not to be
found but known, and a head need not spend its training on it (docs/medm2g.md has what that is worth).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

#: Of a token that has no place, e.g. of a text: every head reads it.
ANYWHERE = -1
#: Of a token that says of a whole image what its places say as well (f_B): heads that look at one place pass it over.
WHOLE = -2


class SamePlace:
    """Cross-attention of diffusers, of which some heads read tokens of images at their query's own place alone.

    Parameters
    ----------
    near : int
        How many heads, the first ones.
    """

    def __init__(self, near: int) -> None:
        self.near = near

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor,
        places: Tensor,
    ) -> Tensor:
        """Return what queries (n, l, c) read of tokens (n, m, width).

        Parameters
        ----------
        attn : diffusers.models.attention_processor.Attention
            The layer.
        hidden_states, encoder_hidden_states : Tensor
            Queries, row by row of a square, and tokens, before their layers.
        attention_mask : Tensor of shape (n, 1, m)
            0, or a large negative number where a token does not count.
        places : Tensor of shape (m,)
            Of each token the number of its place, row by row of its image, `ANYWHERE` or `WHOLE`; on the CPU, as what
            it says decides sizes, for which a GPU would be waited for.
        """
        query, key, value = (
            one.unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for one in (
                attn.to_q(hidden_states),
                attn.to_k(encoder_hidden_states),
                attn.to_v(encoder_hidden_states),
            )
        )
        near, mask = self.near, attention_mask[:, None].to(query.dtype)
        own = same_place(query[:, :near], key[:, :near], value[:, :near], mask, places)
        far = F.scaled_dot_product_attention(query[:, near:], key[:, near:], value[:, near:], attn_mask=mask)
        found: Tensor = attn.to_out[0](torch.cat([own, far], dim=1).transpose(1, 2).flatten(2))
        return found


class _Itself:
    """Self-attention of diffusers, which places of others do not concern."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, attn: Any, hidden_states: Tensor, places: Tensor, **others: Any) -> Tensor:  # noqa: ARG002
        found: Tensor = self.processor(attn, hidden_states, **others)
        return found


def look_near(denoiser: Any, near: int) -> None:
    """Let some heads of each cross-attention of a `UNet2DConditionModel` look at one place alone; weights stay.

    From then on it is to be called with ``cross_attention_kwargs={"places": …}``.
    """
    denoiser.set_attn_processor(
        {name: SamePlace(near) if ".attn2." in name else _Itself(one) for name, one in denoiser.attn_processors.items()}
    )


def same_place(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, places: Tensor) -> Tensor:
    """Return attention among tokens that have no place, and those of each image at the query's own.

    Where a query's square is coarser than an image's, its token is the mean of those that lie in it.

    Parameters
    ----------
    query : Tensor of shape (n, heads, l, d)
        Row by row of a square.
    key, value : Tensor of shape (n, heads, m, d)
        Of all tokens; those of an image stand row by row of a square, all images of one size.
    mask : Tensor of shape (n, 1, 1, m)
        What is added to logits.
    places : Tensor of shape (m,)
        See `SamePlace`.

    Returns
    -------
    Tensor of shape (n, heads, l, d)
    """
    free = places == ANYWHERE
    scale, length = query.shape[-1] ** -0.5, query.shape[2]
    logits = [scale * query @ key[:, :, free].transpose(2, 3) + mask[..., free]]
    here = places >= 0
    images = int((places == 0).sum())
    if not images:
        return torch.cat(logits, dim=3).softmax(dim=3) @ value[:, :, free]
    keys, values = (_at(one[:, :, here].unflatten(2, (images, -1)), length) for one in (key, value))
    # All places of an image count, or none.
    counts = mask[..., here].unflatten(3, (images, -1))[..., 0]
    logits.append(scale * (query[:, :, None] * keys).sum(-1).transpose(2, 3) + counts)
    weights = torch.cat(logits, dim=3).softmax(dim=3)
    among, own = weights.split([int(free.sum()), images], dim=3)
    found: Tensor = among @ value[:, :, free] + (own.transpose(2, 3)[..., None] * values).sum(2)
    return found


def _at(tokens: Tensor, length: int) -> Tensor:
    """Return tokens (n, heads, s, m, d) of a square of m places as those of a square of another number of places."""
    side, own = round(length**0.5), round(tokens.shape[3] ** 0.5)
    if side == own:
        return tokens
    pictures = tokens.flatten(0, 2).transpose(1, 2).unflatten(2, (own, own))
    fitted = F.adaptive_avg_pool2d(pictures, side) if side < own else F.interpolate(pictures, size=side, mode="nearest")
    return fitted.flatten(2).transpose(1, 2).unflatten(0, tokens.shape[:3])
