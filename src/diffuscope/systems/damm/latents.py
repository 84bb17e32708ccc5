"""Where diffusion takes place: in images in [−1, 1], or in the latents of one autoencoder a modality (paper §3.2)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.networks.autoencoder import Autoencoder
from diffuscope.systems.damm.config import ENCODER_WIDTHS, LATENT_CHANNELS, DAMMConfig, Modality


class Latents(nn.ModuleDict):
    """An autoencoder a modality, by key; in pixel space there is none, and an image is its own latent.

    Parameters
    ----------
    config : DAMMConfig
        Its modalities, space and size are read here.
    """

    def __init__(self, config: DAMMConfig) -> None:
        modalities = (config.main, *config.auxiliaries, config.output)
        widths, channels = ENCODER_WIDTHS[config.size], LATENT_CHANNELS[config.size]
        latent = modalities if config.space == "latent" else ()
        super().__init__({one.key: Autoencoder(1, channels, widths) for one in latent})
        self.modalities = modalities

    def encode(self, modality: Modality, image: Tensor) -> Tensor:
        """Return the latents (n, c, h / f, w / f) of an image (n, 1, h, w) in physical values."""
        scaled = normalised(image, modality)
        return self._of(modality).encode(scaled) if len(self) else scaled

    def decode(self, modality: Modality, latents: Tensor) -> Tensor:
        """Return the image (n, 1, h, w) of latents in physical values, float32."""
        image = self._of(modality).decode(latents) if len(self) else latents
        low, high = modality.range
        return low + (image.float().clamp(-1.0, 1.0) + 1.0) * (0.5 * (high - low))

    def reconstruction(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean absolute error of each modality, images in [−1, 1], and their sum as ``loss``."""
        terms = {}
        for one in self.modalities:
            image, autoencoder = normalised(batch[one.key], one), self._of(one)
            terms[one.key] = F.l1_loss(autoencoder.decode(autoencoder.encode(image)).float(), image)
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def _of(self, modality: Modality) -> Autoencoder:
        autoencoder = self[modality.key]
        assert isinstance(autoencoder, Autoencoder)
        return autoencoder


def normalised(image: Tensor, modality: Modality) -> Tensor:
    """Return physical values as the networks take them, in [−1, 1], clipped to the modality's range."""
    low, high = modality.range
    return ((image - low) * (2.0 / (high - low)) - 1.0).clamp(-1.0, 1.0)
