"""BBDM: diffusion along a Brownian bridge from the H&E to the IHC (Li et al. 2023), in pixel space."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.diffusion.bridge import bridge_at, bridge_step
from diffuscope.networks.unet import ModulatedUNet
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.baselines.config import DiffusionBaselineConfig
from diffuscope.systems.baselines.declare import declare_bbdm
from diffuscope.systems.baselines.staining import check_sampler, colours, outcome, signed
from diffuscope.systems.staindiffuser.config import WIDTHS


class BBDM(Tiled):
    """Predicts x_t − x_0 = m_t (y − x_0) + √δ_t ε from x_t alone: the H&E y is where sampling starts.

    Parameters
    ----------
    config : DiffusionBaselineConfig
        See there.
    """

    def __init__(self, config: DiffusionBaselineConfig) -> None:
        super().__init__(declare_bbdm(config))
        self.T = config.T
        self.network = ModulatedUNet(3, WIDTHS[config.size])

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """The U-Net."""
        return (self.network,)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Mean squared error of x_t − x_0, one t of 1 … T and ε an example (see `System.loss`)."""
        source, target = signed(batch["he"]), signed(batch["ihc"])
        where = generator.device
        t = torch.randint(1, self.T + 1, (len(target),), generator=generator, device=where).to(target.device)
        noise = torch.randn(target.shape, generator=generator, device=where).to(target.device)
        m = t.float() / self.T
        x = bridge_at(m[:, None, None, None], target, source, noise)
        return {"loss": F.mse_loss(self.network(x, m).float(), x - target)}

    def sample(
        self, inputs: Mapping[str, Tensor], noise: Noise, settings: SampleSettings
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """K samples by evenly spaced steps of the bridge (see `System.sample`)."""
        check_sampler(settings, "bridge", self.T)
        times = [round(self.T * (1 - i / settings.steps)) / self.T for i in range(settings.steps + 1)]
        source, done, pictures = signed(inputs["he"]), 0, []
        for k in range(settings.samples):
            x = source
            for i, (m, to) in enumerate(pairwise(times), start=1):
                now = torch.full((len(x),), m, device=x.device)
                clean = (x - self.network(x, now).float()).clamp(-1.0, 1.0)
                drawn = noise("ihc", sample=k, step=i, channels=3) if to else torch.zeros_like(x)
                x = bridge_step(x, clean, drawn, m=m, to=to)
                done += 1
                picture = colours(clean)
                yield Estimate(done, settings.samples * settings.steps, {"ihc": picture} if k == 0 else {})
            pictures.append(picture)
        return outcome(pictures, uncertain=True, steps=settings.steps)
