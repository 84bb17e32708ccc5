"""StainDiffuser's network: one H&E encoder, and per task attention blocks and a diffusion U-Net."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffuscope.diffusion.epsilon import read_velocity
from diffuscope.networks.blocks import ChannelNorm
from diffuscope.networks.encoder import ResidualEncoder
from diffuscope.networks.unet import Encoder, ModulatedUNet

Attention = list[tuple[Tensor, Tensor]]


class AttentionBlock(nn.Module):
    """f_task,i: the H&E feature F_i to the attention matrix A_i of one task and level (paper §3.2).

    The paper gives A_i = f_task,i(F_i), of F_i's size, modulating the diffusion encoder's feature, and no formula.
    Decision: A_i holds a gain and an offset for every pixel and channel, and the normalised diffusion feature
    becomes gain · feature + offset. A product alone (MedSegDiff's LN(x)·LN(c)) carries no H&E detail
    where the diffusion feature is noise, which is where a sampler begins; the offset does.
    The gain is 1 and the offset 0 before training.

    Parameters
    ----------
    width : int
        Channels of the level in the diffusion U-Net.
    inputs : int
        Channels of F_i.
    normalised : bool
        Whether F_i comes normalised and through a SiLU; otherwise each pixel is normalised over its channels here.
    """

    def __init__(self, width: int, inputs: int, *, normalised: bool = False) -> None:
        super().__init__()
        self.norm = None if normalised else ChannelNorm()
        self.project = nn.Conv2d(inputs, 2 * width, 1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)  # type: ignore[arg-type]

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Map F_i (n, inputs, h, w) to gain and offset, each (n, width, h, w)."""
        given = feature if self.norm is None else self.norm(feature, activate=True)
        gain, offset = self.project(given).chunk(2, dim=1)
        # Contiguous in channels_last, so that each later step reads them in one pass.
        return (1.0 + gain).contiguous(memory_format=torch.channels_last), offset.contiguous(
            memory_format=torch.channels_last
        )


class Branch(nn.Module):
    """One task: its attention blocks and its diffusion U-Net.

    Parameters
    ----------
    channels : int
        Channels of what the branch denoises (3 for IHC, 1 for a mask).
    widths : sequence of int
        Channels of each level, finest first.
    features : sequence of int, optional
        Channels of the encoder's features; default `widths`.
    normalised : bool
        As in `AttentionBlock`.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], features: Sequence[int] | None = None, *, normalised: bool = False
    ) -> None:
        super().__init__()
        self.channels = channels
        self.attention = nn.ModuleList(
            AttentionBlock(width, given, normalised=normalised)
            for width, given in zip(widths, features or widths, strict=True)
        )
        self.unet = ModulatedUNet(channels, widths)

    def attend(self, features: Sequence[Tensor]) -> Attention:
        """A_1…A_n from F_1…F_n: independent of t and x_t, so once a tile."""
        return [block(feature) for block, feature in zip(self.attention, features, strict=True)]

    def forward(self, x: Tensor, time: Tensor, alpha_bar: Tensor, attention: Attention) -> Tensor:
        """Predict ε.

        The U-Net's raw output is read as a velocity (`diffuscope.diffusion.epsilon.read_velocity`).

        Parameters
        ----------
        x : Tensor of shape (n, channels, h, w)
            x_t, float32.
        time, alpha_bar : Tensor of shape (n,) or (1,)
            t / T, and ᾱ_t.
        attention : list of (gain, offset)
            From `attend`.

        Returns
        -------
        Tensor
            ε̂, float32, the shape of x.
        """
        return read_velocity(self.unet(x, time, attention), x, alpha_bar)


class StainDiffuserNetwork(nn.Module):
    """Shared H&E encoder, generation branch and segmentation branch.

    Parameters
    ----------
    widths : sequence of int
        Channels of each level of the generation branch, finest first.
    segmentation : sequence of int
        Of the segmentation branch; empty for none.
    features : sequence of int, optional
        Of a residual encoder with batch norms; default an encoder of `widths` with norms over channels.
    """

    def __init__(
        self, widths: Sequence[int], segmentation: Sequence[int] = (), *, features: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        normalised = features is not None
        self.encoder = Encoder(3, widths) if features is None else ResidualEncoder(3, features)
        self.generation = Branch(3, widths, features, normalised=normalised)
        self.segmentation = Branch(1, segmentation, features, normalised=normalised) if segmentation else None


class MultiStainNetwork(nn.Module):
    """Shared H&E encoder and a branch a stain.

    Parameters
    ----------
    widths : sequence of int
        Channels of each level, finest first.
    stains : sequence of str
        Keys of the stains, in order.
    """

    def __init__(self, widths: Sequence[int], stains: Sequence[str]) -> None:
        super().__init__()
        self.encoder = Encoder(3, widths)
        self.branches = nn.ModuleDict({stain: Branch(3, widths) for stain in stains})

    def branch(self, stain: str) -> Branch:
        """Return the branch of one stain."""
        branch = self.branches[stain]
        assert isinstance(branch, Branch)
        return branch
