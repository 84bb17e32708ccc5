"""The text's autoencoder and denoiser, as a flow takes them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffuscope.ports.text import Written
from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.side import Side
from diffuscope.systems.medm2g.text.diffuser import TextDiffuser
from diffuscope.systems.medm2g.text.vae import TextVAE


class TextSide(Side):
    """The text's autoencoder and denoiser, behind the calls of an imaging modality."""

    autoencoder: TextVAE
    denoiser: TextDiffuser

    def __init__(self, config: MedM2GConfig) -> None:
        super().__init__()
        assert config.text is not None
        self.autoencoder = TextVAE(config.text)
        self.denoiser = TextDiffuser(config.text, config.context.width, vector=config.context.adaptation > 0)

    def encode(self, ids: Tensor) -> Tensor:
        """Return the means of the latents (n, latent) of token ids (n, longest), scaled."""
        latents: Tensor = self.autoencoder.scale(self.autoencoder.encode(ids)[0])
        return latents

    def denoise(
        self,
        noisy: Tensor,
        t: Tensor,
        _kind: Tensor,
        context: Tensor,
        mask: Tensor,
        vector: Tensor | None = None,
        _places: Tensor | None = None,
    ) -> Tensor:
        """Return the raw output for noisy latents at t (n,) under context (n, m, width), wherever its tokens lie."""
        raw: Tensor = self.denoiser(noisy, t, context, mask, vector)
        return raw.float()

    def loss(self, ids: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the loss of the autoencoder."""
        found: dict[str, Tensor] = self.autoencoder.loss(ids, generator)
        return found

    def cross(self) -> list[nn.Module]:
        """Return the cross-attention of the denoiser, and what takes the vector."""
        return list(self.denoiser.cross())

    def write(self, latents: Tensor) -> list[Written]:
        """Return the texts of scaled latents (n, latent)."""
        return self.autoencoder.decode(self.autoencoder.scale.undo(latents))
