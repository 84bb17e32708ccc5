"""Inception-v3 as FID knows it (Szegedy et al. 2015; Heusel et al. 2017), in plain torch.

FID's weights are those of TensorFlow's 2015 graph. Beside the paper's network that graph leaves the padding out of the
average pools, and has a maximum instead of an average in the last block; values are comparable only if both are kept.
Tensors have the names of torchvision and of pytorch-fid's weights file.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DIMENSION = 2048
"""Numbers per image of the last pool ("pool3")."""

SIDE = 299
"""Height and width that the network was trained at, px."""

_POOLS = {
    "average": partial(F.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False),
    "maximum": partial(F.max_pool2d, kernel_size=3, stride=1, padding=1),
    "reduce": partial(F.max_pool2d, kernel_size=3, stride=2),
}


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation (ε = 0.001), ReLU.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int or (int, int)
        Height and width, odd.
    stride : int
        Of both axes.
    padded : bool
        Whether zeros are put around, so that a stride of 1 keeps the size.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], *, stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h', w')."""
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches side by side, their channels concatenated.

    Parameters
    ----------
    branches : tuple of str
        What each does to the input, one after the other: names of convolutions, or of pools (average, maximum,
        reduce); "a|b" is both of the same, concatenated.
    **convolutions : ConvNorm
        By name.
    """

    def __init__(self, *branches: str, **convolutions: ConvNorm) -> None:
        super().__init__()
        self._branches = [[step.split("|") for step in branch.split()] for branch in branches]
        for name, convolution in convolutions.items():
            self.add_module(name, convolution)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, sum of the branches' channels, h', w')."""
        found = []
        for branch in self._branches:
            y = x
            for names in branch:
                y = torch.cat([_POOLS[name](y) if name in _POOLS else getattr(self, name)(y) for name in names], dim=1)
            found.append(y)
        return torch.cat(found, dim=1)


class InceptionV3(nn.Module):
    """The network up to its last pool; in evaluation mode, with random weights until a state is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, 3, stride=2, padded=False)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, 3)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, 3, padded=False)
        self.Mixed_5b = _mixed_35(192, 32)
        self.Mixed_5c = _mixed_35(256, 64)
        self.Mixed_5d = _mixed_35(288, 64)
        self.Mixed_6a = _reduction_17(288)
        self.Mixed_6b = _mixed_17(128)
        self.Mixed_6c = _mixed_17(160)
        self.Mixed_6d = _mixed_17(160)
        self.Mixed_6e = _mixed_17(192)
        self.Mixed_7a = _reduction_8(768)
        self.Mixed_7b = _mixed_8(1280, pool="average")
        self.Mixed_7c = _mixed_8(DIMENSION, pool="maximum")
        self.eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps after the two stem pools, the 17 × 17 and the 8 × 8 blocks.

        Parameters
        ----------
        x : Tensor of shape (n, 3, 299, 299)
            Values in [−1, 1].

        Returns
        -------
        list of Tensor
            (n, 64, 73, 73), (n, 192, 35, 35), (n, 768, 17, 17), (n, 2048, 8, 8); the mean of the last over its pixels
            is pool3.
        """
        first = _POOLS["reduce"](self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        second = _POOLS["reduce"](self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(first)))
        third = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(second))))
        third = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(third))))
        return [first, second, third, self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(third)))]


def _mixed_35(inputs: int, pooled: int) -> Mixed:
    return Mixed(
        "branch1x1",
        "branch5x5_1 branch5x5_2",
        "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3",
        "average branch_pool",
        branch1x1=ConvNorm(inputs, 64, 1),
        branch5x5_1=ConvNorm(inputs, 48, 1),
        branch5x5_2=ConvNorm(48, 64, 5),
        branch3x3dbl_1=ConvNorm(inputs, 64, 1),
        branch3x3dbl_2=ConvNorm(64, 96, 3),
        branch3x3dbl_3=ConvNorm(96, 96, 3),
        branch_pool=ConvNorm(inputs, pooled, 1),
    )


def _reduction_17(inputs: int) -> Mixed:
    return Mixed(
        "branch3x3",
        "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3",
        "reduce",
        branch3x3=ConvNorm(inputs, 384, 3, stride=2, padded=False),
        branch3x3dbl_1=ConvNorm(inputs, 64, 1),
        branch3x3dbl_2=ConvNorm(64, 96, 3),
        branch3x3dbl_3=ConvNorm(96, 96, 3, stride=2, padded=False),
    )


def _mixed_17(narrow: int) -> Mixed:
    return Mixed(
        "branch1x1",
        "branch7x7_1 branch7x7_2 branch7x7_3",
        "branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 branch7x7dbl_5",
        "average branch_pool",
        branch1x1=ConvNorm(768, 192, 1),
        branch7x7_1=ConvNorm(768, narrow, 1),
        branch7x7_2=ConvNorm(narrow, narrow, (1, 7)),
        branch7x7_3=ConvNorm(narrow, 192, (7, 1)),
        branch7x7dbl_1=ConvNorm(768, narrow, 1),
        branch7x7dbl_2=ConvNorm(narrow, narrow, (7, 1)),
        branch7x7dbl_3=ConvNorm(narrow, narrow, (1, 7)),
        branch7x7dbl_4=ConvNorm(narrow, narrow, (7, 1)),
        branch7x7dbl_5=ConvNorm(narrow, 192, (1, 7)),
        branch_pool=ConvNorm(768, 192, 1),
    )


def _reduction_8(inputs: int) -> Mixed:
    return Mixed(
        "branch3x3_1 branch3x3_2",
        "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4",
        "reduce",
        branch3x3_1=ConvNorm(inputs, 192, 1),
        branch3x3_2=ConvNorm(192, 320, 3, stride=2, padded=False),
        branch7x7x3_1=ConvNorm(inputs, 192, 1),
        branch7x7x3_2=ConvNorm(192, 192, (1, 7)),
        branch7x7x3_3=ConvNorm(192, 192, (7, 1)),
        branch7x7x3_4=ConvNorm(192, 192, 3, stride=2, padded=False),
    )


def _mixed_8(inputs: int, *, pool: str) -> Mixed:
    return Mixed(
        "branch1x1",
        "branch3x3_1 branch3x3_2a|branch3x3_2b",
        "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a|branch3x3dbl_3b",
        f"{pool} branch_pool",
        branch1x1=ConvNorm(inputs, 320, 1),
        branch3x3_1=ConvNorm(inputs, 384, 1),
        branch3x3_2a=ConvNorm(384, 384, (1, 3)),
        branch3x3_2b=ConvNorm(384, 384, (3, 1)),
        branch3x3dbl_1=ConvNorm(inputs, 448, 1),
        branch3x3dbl_2=ConvNorm(448, 384, 3),
        branch3x3dbl_3a=ConvNorm(384, 384, (1, 3)),
        branch3x3dbl_3b=ConvNorm(384, 384, (3, 1)),
        branch_pool=ConvNorm(inputs, 192, 1),
    )
