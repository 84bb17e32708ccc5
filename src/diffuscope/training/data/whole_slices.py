"""Whole slices of volumes: kept on the device that trains, where each batch of them is warped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.systems.base import System
from diffuscope.training.data.batches import Batch
from diffuscope.training.data.reading import Tell, told, untold
from diffuscope.training.data.volumes import VolumeSampler
from diffuscope.training.data.warp import warped

# Part of a port's range above which a pixel is not beside the body, for the box that a canvas must hold.
_AIR = 0.05


@dataclass(frozen=True, eq=False)
class WholeSlices:
    """All slices of some cases, as a run reads them, and how batches of them are made.

    Attributes
    ----------
    pictures : mapping of str to Tensor
        By key (n, c, side, side), less what lies beside a scan, float16.
    beside : mapping of str to float
        By key, what lies beside a scan, physical.
    boxes : Tensor of shape (n, 4)
        (top, left, height, width) px of what each slice shows.
    cases : tuple of ndarray
        Of each case the numbers of its slices.
    canvas : int
        Side of a training example, px.
    elastic : float
        Of `diffuscope.training.data.warp.warped`.
    """

    pictures: Mapping[str, Tensor]
    beside: Mapping[str, float]
    boxes: Tensor
    cases: tuple[NDArray[np.int64], ...]
    canvas: int
    elastic: float
    _there: dict[torch.device, tuple[dict[str, Tensor], Tensor]] = field(default_factory=dict, init=False, repr=False)

    def batch_at(self, number: int, *, seed: int, size: int) -> Batch:
        """Return the numbers of a batch's slices; every case is as likely as any other, whatever its size."""
        rng = np.random.default_rng([seed, number])
        chosen = [rng.choice(self.cases[case]) for case in rng.integers(len(self.cases), size=size)]
        return {"slice": torch.from_numpy(np.array(chosen))}

    def finish(self, batch: dict[str, Tensor], generator: torch.Generator) -> Mapping[str, Tensor]:
        """Return the slices of a batch, each warped at random, all its pictures alike."""
        pictures, boxes = self._on(generator.device)
        number = batch["slice"]
        found = {key: picture[number].float() for key, picture in pictures.items()}
        widths = [picture.shape[1] for picture in found.values()]
        together = torch.cat(list(found.values()), dim=1)
        together = warped(together, boxes[number], self.canvas, generator, elastic=self.elastic)
        parts = together.split(widths, dim=1)
        return {key: part + self.beside[key] for key, part in zip(found, parts, strict=True)}

    def _on(self, device: torch.device) -> tuple[dict[str, Tensor], Tensor]:
        if device not in self._there:
            pictures = {key: picture.to(device) for key, picture in self.pictures.items()}
            self._there[device] = pictures, self.boxes.to(device)
        return self._there[device]


def whole(sampler: VolumeSampler) -> VolumeSampler:
    """Return a case whose crops begin where its slices do, one a slice, as a run's tiles do."""
    planes = np.unique(sampler.corners[:, 0])
    return replace(sampler, corners=np.stack([planes, np.zeros_like(planes), np.zeros_like(planes)], axis=1))


def stack_slices(
    samplers: Sequence[VolumeSampler], system: System, *, side: int, canvas: int, elastic: float, tell: Tell = untold
) -> WholeSlices:
    """Read all slices of some cases.

    Parameters
    ----------
    samplers : sequence of VolumeSampler
        From `whole`, all with the same pictures.
    system : System
        Completes the slices.
    side : int
        That a slice is read with, px: of a run's tile.
    canvas, elastic
        As of `WholeSlices`.
    tell : callable, optional
        As of `diffuscope.training.data.reading.told`.

    Raises
    ------
    InputError
        Cases have different pictures, or a slice is larger than a tile.
    """
    if len({sampler.keys for sampler in samplers}) > 1:
        raise InputError("whole slices are of cases that all have the same pictures: leave out the others.")
    for sampler in samplers:
        shape = sampler.volumes[0].scan.shape[1:]
        extents = [extent / by for extent, by in zip(shape, sampler.factors[1:], strict=True)]
        if max(extents) > side + 1e-6:
            name = sampler.volumes[0].scan.name
            raise InputError(f"a slice of {name} ({extents[1]:.0f} x {extents[0]:.0f} px) is larger than config.tile.")
    places = [(sampler, corner) for sampler in samplers for corner in sampler.corners]
    slices = [system.complete(sampler.read(corner, side)) for sampler, corner in told(places, tell, unit="slices")]
    ports = {one.port.key: one.port for one in samplers[0].volumes}
    beside = {key: ports[key].range[0] if key in ports else 0.0 for key in slices[0]}
    pictures = {
        key: torch.from_numpy(
            np.stack([np.moveaxis(one[key].astype(np.float32) - np.float32(low), -1, 0) for one in slices])
        ).half()
        for key, low in beside.items()
    }
    first = next(iter(ports.values()))
    rise = _AIR * (first.range[1] - first.range[0])
    shown = (pictures[first.key] > rise).any(dim=1)
    ends = np.cumsum([len(sampler.corners) for sampler in samplers])
    cases = tuple(np.arange(end - len(sampler.corners), end) for end, sampler in zip(ends, samplers, strict=True))
    return WholeSlices(pictures, beside, _boxes(shown), cases, canvas, elastic)


def _boxes(shown: Tensor) -> Tensor:
    """Return (top, left, height, width) of what masks (n, h, w) show, of the whole where they show nothing."""
    (top, height), (left, width) = _ends(shown.any(dim=2)), _ends(shown.any(dim=1))
    return torch.stack([top, left, height, width], dim=1).float()


def _ends(there: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first place (n,) where something is, and how many there are up to the last."""
    first = there.byte().argmax(dim=1)
    return first, there.shape[1] - there.flip(1).byte().argmax(dim=1) - first
