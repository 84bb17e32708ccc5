"""What every modality has in common: an autoencoder and a denoiser of its latents."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Side(nn.Module, ABC):
    """What turns a modality into latents of mean 0 and deviation 1, and denoises them.

    Attributes
    ----------
    autoencoder, denoiser : Module
        Its two networks.
    """

    autoencoder: nn.Module
    denoiser: nn.Module

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Return latents (n, …) of pictures (n, 1, s, s) in [−1, 1], or of token ids (n, 2 · longest)."""

    @abstractmethod
    def denoise(
        self,
        noisy: Tensor,
        t: Tensor,
        kind: Tensor,
        context: Tensor,
        mask: Tensor,
        vector: Tensor | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """Return the denoiser's raw output for noisy latents.

        Parameters
        ----------
        noisy : Tensor of shape (n, …)
            z_t.
        t, kind : Tensor of shape (n,)
            0-based step, and number of the kind of image.
        context, mask : Tensor
            Tokens (n, m, width), and which of them count, bool (n, m).
        vector : Tensor of shape (n, width), optional
            What enters with the time step; None: nothing does.
        places : Tensor of shape (m,), optional
            Where tokens lie (see `diffuscope.systems.medm2g.near.SamePlace`); None: nowhere.
        """

    @abstractmethod
    def loss(self, x: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of the autoencoder, ``{"loss": total, ...its terms}``, of what `encode` takes."""

    @abstractmethod
    def cross(self) -> list[nn.Module]:
        """Return the cross-attention sub-layers of the denoiser, and what takes the vector (θ_c of Eq. 6)."""
