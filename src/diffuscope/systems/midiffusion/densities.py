"""Gaussian kernel densities of the patches around each pixel, and their entropies: the two estimators of LMI."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import reduce
from typing import Protocol, Self

import torch
from torch import Tensor

# Below this a density counts as this: the logarithm of nothing has no gradient.
_TINY = 1e-12
# Logarithms are taken of products of so many nats at most: float32 ends at e^88.
_PRODUCT = 80.0


class Densities(Protocol):
    """The patches around the pixels of a block of an image; a shift (one int an axis) moves to those beside them."""

    def entropy(self, shift: tuple[int, ...]) -> Tensor:
        """H of the patch around each pixel of the block, moved by a shift: nats, (n, *block)."""
        ...

    def joint_entropies(self, other: Self, shifts: Sequence[tuple[int, ...]]) -> Tensor:
        """H of each patch together with another image's, moved by each shift: nats, (shifts, n, *block)."""
        ...


class SampleDensities:
    """Entropies as the mean over a patch's samples, H ≈ −1/S Σ_s ln p(x_s), p(x_s) = 1/S Σ_t K(x_s − x_t).

    K is scaled to K(0) = 1, which cancels in mutual information; a joint density's kernel is the product of two. What
    makes it cheap: K(x_s − x_t) depends on two pixels alone, so that one map of the image for each offset d = t − s
    holds it for every patch that has both; windows of the other image are the same maps, moved; and the sums over t of
    all the patches that a pixel s lies in are box sums over d.

    Parameters
    ----------
    image : Tensor of shape (n, *block + 2 · margin)
        The block and what lies around it.
    patch : int
        Side of a patch, px, odd.
    bandwidth : float
        Standard deviation of K.
    """

    def __init__(self, image: Tensor, patch: int, bandwidth: float) -> None:
        self._patch, self._reach, self._axes = patch, patch // 2, image.ndim - 1
        around = image / (bandwidth * math.sqrt(2.0))
        for axis in range(1, self._axes + 1):
            around = around.unfold(axis, 2 * patch - 1, 1)
        offsets = range(self._axes + 1, 2 * self._axes + 1)
        around = around.permute(*offsets, *range(self._axes + 1)).contiguous()
        # K(x_q − x_{q+d}) at [d, n, q]; q goes 2 · reach px beyond the block.
        apart = around - around[(patch - 1,) * self._axes]
        self._kernels = torch.addcmul(apart.new_zeros(()), apart, apart, value=-1.0).exp_()
        self._entropy = self._mean_log(_added([self._kernels.narrow(0, start, patch) for start in range(patch)]))

    @staticmethod
    def margin(patch: int) -> int:
        """Pixels that are needed around a block."""
        return 2 * (patch - 1)

    def entropy(self, shift: tuple[int, ...]) -> Tensor:
        """H of the marginal (see `Densities`)."""
        return _moved(self._entropy, shift, around=self._reach, keep=0)

    def joint_entropies(self, other: Self, shifts: Sequence[tuple[int, ...]]) -> Tensor:
        """H of the joint densities (see `Densities`)."""
        mine = _moved(self._kernels, (0,) * self._axes, around=2 * self._reach, keep=self._reach)
        at_once = _windows_at_once(mine, len(shifts))
        found = []
        for first in range(0, len(shifts), at_once):
            some = [self._joint(mine, other, shift) for shift in shifts[first : first + at_once]]
            together = some[0] if at_once == 1 else torch.cat(some, dim=self._axes)
            found.append(self._mean_log(together).unflatten(0, (len(some), -1)))
        return torch.cat(found)

    def _joint(self, mine: Tensor, other: Self, shift: tuple[int, ...]) -> Tensor:
        """Return the products of the kernels of both images, summed along the first axis of the offsets."""
        theirs = _moved(other._kernels, shift, around=2 * self._reach, keep=self._reach)
        summed = mine[: self._patch] * theirs[: self._patch]
        for start in range(1, self._patch):
            # Multiplied and added in one pass.
            summed.addcmul_(mine.narrow(0, start, self._patch), theirs.narrow(0, start, self._patch))
        return summed

    def _mean_log(self, sums: Tensor) -> Tensor:
        """Return ln S − 1/S Σ_s ln Σ_t K of each patch, of kernels summed along the first axis of the offsets."""
        patch, axes = self._patch, self._axes
        for axis in range(1, axes):
            sums = _added([sums.narrow(axis, start, patch) for start in range(patch)])
        # At [k, n, q]: the patch around q + k − reach. Wanted by its centre.
        sides = [side - 2 * self._reach for side in sums.shape[axes + 1 :]]
        terms = []
        for place in itertools.product(range(patch), repeat=axes):
            own = sums[place]
            for axis, at in enumerate(place):
                own = own.narrow(axis + 1, patch - 1 - at, sides[axis])
            terms.append(own)
        together = int(_PRODUCT / (axes * math.log(patch)))
        groups = [terms[start : start + together] for start in range(0, len(terms), together)]
        logs = _added([_multiplied(group).log() for group in groups])
        return axes * math.log(patch) - logs / len(terms)


class BinDensities:
    """Entropies as sums over the bins of a soft histogram: a sample weighs in bin b as exp(−(x − c_b)² / 2h²).

    A sample's weights are divided by their sum, so that the joint histogram's margins are the marginal histograms.

    Parameters
    ----------
    image, patch, bandwidth
        As in `SampleDensities`.
    centres : Tensor of shape (bins,)
        c_b, evenly spaced. Intensities beyond the outermost count as these.
    """

    def __init__(self, image: Tensor, patch: int, bandwidth: float, centres: Tensor) -> None:
        self._patch, self._axes = patch, image.ndim - 1
        inside = image.clamp(float(centres[0]), float(centres[-1]))
        self._weights = (-0.5 * ((inside[..., None] - centres) / bandwidth).square()).softmax(dim=-1)

    @staticmethod
    def margin(patch: int) -> int:
        """Pixels that are needed around a block."""
        return patch - 1

    def entropy(self, shift: tuple[int, ...]) -> Tensor:
        """H of the marginal (see `Densities`)."""
        return _plogp(self._samples(shift).mean(dim=-2)).sum(dim=-1)

    def joint_entropies(self, other: Self, shifts: Sequence[tuple[int, ...]]) -> Tensor:
        """H of the joint histograms (see `Densities`)."""
        mine, found = self._samples((0,) * self._axes), []
        for shift in shifts:
            theirs = other._samples(shift)
            with torch.autocast(mine.device.type, enabled=False):
                joint = mine.flatten(0, -3).transpose(1, 2) @ theirs.flatten(0, -3) / mine.shape[-2]
            found.append(_plogp(joint).sum(dim=(1, 2)).reshape(mine.shape[:-2]))
        return torch.stack(found)

    def _samples(self, shift: tuple[int, ...]) -> Tensor:
        """Return the weights (n, *block, S, bins) of the samples of each patch."""
        reach = self._patch // 2
        found = _moved(self._weights.movedim(-1, 0), shift, around=2 * reach, keep=reach).movedim(0, -1)
        for axis in range(1, self._axes + 1):
            found = found.unfold(axis, self._patch, 1)
        return found.flatten(-self._axes).transpose(-1, -2)


def _windows_at_once(kernels: Tensor, windows: int) -> int:
    """A GPU pays for each operation, a CPU for what its cache does not hold."""
    return 1 if kernels.device.type == "cpu" else windows


def _moved(maps: Tensor, shift: tuple[int, ...], *, around: int, keep: int) -> Tensor:
    """Return maps (…, *block + 2 · around) moved by a shift, with so many px around the block kept."""
    for axis, step in enumerate(shift, start=maps.ndim - len(shift)):
        maps = maps.narrow(axis, around - keep + step, maps.shape[axis] - 2 * (around - keep))
    return maps


def _added(terms: list[Tensor]) -> Tensor:
    first, *rest = terms
    # In place from the second on: memory traffic is what it costs.
    return reduce(Tensor.add_, rest[1:], first + rest[0]) if rest else first


def _multiplied(factors: list[Tensor]) -> Tensor:
    return reduce(torch.mul, factors)


def _plogp(p: Tensor) -> Tensor:
    return -p * p.clamp_min(_TINY).log()
