"""Coarse masks that are learned: a segmentation network trained on noisy masks, whose answers replace them.

A threshold on DAB finds more of a strongly stained slide's cells and fewer of a pale one's. The paper's remedy for CD3
(StainDiffuser, supplement §8): train a segmentation model on those noisy labels, and use what it predicts as the coarse
segmentation. It names no architecture and no input; here a small U-Net looks at the IHC, for no H&E shows which
lymphocytes are T cells.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffuscope.networks.unet import UNet
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.cellmasks.config import CellMasksConfig
from diffuscope.systems.cellmasks.declare import declare

_WIDTHS = (16, 24, 32)


class CellMasks(Tiled):
    """U-Net from IHC to the mask of its positive cells, trained by binary cross-entropy.

    Parameters
    ----------
    config : CellMasksConfig
        See there.
    """

    def __init__(self, config: CellMasksConfig) -> None:
        super().__init__(declare(config))
        self.config = config
        self.network = UNet(3, 1, _WIDTHS)

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """The U-Net."""
        return (self.network,)

    def loss(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Binary cross-entropy (see `System.loss`); ``ihc`` and ``mask`` are read. Nothing is drawn."""
        return {"loss": F.binary_cross_entropy_with_logits(self._logits(batch["ihc"]), batch["mask"])}

    def draw(self, ihc: Tensor) -> Tensor:
        """Return the masks (n, 1, h, w) in {0, 1}, float32, of IHCs (n, 3, h, w) in [0, 255]; sides multiples of 4."""
        with torch.no_grad():
            return (self._logits(ihc) > 0).float()

    def sample(
        self,
        inputs: Mapping[str, Tensor],
        noise: Noise,  # noqa: ARG002
        settings: SampleSettings,  # noqa: ARG002
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """One evaluation (see `System.sample`)."""
        mask = self.draw(inputs["ihc"])
        yield Estimate(1, 1, {"mask": mask})
        return {"mask": mask}

    def _logits(self, ihc: Tensor) -> Tensor:
        return self.network(ihc / 127.5 - 1.0).float()
