"""What an encoder learns of crops before it learns of classes: to measure the structure that a crop shows.

The paper begins from an encoder that was trained on many other CTs (Med3D). Where there is none, this one can begin on
its own crops: size, shape, brightness and grain of a structure follow from its crop alone, without any label.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: What is measured, in this order.
MEASURES = (
    "log volume",
    *("long axis", "middle axis", "short axis"),
    "surface",
    *("mean", "deviation", "skewness"),
    *("dark tenth", "bright tenth"),
    "core less rim",
    "grain",
)
_EPS = 1e-6


def measure(crops: Tensor) -> Tensor:
    """Measure the structures of crops.

    Parameters
    ----------
    crops : Tensor (n, 1, d, h, w)
        In [−1, 1], −1 beside the structure (see `diffuscope.systems.mmfusion.crops.crop_structures`).

    Returns
    -------
    Tensor (n, measures)
        Float32: logarithm of the volume in voxels; logarithms of the standard deviations along the principal axes, in
        voxels; logarithm of the faces over volume to ⅔; mean, standard deviation and skewness of the values; means of
        the darkest and the brightest tenth; mean of what lies two voxels deep less that of the rest; mean distance from
        the mean of the 3³ voxels around.
    """
    crops = crops.float()
    inside = crops > -1
    there = inside.float()
    count = there.sum((2, 3, 4)).clamp(min=1.0)[:, 0]
    values = torch.where(inside, crops, 0.0)

    def mean(what: Tensor, where: Tensor) -> Tensor:
        return (what * where).sum((1, 2, 3, 4)) / where.sum((1, 2, 3, 4)).clamp(min=1.0)

    middle = mean(values, there)
    apart = (values - middle[:, None, None, None, None]) * there
    spread = ((apart**2).sum((1, 2, 3, 4)) / count + _EPS).sqrt()
    skewness = (apart**3).sum((1, 2, 3, 4)) / count / spread**3
    deep = (-nn.functional.max_pool3d(-nn.functional.pad(there, (2,) * 6), 5, 1)).clamp(0.0, 1.0)
    around = nn.functional.avg_pool3d(values, 3, 1, 1) / nn.functional.avg_pool3d(there, 3, 1, 1).clamp(min=_EPS)
    faces = sum(
        (there.diff(dim=axis, prepend=there.narrow(axis, 0, 1) * 0, append=there.narrow(axis, 0, 1) * 0).abs()).sum(
            (1, 2, 3, 4)
        )
        for axis in (2, 3, 4)
    )
    found = [
        count.log(),
        *_axes(there, count),
        (faces / count ** (2 / 3) + _EPS).log(),
        *(middle, spread, skewness),
        *_tenths(crops, inside, count),
        mean(values, deep) - mean(values, there - deep),
        mean((values - around).abs(), there),
    ]
    return torch.stack(found, 1)


def _axes(there: Tensor, count: Tensor) -> Tensor:
    """Return logarithms of the standard deviations along the principal axes (3, n), the longest first."""
    places = torch.stack(torch.meshgrid(*(torch.arange(size) for size in there.shape[2:]), indexing="ij"), -1)
    flat, at = there.flatten(1), places.reshape(-1, 3).to(there)
    # Of bf16 the difference below would be noise.
    with torch.autocast(there.device.type, enabled=False):
        centre = flat @ at / count[:, None]
        square = (flat @ (at[:, :, None] * at[:, None]).flatten(1)).view(-1, 3, 3) / count[:, None, None]
    covariance = square - centre[:, :, None] * centre[:, None]
    # A voxel is as wide as it is: of one alone the deviation is that of a cube.
    lengths = torch.linalg.eigvalsh(covariance + torch.eye(3, device=there.device) / 12)
    return 0.5 * lengths.clamp(min=_EPS).log().flip(1).T


def _tenths(crops: Tensor, inside: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of the darkest and of the brightest tenth of each structure."""
    order = torch.where(inside, crops, torch.inf).flatten(1).sort(1).values
    rank = torch.arange(order.shape[1], device=crops.device)
    tenth = (count / 10).ceil()[:, None]
    dark, bright = rank < tenth, (rank >= count[:, None] - tenth) & (rank < count[:, None])
    order = torch.where(order.isinf(), 0.0, order)
    return (order * dark).sum(1) / tenth[:, 0], (order * bright).sum(1) / tenth[:, 0]


class Measurer(nn.Module):
    """What the measures of a structure are read off from, a linear layer over the mean of its tokens.

    Parameters
    ----------
    width : int
        Numbers of a token.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(width, len(MEASURES))
        self.register_buffer("mean", torch.zeros(len(MEASURES)))
        self.register_buffer("deviation", torch.ones(len(MEASURES)))

    def fit(self, crops: Tensor) -> None:
        """Take the scale of each measure from the crops that train, (n, 1, d, h, w); of fewer than two it stays."""
        if len(crops) > 1:
            found = measure(crops)
            self.mean.copy_(found.mean(0))
            self.deviation.copy_(found.std(0).clamp(min=1e-3))

    def loss(self, crops: Tensor, tokens: Tensor) -> Tensor:
        """Return the mean square error of the measures of crops (n, 1, d, h, w), read off tokens (n, tokens, width)."""
        wanted = (measure(crops) - self.mean) / self.deviation
        # What noise makes of a few voxels is not to be followed.
        return nn.functional.smooth_l1_loss(self.read(tokens.mean(1)), wanted.clamp(-5.0, 5.0))
