"""Cases of volumes: in which slices and where crops of them may lie, and crops as a run gives them to a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from diffuscope.cases import Case
from diffuscope.errors import InputError
from diffuscope.jobs.inputs import Frame, PortInput, check_lattice
from diffuscope.jobs.port_checks import check_port
from diffuscope.jobs.scaling import find_foreground, with_statistics
from diffuscope.ports.raster import Raster
from diffuscope.scans import Foreground, open_input
from diffuscope.systems.base import System
from diffuscope.tiling.plan import Tile
from diffuscope.training.recipe_data import Cases

# Least part of a crop that is foreground, where the recipe does not say: a run computes the top of the head too.
_FOREGROUND = 0.1
# Corners lie so many to a crop's side apart.
_LATTICE = 24

Factors = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class VolumeSampler:
    """A case and where crops of it may lie.

    Attributes
    ----------
    volumes : tuple of PortInput
        All of one lattice, with the values that become their ports' ranges.
    factors : tuple of float
        Voxels per px of the model along (z, y, x).
    context : dict of str to int
        By key, slices before and after that are read with one.
    corners : ndarray of shape (n, 3)
        (z, y, x) of crops with enough foreground, px of the model, slice by slice.
    """

    volumes: tuple[PortInput, ...]
    factors: Factors
    context: Mapping[str, int]
    corners: NDArray[np.int64]

    @property
    def keys(self) -> frozenset[str]:
        """Its pictures."""
        return frozenset(one.port.key for one in self.volumes)

    def inputs(self, ports: Iterable[Raster]) -> list[tuple[PortInput, tuple[float, ...]]]:
        """As of a `CropSampler`."""
        keys = {port.key for port in ports}
        return [(one, self.factors) for one in self.volumes if one.port.key in keys]

    def read(self, corner: NDArray[np.int64], side: int) -> dict[str, NDArray[np.generic]]:
        """Return a crop by key, (side, side, 2·context + 1), as `PortInput.read` gives it to a run."""
        z, y, x = (int(v) for v in corner)
        tile, crop = Tile((0, 0, 0), (z, y, x)), {}
        for one in self.volumes:
            frame = Frame(shape=(1, side, side), factors=self.factors, context=self.context[one.port.key])
            crop[one.port.key] = np.moveaxis(one.read(tile, frame)[..., 0], 0, -1)
        return crop

    def augment(
        self, crop: Mapping[str, NDArray[np.generic]], rng: np.random.Generator
    ) -> dict[str, NDArray[np.generic]]:
        """Mirror the pictures together, left to right: a patient is never upside down."""
        mirror = bool(rng.integers(2))
        return {key: image[:, ::-1] if mirror else image for key, image in crop.items()}

    def spread(self, number: int) -> NDArray[np.int64]:
        """Return corners to validate on: one in the middle of each of so many slices, evenly spread."""
        planes = np.unique(self.corners[:, 0])
        number = min(number, len(planes))
        chosen = planes[((np.arange(number) + 0.5) * len(planes) / number).astype(int)]
        there = [self.corners[self.corners[:, 0] == plane] for plane in chosen]
        return np.stack([some[len(some) // 2] for some in there])


def open_volumes(
    case: Case, ports: Mapping[str, Raster], system: System, settings: Cases, *, side: int
) -> VolumeSampler:
    """Open a case of volumes and find foreground and ranges as a run does.

    The foreground is that of the inputs, as in a run; of a case that has none of them, that of all it has.

    Parameters
    ----------
    case : Case
        From `diffuscope.cases.find_cases`.
    ports : mapping of str to Raster
        What its volumes are to the system, by key.
    system : System
        For its inputs, spacing and context.
    settings : Cases
        Least foreground of a crop.
    side : int
        Of a crop, px. A smaller volume lies anywhere in a crop, with around it what a run shows there.

    Raises
    ------
    InputError
        A file cannot be opened or is no volume, two do not lie on one lattice, or no crop has enough foreground.
    """
    if system.depth > 1:
        raise InputError(f"{type(system).__name__} works on 3D patches, and training takes slices only.")
    opened = []
    for key, file in case.files.items():
        scan = open_input(file, mpp=settings.mpp)
        port = ports[key]
        check_port(scan, port, type(system).__name__)
        opened.append(PortInput(port=port, scan=scan))
    for one in opened[1:]:
        check_lattice(opened[0], one)
    inputs = {port.key for port in system.input_rasters}
    inside = find_foreground([one for one in opened if one.port.key in inputs] or opened)
    first = opened[0].scan
    factors = first.factors(system.input_rasters[0])
    least = _FOREGROUND if settings.tissue is None else settings.tissue
    corners = _corners(inside, first.shape, factors, side, least)
    if not len(corners):
        raise InputError(
            f"case {case.name} ({prod(first.shape)} voxels) has no crop of {side} px of which {least:.0%} is "
            "foreground: leave it out, or lower data.tissue."
        )
    context = {key: system.context if key in inputs else 0 for key in case.files}
    return VolumeSampler(with_statistics(opened, inside, factors=factors), factors, context, corners)


def _corners(inside: Foreground, shape: Sequence[int], factors: Factors, side: int, least: float) -> NDArray[np.int64]:
    """Find the crops of which enough is foreground, (n, 3), slice by slice."""
    depth, height, width = (max(int(extent / by + 1e-6), 1) for extent, by in zip(shape, factors, strict=True))
    ys, xs = _starts(height, side), _starts(width, side)
    found = []
    for plane in range(depth):
        there = inside.plane(min(int((plane + 0.5) * factors[0]), shape[0] - 1))
        if not there.mask.any():
            continue
        part = there.fractions_in(ys * factors[1], xs * factors[2], side * factors[1], side * factors[2])
        rows, columns = np.nonzero((part >= least - 1e-6) & (part > 0))
        found.append(np.stack([np.full_like(rows, plane), ys[rows], xs[columns]], axis=1))
    return np.concatenate(found) if found else np.empty((0, 3), dtype=np.int64)


def _starts(extent: int, side: int) -> NDArray[np.int64]:
    """Return where crops along an axis begin: inside, or around what is smaller than a crop."""
    low, high = sorted((0, extent - side))
    return np.unique([*range(low, high, max(side // _LATTICE, 1)), high])
