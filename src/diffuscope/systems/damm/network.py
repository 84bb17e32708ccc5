"""UMM-Network: two diffusion U-Nets in one, the second of which is fused with the first (paper §3.3, figure 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from diffuscope.networks.blocks import ChannelNorm, GroupNorm, ResidualBlock, TimeEmbedding, Upsample, downsample
from diffuscope.systems.damm.loss import divergence
from diffuscope.systems.damm.mmfm import MMFM
from diffuscope.systems.damm.uafm import UAFM

Norm = Literal["channel", "group"]
#: What `Encoded` has, as plain tensors.
Plain = tuple[list[Tensor], list[Tensor], Tensor, Tensor]
# As many as the narrowest level of the smallest network has channels.
_GROUPS = 8


def make_norm(kind: Norm, width: int) -> nn.Module:
    """Return the norm of a feature (n, width, h, w): of each px over its channels, or of a tile in groups of them."""
    return ChannelNorm() if kind == "channel" else GroupNorm(_GROUPS, width)


class Stream(nn.Module):
    """A diffusion U-Net whose encoder is evaluated level by level, so that another one can be woven in.

    Parameters
    ----------
    inputs, outputs : int
        Channels of what goes in and comes out.
    widths : sequence of int
        Channels of each level, finest first.
    time_width : int
        Channels of the time embedding, which both streams share.
    norm : {"channel", "group"}
        See `make_norm`.
    """

    def __init__(self, inputs: int, outputs: int, widths: Sequence[int], time_width: int, norm: Norm) -> None:
        super().__init__()
        self.stem = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(width, width, time_width, make_norm(norm, width)) for width in widths)
        self.down = nn.ModuleList(downsample(a, b) for a, b in pairwise(widths))
        self.decoder = Decoder(outputs, widths, time_width, norm)

    def encode(self, feature: Tensor, level: int, embedding: Tensor) -> Tensor:
        """Go from the stem's feature, or that of the level before, to the feature of a level."""
        return self.blocks[level](self.down[level - 1](feature) if level else feature, embedding)


class Decoder(nn.Module):
    """Middle block and decoder of a U-Net, with skips.

    Parameters
    ----------
    outputs, widths, time_width, norm
        As of `Stream`.
    """

    def __init__(self, outputs: int, widths: Sequence[int], time_width: int, norm: Norm) -> None:
        super().__init__()
        self.middle = ResidualBlock(widths[-1], widths[-1], time_width, make_norm(norm, widths[-1]))
        self.up = nn.ModuleList(Upsample(b, a) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(
            ResidualBlock(2 * width, width, time_width, make_norm(norm, 2 * width)) for width in widths
        )
        self.norm = make_norm(norm, widths[0])
        self.head = nn.Conv2d(widths[0], outputs, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, bottleneck: Tensor, skips: Sequence[Tensor], embedding: Tensor) -> Tensor:
        """Return (n, outputs, h, w) of the encoder's features, finest first, and what enters the middle block."""
        h = self.blocks[-1](torch.cat([self.middle(bottleneck, embedding), skips[-1]], dim=1), embedding)
        for level in reversed(range(len(skips) - 1)):
            h = self.blocks[level](h, embedding, beside=(self.up[level], skips[level]))
        return self.head(self.norm(h, activate=True))


@dataclass(frozen=True)
class Encoded:
    """What both encoders make of x_t: all that the decision needs, and either decoder.

    Attributes
    ----------
    main, fused : list of Tensor
        Features of the uni-modal and of the multi-modal stream, finest first.
    uncertainty : Tensor of shape (n, 1, h, w)
        U at the bottleneck.
    embedding : Tensor of shape (n, time) or (1, time)
        Of t.
    """

    main: list[Tensor]
    fused: list[Tensor]
    uncertainty: Tensor
    embedding: Tensor

    @property
    def divergence(self) -> Tensor:
        """Divergence d of each example (n,)."""
        return divergence(self.uncertainty)

    def only(self, index: Tensor) -> Encoded:
        """Return that of some of the examples."""
        embedding = self.embedding if len(self.embedding) == 1 else self.embedding[index]
        layout = torch.channels_last
        main, fused = (
            [one[index].contiguous(memory_format=layout) for one in both] for both in (self.main, self.fused)
        )
        return Encoded(main, fused, self.uncertainty[index], embedding)


class UMMNetwork(nn.Module):
    """Uni-modal stream on [x_t, y_v], multi-modal stream on [x_t, y_n], one time embedding.

    After the input convolution and after every encoder block the multi-modal stream's feature is replaced by its fusion
    with the uni-modal one's, and at the bottleneck cross-attention takes it up once more, with queries from the
    uni-modal stream. The uni-modal stream never sees y_n.

    Parameters
    ----------
    outputs, main, auxiliary : int
        Channels of x_t, y_v and y_n.
    widths : sequence of int
        Channels of each level, finest first.
    norm : {"channel", "group"}
        In the blocks of both U-Nets (see `make_norm`); with ``"group"`` U has a batch norm of its own (see `UAFM`).
    fuse, attend : callable
        From a width to what fuses there, and to what attends at the bottleneck.
    """

    def __init__(
        self,
        outputs: int,
        main: int,
        auxiliary: int,
        widths: Sequence[int],
        *,
        norm: Norm = "channel",
        fuse: Callable[[int], nn.Module] = MMFM,
        attend: Callable[[int], UAFM] | None = None,
    ) -> None:
        super().__init__()
        time_width = 4 * widths[0]
        self.embed = TimeEmbedding(time_width)
        self.unimodal = Stream(outputs + main, outputs, widths, time_width, norm)
        self.multimodal = Stream(outputs + auxiliary, outputs, widths, time_width, norm)
        self.fusion = nn.ModuleList(fuse(width) for width in (widths[0], *widths))
        attend = attend or partial(UAFM, batch_norm=norm == "group")
        self.attention = attend(widths[-1])

    def tells_divergence(self) -> nn.ModuleList:
        """Return what d hangs on and the branches do not."""
        return nn.ModuleList(self.attention.tells_uncertainty())

    def branches(self) -> tuple[nn.Module, ...]:
        """Return all else: both U-Nets and their fusion."""
        own = self.attention.tells_uncertainty()
        attention = (one for one in self.attention.children() if one not in own)
        return self.embed, self.unimodal, self.multimodal, self.fusion, *attention

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """Return the modules that are called at every evaluation (see `System.compiled_parts`)."""
        return self, self.unimodal.decoder, self.multimodal.decoder, self.attention

    def conditions(self, main: Tensor, auxiliary: Tensor) -> tuple[Tensor, ...]:
        """Return what `encode` takes of y_v and y_n (n, c, h, w): the same for every x_t, so once a tile."""
        return main, auxiliary

    def encode(self, x: Tensor, time: Tensor, *conditions: Tensor) -> Encoded:
        """Evaluate both encoders.

        Parameters
        ----------
        x : Tensor of shape (n, c, h, w)
            x_t.
        time : Tensor of shape (n,) or (1,)
            t / T.
        *conditions : Tensor
            From `conditions`.
        """
        return Encoded(*self(x, time, *conditions))

    def forward(self, x: Tensor, time: Tensor, main: Tensor, auxiliary: Tensor) -> Plain:
        """Return what `encode` returns as plain tensors: a module's call is what can be compiled."""
        features, fused, embedding = self.streams(x, time, main, auxiliary)
        return features, fused, self.attention.uncertain(fused[-1]), embedding

    def streams(
        self, x: Tensor, time: Tensor, main: Tensor, auxiliary: Tensor
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Return both encoders' features, woven level by level, and the embedding of t."""
        embedding = self.embed(time)
        v = self.unimodal.stem(torch.cat([x, main], dim=1))
        n = self.fusion[0](v, self.multimodal.stem(torch.cat([x, auxiliary], dim=1)))
        features, fused = [], []
        for level in range(len(self.unimodal.blocks)):
            v = self.unimodal.encode(v, level, embedding)
            n = self.fusion[level + 1](v, self.multimodal.encode(n, level, embedding))
            features.append(v)
            fused.append(n)
        return features, fused, embedding

    def decode_unimodal(self, encoded: Encoded) -> Tensor:
        """Return the raw output (n, outputs, h, w) of the uni-modal branch."""
        return self.unimodal.decoder(encoded.main[-1], encoded.main, encoded.embedding)

    def decode_multimodal(self, encoded: Encoded, *, plain: bool = False) -> Tensor:
        """Return the raw output (n, outputs, h, w) of the multi-modal branch; `plain`: as if U were 0 everywhere."""
        u = torch.zeros_like(encoded.uncertainty) if plain else encoded.uncertainty
        bottleneck = self.attention(encoded.main[-1], encoded.fused[-1], u)
        return self.multimodal.decoder(bottleneck, encoded.fused, encoded.embedding)

    def decode(self, encoded: Encoded, multimodal: Tensor) -> Tensor:
        """Return each example's raw output from the branch that was chosen for it; the other one is not evaluated.

        Examples are decoded a quarter of the batch at a time, the last group of a branch filled up: kernels differ in
        the last bits between batch shapes, and a tile must not depend on what its batch mates chose.

        Parameters
        ----------
        encoded : Encoded
            Of the batch.
        multimodal : Tensor of bool of shape (n,)
            True: the multi-modal branch (paper Eq. 15).
        """
        size = max(len(multimodal) // 4, 1)
        found: dict[int, Tensor] = {}
        for decode, chosen in ((self.decode_unimodal, ~multimodal), (self.decode_multimodal, multimodal)):
            members = chosen.nonzero()[:, 0]
            for group in (members[start : start + size] for start in range(0, len(members), size)):
                filled = torch.cat([group, group[-1:].expand(size - len(group))])
                decoded = decode(encoded.only(filled))
                found |= dict(zip(group.tolist(), decoded, strict=False))
        return torch.stack([found[index] for index in range(len(multimodal))])
