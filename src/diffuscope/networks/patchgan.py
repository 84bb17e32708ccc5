"""PatchGAN: a discriminator that judges every 70 × 70 px patch of an image by itself (Isola et al. 2017, §3.2.2)."""

from __future__ import annotations

from torch import Tensor, nn


class PatchGAN(nn.Module):
    """Five 4×4 convolutions, strides 2, 2, 2, 1, 1; the paper's C64-C128-C256-C512 at a width of 64.

    Instance normalisation is the paper's batch normalisation at its batch size of 1, at any batch size.

    Parameters
    ----------
    channels : int
        Channels of condition and image together.
    width : int
        Channels of the first layer.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for factor, stride in ((1, 2), (2, 2), (4, 1)):
            layers += [
                nn.Conv2d(factor * width, 2 * factor * width, 4, stride=stride, padding=1, bias=False),
                nn.InstanceNorm2d(2 * factor * width),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, stride=1, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        """Return logits (n, 1, h / 8 − 2, w / 8 − 2), above 0 for real, of an image (n, channels, h, w); h, w ≥ 32."""
        return self.layers(image)
