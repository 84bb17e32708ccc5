"""An imaging modality: its autoencoder and its denoiser, diffusers' networks as Stable Diffusion is made of them."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from torch import Tensor, nn

from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.near import ANYWHERE, look_near
from diffuscope.systems.medm2g.scale import Scale
from diffuscope.systems.medm2g.side import Side

# Share of the error's square beside its absolute value: small findings weigh more by it.
_SQUARED = 1.0


class Images(Side):
    """Pictures (n, 1, s, s) in [−1, 1] to latents of mean 0 and standard deviation 1, and back; and ε of latents.

    Parameters
    ----------
    config : MedM2GConfig
        Sizes.
    kinds : int
        Kinds of images that share it, e.g. contrasts of MRI, told apart by a learned embedding.
    """

    def __init__(self, config: MedM2GConfig, kinds: int) -> None:
        super().__init__()
        sizes = config.autoencoder
        self.channels = sizes.channels
        self.autoencoder: Any = AutoencoderKL(
            in_channels=sizes.channels,
            out_channels=sizes.channels,
            down_block_types=("DownEncoderBlock2D",) * len(sizes.widths),
            up_block_types=("UpDecoderBlock2D",) * len(sizes.widths),
            block_out_channels=sizes.widths,
            layers_per_block=sizes.layers,
            latent_channels=sizes.latent,
            norm_num_groups=sizes.groups,
            sample_size=config.size,
            mid_block_add_attention=sizes.attention,
        )
        self.denoiser: Any = UNet2DConditionModel(**unet_config(config), num_class_embeds=kinds if kinds > 1 else None)
        if (takes := self.takes()) is not None:
            nn.init.zeros_(takes.weight)
        self.near = config.unet.near
        if self.near:
            look_near(self.denoiser, self.near)
        self.kinds = kinds
        self.kl = sizes.kl
        self.scale = Scale(sizes.latent)

    def encode(self, image: Tensor) -> Tensor:
        """Return the means of the latents (n, latent, s / f, s / f) of pictures, scaled."""
        found: Tensor = self.autoencoder.encode(self._shown(image)).latent_dist.mean
        scaled: Tensor = self.scale(found.float())
        return scaled

    def decode(self, latents: Tensor) -> Tensor:
        """Return the pictures (n, 1, s, s) of scaled latents; may leave [−1, 1] a little."""
        image: Tensor = self.autoencoder.decode(self.scale.undo(latents)).sample
        return image.float().mean(1, keepdim=True)

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
        """Return the raw output for noisy latents at t (n,), 0-based, under context (n, m, width)."""
        if places is None:
            places = torch.full(context.shape[1:2], ANYWHERE)
        raw: Tensor = self.denoiser(
            noisy,
            t,
            context,
            class_labels=kind if self.kinds > 1 else None,
            timestep_cond=vector,
            encoder_attention_mask=mask,
            cross_attention_kwargs={"places": places} if self.near else None,
        ).sample
        return raw.float()

    def loss(self, image: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the autoencoder's loss of pictures: absolute and squared error, and the KL divergence."""
        found = self.autoencoder.encode(self._shown(image)).latent_dist
        noise = torch.randn(found.mean.shape, generator=generator, device=generator.device).to(found.mean)
        if self.training:
            self.scale.follow(found.mean.detach())
        again = self.autoencoder.decode(found.mean + found.std * noise).sample.float()
        error = again.mean(1, keepdim=True) - image
        absolute, squared = error.abs().mean(), error.square().mean()
        divergence = found.kl().mean() / found.mean[0].numel()
        return {
            "loss": absolute + _SQUARED * squared + self.kl * divergence,
            "absolute": absolute,
            "squared": squared,
            "divergence": divergence,
        }

    def takes(self) -> nn.Linear | None:
        """Return what brings a vector to the time step, where f_B has one."""
        found: nn.Linear | None = self.denoiser.time_embedding.cond_proj
        return found

    def cross(self) -> list[nn.Module]:
        """Return the cross-attention sub-layers of the denoiser, each with its norm, and what takes the vector."""
        takes = self.takes()
        blocks = [one for one in self.denoiser.modules() if isinstance(one, BasicTransformerBlock)]
        return [part for block in blocks for part in (block.attn2, block.norm2)] + ([] if takes is None else [takes])

    def _shown(self, image: Tensor) -> Tensor:
        return image.expand(-1, self.channels, -1, -1)


def unet_config(config: MedM2GConfig) -> dict[str, Any]:
    """Return what `UNet2DConditionModel` is built with."""
    sizes = config.unet
    levels, attentive = len(sizes.widths), len(sizes.widths) - sizes.plain
    return {
        "sample_size": config.size // config.autoencoder.factor,
        "in_channels": config.autoencoder.latent,
        "out_channels": config.autoencoder.latent,
        "down_block_types": ("CrossAttnDownBlock2D",) * attentive + ("DownBlock2D",) * (levels - attentive),
        "up_block_types": ("UpBlock2D",) * (levels - attentive) + ("CrossAttnUpBlock2D",) * attentive,
        "block_out_channels": sizes.widths,
        "layers_per_block": sizes.layers,
        "norm_num_groups": sizes.groups,
        "cross_attention_dim": config.context.width,
        "time_cond_proj_dim": config.context.width if config.context.adaptation else None,
        # diffusers takes the number of heads under this name.
        "attention_head_dim": sizes.heads,
    }
