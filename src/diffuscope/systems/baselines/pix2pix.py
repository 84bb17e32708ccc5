"""Pix2Pix: a U-Net that a PatchGAN cannot tell from the truth (Isola et al. 2017)."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from diffuscope.networks.patchgan import PatchGAN
from diffuscope.networks.unet import ModulatedUNet
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.baselines.config import BaselineConfig
from diffuscope.systems.baselines.declare import declare_direct
from diffuscope.systems.baselines.staining import check_sampler, colours, outcome, signed
from diffuscope.systems.staindiffuser.config import WIDTHS

#: λ of Isola et al. 2017, §3.3: weight of L1 beside the adversarial term.
_L1_WEIGHT = 100.0


class Pix2Pix(Tiled):
    """G and D: L_G = −log D(x, G(x)) + 100·‖y − G(x)‖₁, L_D = −½ log D(x, y) − ½ log (1 − D(x, G(x))).

    Without the paper's dropout, which left its samples all but deterministic: G is a function of the H&E.

    Parameters
    ----------
    config : BaselineConfig
        See there.
    """

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(declare_direct(config))
        widths = WIDTHS[config.size]
        self.generator = ModulatedUNet(3, widths, timed=False)
        self.discriminator = PatchGAN(6, widths[0])

    def players(self) -> dict[str, list[nn.Parameter]]:
        """G follows ``loss``, D ``discriminator`` (see `Trainable.players`)."""
        return {"loss": list(self.generator.parameters()), "discriminator": list(self.discriminator.parameters())}

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """G. Not D, which `loss` calls with weights of its own choice."""
        return (self.generator,)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the losses of both players (see `System.loss`); ``he`` and ``ihc`` are read. Nothing is drawn.

        Returns
        -------
        dict of str to Tensor
            ``loss`` = ``adversarial`` + 100 · ``l1`` for G, and ``discriminator`` for D.
        """
        he, truth = signed(batch["he"]), signed(batch["ihc"])
        made = self._stain(he)
        frozen = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        judged = functional_call(self.discriminator, frozen, (torch.cat([he, made], dim=1),))
        adversarial = F.softplus(-judged.float()).mean()
        l1 = F.l1_loss(made, truth)
        # The two pairs one after the other: each has statistics of its own in batch normalisation's place.
        real = self.discriminator(torch.cat([he, truth], dim=1)).float()
        fake = self.discriminator(torch.cat([he, made.detach()], dim=1)).float()
        discriminator = 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())
        return {
            "loss": adversarial + _L1_WEIGHT * l1,
            "discriminator": discriminator,
            "adversarial": adversarial,
            "l1": l1,
        }

    def sample(
        self,
        inputs: Mapping[str, Tensor],
        noise: Noise,  # noqa: ARG002
        settings: SampleSettings,
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """One evaluation of G (see `System.sample`); every sample is the same, so one is made."""
        check_sampler(settings, "direct", 1)
        picture = colours(self._stain(signed(inputs["he"])))
        yield Estimate(1, 1, {"ihc": picture})
        return outcome([picture], uncertain=False)

    def _stain(self, he: Tensor) -> Tensor:
        return torch.tanh(self.generator(he).float())
