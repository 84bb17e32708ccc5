"""Local mutual information (LMI): MIDiffusion's condition (Definitions 3–5, Proposition 1), in 2D and in 3D.

At each pixel i the patch of the reference around i, repeated (C_δ), lies under windows of the other image that slide
over i's neighbourhood (B_δ); LMI is the largest mutual information of a window with the patch, sample by sample.
The densities are Gaussian kernel density estimates. There are two ways to integrate over them
(`diffuscope.systems.midiffusion.densities`): over the bins of a histogram, as in the paper's code, or over the patch's
own samples, which needs no bins and a small part of the time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from diffuscope.systems.midiffusion.densities import BinDensities, Densities, SampleDensities
from diffuscope.systems.midiffusion.estimator import LMI

# Pixels that are computed at once: memory is bounded, and on a CPU what belongs to them stays in a core's cache. A GPU
# has memory (2^22 pixels of patches of 3 by 3 take some gigabytes), and pays for each of a block's many operations.
_PIXELS = {"samples": 2**14, "histogram": 2**11}
_PIXELS_GPU = {"samples": 2**22, "histogram": 2**17}


#: Nats: two patches that have less together count as flat (see `Information.normalised`).
FLOOR = 1e-4


@dataclass(frozen=True)
class Information:
    """LMI of a reference and another image, by pixel.

    Attributes
    ----------
    raw : Tensor
        max over windows of MI, nats, in [0, ln(samples of a patch)].
    normalised : Tensor
        max over windows of (2·MI + FLOOR) / (H₁ + H₂ + FLOOR), in [0, 1]. It is 1 where both are flat: they explain
        each other, though there is no information in either.
    """

    raw: Tensor
    normalised: Tensor


class Guide:
    """A reference image whose own part of LMI is computed once, for many others.

    Beyond the border the outermost pixels are repeated.

    Parameters
    ----------
    reference : Tensor of shape (n, 1, h, w) or (n, 1, d, h, w)
        float32 or float64; of half precision float32 is made.
    settings : LMI
        See there.
    """

    def __init__(self, reference: Tensor, settings: LMI) -> None:
        if reference.ndim not in {4, 5} or reference.shape[1] != 1:
            raise ValueError(f"LMI takes (n, 1, h, w) or (n, 1, d, h, w), not {tuple(reference.shape)}")
        self._settings, self._shape = settings, reference.shape
        self._room = (_PIXELS_GPU if reference.is_cuda else _PIXELS)[settings.estimator]
        self._own = list(self._prepare(reference))

    def __call__(self, other: Tensor) -> Information:
        """LMI(reference, other), differentiable in both.

        Parameters
        ----------
        other : Tensor
            On the reference's grid, in its shape.
        """
        if other.shape != self._shape:
            raise ValueError(f"LMI compares images of one shape, not {tuple(self._shape)} and {tuple(other.shape)}")
        return self._compare(self._prepare(other))

    def itself(self) -> Information:
        """LMI(reference, reference): Theorem 1's bound, as the estimator has it."""
        return self._compare(iter(self._own))

    def entropy(self) -> Tensor:
        """H of each patch of the reference, nats: LMI(x, x) of exact densities, which no LMI(x, y) here exceeds."""
        return self._assemble([own.entropy(self._still) for own in self._own])

    @property
    def _still(self) -> tuple[int, ...]:
        return (0,) * (len(self._shape) - 2)

    def _compare(self, others: Iterator[Densities]) -> Information:
        raw, normalised = [], []
        windows = list(itertools.product(self._settings.steps, repeat=len(self._still)))
        for own, other in zip(self._own, others, strict=True):
            both = own.entropy(self._still) + torch.stack([other.entropy(window) for window in windows])
            mutual = both - own.joint_entropies(other, windows)
            raw.append(mutual.amax(dim=0).clamp_min(0.0))
            normalised.append(((2.0 * mutual + FLOOR) / (both + FLOOR)).amax(dim=0).clamp(0.0, 1.0))
        return Information(self._assemble(raw), self._assemble(normalised))

    def _prepare(self, image: Tensor) -> Iterator[Densities]:
        """Yield the densities of the image's blocks."""
        settings = self._settings
        wide = image if image.dtype == torch.float64 else image.float()
        margin = (SampleDensities if settings.estimator == "samples" else BinDensities).margin(settings.patch)
        padded = F.pad(wide, (margin, margin) * len(self._still), mode="replicate")[:, 0]
        for (first, last), *block in self._blocks():
            part = padded[first:last]
            for axis, (start, stop) in enumerate(block, start=1):
                part = part.narrow(axis, start, stop - start + 2 * margin)
            if settings.estimator == "samples":
                yield SampleDensities(part, settings.patch, settings.bandwidth)
            else:
                centres = torch.linspace(*settings.range, settings.bins, dtype=wide.dtype, device=wide.device)
                yield BinDensities(part, settings.patch, settings.bandwidth, centres)

    def _blocks(self) -> list[tuple[tuple[int, int], ...]]:
        """Half-open ranges of images, and along each axis, of the blocks that are computed one after the other."""
        room, axes = self._room, []
        for extent in (*reversed(self._shape[2:]), self._shape[0]):
            side = min(extent, room)
            room = max(room // side, 1)
            axes.append([(start, min(start + side, extent)) for start in range(0, extent, side)])
        *places, images = axes
        return list(itertools.product(images, *reversed(places)))

    def _assemble(self, found: list[Tensor]) -> Tensor:
        whole = found[0].new_empty((self._shape[0], *self._shape[2:]))
        for block, values in zip(self._blocks(), found, strict=True):
            whole[tuple(slice(start, stop) for start, stop in block)] = values
        return whole[:, None]


def local_information(reference: Tensor, other: Tensor, settings: LMI) -> Information:
    """LMI(reference, other) at every pixel (see `Guide`)."""
    return Guide(reference, settings)(other)


def most_information(settings: LMI, axes: int = 2) -> float:
    """Return what LMI cannot exceed in images of so many axes: ln of the samples of a patch, nats."""
    return axes * math.log(settings.patch)
