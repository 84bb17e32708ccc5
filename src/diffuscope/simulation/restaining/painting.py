"""Training crops painted by the teacher on the device that trains: all sources lie there, and a batch is places alone.

What the teacher's `paint` and `diffuscope.stains.augment_stain` do to one crop with numpy, for a whole
batch in a few operations: a GPU that trains takes hundreds of crops a second, which no lane of numpy makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from diffuscope.simulation.restaining.crops import draw_corner
from diffuscope.simulation.restaining.sources import Pair
from diffuscope.simulation.restaining.teacher import BLUR_UM, CELL_SPREAD, DAB, DAB_RANGE, SLIDE_SPREAD
from diffuscope.stains import HDAB, REFERENCE

# How much a normalised slide may still differ from the reference: factor of each stain's density, noise of it (OD),
# factor of each component of its vector, light, and blur (px) of half of the crops.
_STRENGTH, _SHIFT, _TURN, _LIGHT, _BLUR = (0.8, 1.25), 0.01, (0.9, 1.1), (0.95, 1.0), 0.8
# Reach of the blurs, px.
_REACH = 3


class Painter:
    """Batches of crops of some sources, painted on a device.

    Parameters
    ----------
    pairs : sequence of Pair
        From `diffuscope.simulation.restaining.sources.make_pairs`; all of one stain and µm/px.
    size, patch : int
        Crops a batch, and their side, px.
    positive_share : float
        Share of crops centred (± a quarter patch) on a cell that may be positive.
    """

    def __init__(self, pairs: Sequence[Pair], *, size: int, patch: int, positive_share: float) -> None:
        self._pairs, self._size, self._patch, self._share = list(pairs), size, patch, positive_share
        weights = np.array([pair.weight for pair in self._pairs])
        self._weights = weights / weights.sum()
        self._key = self._pairs[0].key
        self._sources: dict[torch.device, _Sources] = {}

    def places(self, step: int, *, seed: int) -> dict[str, Tensor]:
        """Where the crops of a step lie, a function of (seed, step).

        Returns
        -------
        dict of str to Tensor
            ``place``: int64 (size, 4), number of the source, first row and column, and which of the eight turns and
            mirrorings of a square.
        """
        rng = np.random.default_rng([seed, step])
        rows = []
        for index in rng.choice(len(self._pairs), self._size, p=self._weights):
            y, x = draw_corner(self._pairs[index].sample, self._patch, self._share, rng)
            rows.append((index, y, x, int(rng.integers(8))))
        return {"place": torch.tensor(rows, dtype=torch.int64)}

    def paint(self, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Cut, paint and augment the crops at `places` on the generator's device.

        Which cells are positive is drawn anew for every crop: the same H&E has many IHCs.

        Returns
        -------
        dict of str to Tensor
            ``he`` (normalised, then augmented) and ``ihc`` (or ``ihc_…``, see `Pair`): float32 (size, 3, patch, patch)
            in [0, 255]; ``probability`` that a pixel is painted: (size, 1, patch, patch).
        """
        device = generator.device
        if device not in self._sources:
            self._sources[device] = _Sources(self._pairs, device)
        sources = self._sources[device]
        index = sources.index(batch["place"], self._patch)
        return {
            "he": _augmented(sources.he[index].movedim(-1, 1), sources, generator),
            self._key: sources.ihc(index, batch["place"][:, 0], generator),
            "probability": sources.chance[sources.cell[_inner(index)]][:, None],
        }


class _Sources:
    """The pixels of all sources, one after the other, on a device."""

    def __init__(self, pairs: Sequence[Pair], device: torch.device) -> None:
        samples = [pair.sample for pair in pairs]
        shapes = np.array([sample.cell.shape for sample in samples])
        cells = np.array([len(sample.chance) + 1 for sample in samples])
        # A cell's number among those of all sources; number 0 of each source is no cell.
        first = np.concatenate([[0], np.cumsum(cells)[:-1]])
        numbered = [sample.cell.ravel() + start for sample, start in zip(samples, first, strict=True)]
        chances = [np.concatenate([[0.0], sample.chance]) for sample in samples]
        self._shapes = torch.from_numpy(shapes).to(device)
        self._first_pixel = torch.from_numpy(np.concatenate([[0], np.cumsum(shapes.prod(axis=1))[:-1]])).to(device)
        self._first_cell = torch.from_numpy(first).to(device)
        self._cells = int(cells.max())
        self.he = torch.from_numpy(np.concatenate([sample.normalised.reshape(-1, 3) for sample in samples])).to(device)
        self.counterstain = torch.from_numpy(np.concatenate([sample.counterstain.ravel() for sample in samples])).to(
            device
        )
        self.cell = torch.from_numpy(np.concatenate(numbered).astype(np.int32)).to(device)
        self.chance = torch.from_numpy(np.concatenate(chances).astype(np.float32)).to(device)
        self._blur = _gaussian(torch.tensor([BLUR_UM / samples[0].mpp], device=device))
        self._colours = torch.from_numpy(HDAB[:2].astype(np.float32)).to(device)
        # Here once: a copy from the CPU, and an inversion on a GPU, make each step wait for the one before.
        self.reference = torch.from_numpy(REFERENCE.astype(np.float32)).to(device)
        self.separation = torch.from_numpy(np.linalg.inv(REFERENCE).astype(np.float32)).to(device)

    def index(self, place: Tensor, patch: int) -> Tensor:
        """Return the numbers of the pixels (n, patch + 2·reach, patch + 2·reach) of crops with a margin."""
        source, top, left, turn = place.unbind(dim=1)
        side = torch.arange(-_REACH, patch + _REACH, device=place.device)
        back = patch - 1 - side
        rows, columns = side[None, :, None], side[None, None, :]
        down, across = (turn & 1).bool()[:, None, None], (turn & 2).bool()[:, None, None]
        y = torch.where(down, back[None, :, None], rows)
        x = torch.where(across, back[None, None, :], columns)
        swapped = (turn & 4).bool()[:, None, None]
        y, x = torch.where(swapped, x, y), torch.where(swapped, y, x)
        height, width = (self._shapes[source, axis][:, None, None] for axis in (0, 1))
        y = (y + top[:, None, None]).clamp(min=0).minimum(height - 1)
        x = (x + left[:, None, None]).clamp(min=0).minimum(width - 1)
        return self._first_pixel[source][:, None, None] + y * width + x

    def ihc(self, index: Tensor, source: Tensor, generator: torch.Generator) -> Tensor:
        """Draw which cells are positive and how strongly, and paint: (n, 3, patch, patch) in [0, 255]."""
        number, device = len(index), generator.device
        cell = self.cell[index] - self._first_cell[source][:, None, None]
        flat = cell.flatten(1).long()
        even = torch.rand(number, self._cells, generator=generator, device=device).gather(1, flat).view_as(cell)
        cells = torch.randn(number, self._cells, generator=generator, device=device)
        slides = torch.randn(number, 1, 1, generator=generator, device=device)
        spread = CELL_SPREAD * cells.gather(1, flat).view_as(cell) + SLIDE_SPREAD * slides
        dab = torch.where(
            even < self.chance[self.cell[index]], (DAB * spread.exp()).clamp(*DAB_RANGE), torch.zeros_like(even)
        )
        dab = _blurred(dab[:, None], self._blur.expand(number, -1))
        densities = torch.stack([self.counterstain[_inner(index)], dab[:, 0]], dim=-1)
        return _picture(densities @ self._colours)


def _augmented(he: Tensor, sources: _Sources, generator: torch.Generator) -> Tensor:
    """Change normalised H&E (n, 3, h + 2·reach, w + 2·reach) as laboratories and scanners do; return (n, 3, h, w)."""
    number, device = len(he), generator.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand((number, *shape), generator=generator, device=device)

    density = -torch.log10((he.movedim(1, -1).float() + 1.0) / 256.0)
    amounts = (density.flatten(1, 2) @ sources.separation) * uniform(*_STRENGTH, 1, 3)
    amounts = amounts + _SHIFT * torch.randn(number, 1, 3, generator=generator, device=device)
    turned = sources.reference * torch.cat([uniform(*_TURN, 2, 3), torch.ones(number, 1, 3, device=he.device)], dim=1)
    turned = turned / turned.norm(dim=-1, keepdim=True)
    image = _picture((amounts @ turned).unflatten(1, he.shape[2:])) * uniform(*_LIGHT, 1, 1, 1)
    sharp = uniform(0.0, 1.0) < 0.5
    sigma = torch.where(sharp, torch.full_like(sharp, 1e-3, dtype=torch.float32), uniform(0.2, _BLUR))
    return _blurred(image, _gaussian(sigma)).round().clamp(0.0, 255.0)


def _inner(index: Tensor) -> Tensor:
    return index[:, _REACH:-_REACH, _REACH:-_REACH]


def _picture(density: Tensor) -> Tensor:
    """Return the picture (n, 3, h, w) in whole numbers of [0, 255] that has an optical density (n, h, w, 3)."""
    return (256.0 * torch.pow(10.0, -density) - 1.0).round().clamp(0.0, 255.0).movedim(-1, 1)


def _gaussian(sigma: Tensor) -> Tensor:
    """Return kernels (n, 2·reach + 1) of standard deviations (n,), px."""
    at = torch.arange(-_REACH, _REACH + 1, device=sigma.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (at / sigma[:, None]) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


def _blurred(image: Tensor, kernels: Tensor) -> Tensor:
    """Blur images (n, c, h, w), each with a kernel of its own, and drop the margin that the blur saw."""
    number, channels = image.shape[:2]
    flat = image.reshape(1, number * channels, *image.shape[2:])
    each = kernels.repeat_interleave(channels, dim=0)[:, None]
    down = F.conv2d(flat, each[..., None], groups=number * channels)
    return F.conv2d(down, each[..., None, :], groups=number * channels).view(
        number, channels, *(s - 2 * _REACH for s in image.shape[2:])
    )
