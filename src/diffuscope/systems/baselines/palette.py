"""Conditional DDPM by concatenation: what StainDiffuser's encoder and attention are measured against."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from diffuscope.diffusion.epsilon import denoise, epsilon_errors, read_velocity
from diffuscope.diffusion.samplers import check_steps
from diffuscope.diffusion.schedule import linear_schedule
from diffuscope.networks.unet import ModulatedUNet
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.baselines.config import PaletteConfig
from diffuscope.systems.baselines.declare import declare_palette
from diffuscope.systems.baselines.staining import colours, outcome, signed
from diffuscope.systems.staindiffuser.config import WIDTHS


class Palette(Tiled):
    """Denoises the IHC with the H&E in three further channels (Saharia et al. 2022, "Palette").

    StainDiffuser with λ = 0 is a conditional DDPM without the auxiliary task, too, with an encoder and attention
    blocks for the H&E. This one has neither; schedule, reading of the output, weighting and sampler are the same.

    Parameters
    ----------
    config : PaletteConfig
        See there.
    """

    def __init__(self, config: PaletteConfig) -> None:
        super().__init__(declare_palette(config))
        self.channels = 1 if config.grey else 3
        self.network = ModulatedUNet(self.channels, WIDTHS[config.size], inputs=self.channels + 3)
        self.schedule = linear_schedule(config.T)
        alpha_bar = torch.as_tensor(self.schedule.alphas_cumprod, dtype=torch.float32)
        self.register_buffer("alpha_bar", alpha_bar, persistent=False)

    def check(self, settings: SampleSettings) -> None:
        """Refuse more steps than the schedule has (see `System.check`)."""
        check_steps(settings.sampler, self.schedule, settings.steps)

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """The U-Net."""
        return (self.network,)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """MSE of ε over ᾱ_t, one t and ε an example (see `System.loss`); ``he`` and ``ihc`` are read."""
        predict = partial(self._predict, signed(batch["he"]))
        clean = signed(batch["ihc"])
        clean = clean.mean(dim=1, keepdim=True) if self.channels == 1 else clean
        errors, a = epsilon_errors(predict, clean, self.get_buffer("alpha_bar"), generator)
        return {"loss": (errors / a).mean()}

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """K samples (see `System.sample`)."""
        predict = partial(self._predict, signed(inputs["he"]))
        done, pictures = 0, []
        for k in range(settings.samples):
            draw = partial(_draw, noise, k, self.channels)
            for clean in denoise(predict, self.schedule, draw, sampler=settings.sampler, steps=settings.steps):
                done += 1
                picture = colours(clean).expand(-1, 3, -1, -1)
                yield Estimate(done, settings.samples * settings.steps, {"ihc": picture} if k == 0 else {})
            pictures.append(picture)
        return outcome(pictures, uncertain=True, steps=settings.steps)

    def _predict(self, he: Tensor, x: Tensor, time: Tensor, alpha_bar: Tensor) -> Tensor:
        return read_velocity(self.network(torch.cat([x, he], dim=1), time), x, alpha_bar)


def _draw(noise: Noise, sample: int, channels: int, step: int) -> Tensor:
    return noise("ihc", sample=sample, step=step, channels=channels)
