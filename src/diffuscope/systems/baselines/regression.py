"""Plain U-Net regression: the mean of all IHC that the H&E allows, in one pass."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.networks.unet import ModulatedUNet
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.baselines.config import BaselineConfig
from diffuscope.systems.baselines.declare import declare_direct
from diffuscope.systems.baselines.staining import check_sampler, colours, outcome, signed
from diffuscope.systems.staindiffuser.config import WIDTHS


class UNetRegression(Tiled):
    """U-Net from H&E to IHC, trained by mean squared error.

    MSE, not L1: its minimiser is the conditional mean, which no method can beat in PSNR, the figure that virtual
    staining is ranked by. What a generative method gains over this one, it gains elsewhere.

    Parameters
    ----------
    config : BaselineConfig
        See there.
    """

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(declare_direct(config))
        self.network = ModulatedUNet(3, WIDTHS[config.size], timed=False)

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """The U-Net."""
        return (self.network,)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Mean squared error in [−1, 1] (see `System.loss`); ``he`` and ``ihc`` are read. Nothing is drawn."""
        return {"loss": F.mse_loss(self.network(signed(batch["he"])).float(), signed(batch["ihc"]))}

    def sample(
        self,
        inputs: Mapping[str, Tensor],
        noise: Noise,  # noqa: ARG002
        settings: SampleSettings,
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """One evaluation (see `System.sample`); every sample is the same, so one is made."""
        check_sampler(settings, "direct", 1)
        picture = colours(self.network(signed(inputs["he"])))
        yield Estimate(1, 1, {"ihc": picture})
        return outcome([picture], uncertain=False)
