"""Windows of a volume at any spacing along each axis, the same voxel whatever window it is read in."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Protocol

import numpy as np

from diffuscope.scans.region import EQUAL, Axis, resolved
from diffuscope.scans.source import as_dtype


class Voxels(Protocol):
    """A volume (z, y, x) that is cut before it is read: a NumPy, Dask or Zarr array, or what a NIfTI file gives."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(z, y, x)."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of a voxel."""
        ...

    def __getitem__(self, key: tuple[slice, slice, slice]) -> Any:
        """Return a part that `numpy.asarray` reads."""
        ...


def volume_factors(
    spacing: tuple[float, float, float], target: tuple[float | None, float | None, float | None]
) -> tuple[float, float, float]:
    """Return the voxels of a volume per voxel of the model along (z, y, x).

    Parameters
    ----------
    spacing, target : tuple of float
        Size of a voxel of the volume and of the model along (z, y, x), mm, > 0; None takes an axis as it comes.

    Returns
    -------
    tuple of float
        Exactly 1.0 along axes where both differ by 5 % or less.
    """
    z, y, x = (1.0 if model is None else model / own for own, model in zip(spacing, target, strict=True))
    return resolved(z), resolved(y), resolved(x)


def read_volume(
    volume: Voxels,
    *,
    z: int,
    y: int,
    x: int,
    depth: int,
    height: int,
    width: int,
    factors: Sequence[float],
    fill: float = 0,
) -> np.ndarray:
    """Read a window of a volume resampled along each axis by a factor of its own.

    Voxel (k, i, j) of the window is voxel (z + k, y + i, x + j) of a grid that starts at the volume's origin.
    Along each axis it is the mean over the voxels that it covers (a factor above 1), linear interpolation between
    centres (below 1), or the voxel itself (1). It is computed from its place in the volume alone and its terms
    are summed in one order, so that it is the same to the last bit in every window.

    Parameters
    ----------
    volume : array (z, y, x)
        Only the part that is needed is read.
    z, y, x : int
        Place of the window in voxels of the resampled grid; may lie outside the volume.
    depth, height, width : int
        Size of the window in these voxels.
    factors : tuple of float
        The volume's voxels per voxel along (z, y, x), > 0.
    fill : float
        Value beside the volume, in y and x. Beyond its first and last slice these are repeated.

    Returns
    -------
    numpy.ndarray
        (depth, height, width, 1), the volume's dtype; integers are rounded once, to nearest.
    """
    # Slices of the grid that the volume has; of them those that the window shows, an edge slice more than once.
    there = _axis(volume, 0, 0, ceil(volume.shape[0] / factors[0]) + 1, factors).count
    shown = np.clip(np.arange(z, z + depth), 0, there - 1)
    axes = (
        _axis(volume, 0, int(shown[0]), int(shown[-1] - shown[0]) + 1, factors),
        _axis(volume, 1, y, height, factors),
        _axis(volume, 2, x, width, factors),
    )
    _, rows, columns = axes
    out = np.full((depth, height, width), fill, np.dtype(volume.dtype).newbyteorder("="))
    if rows.count > 0 and columns.count > 0:
        z_span, y_span, x_span = (slice(*axis.span) for axis in axes)
        block = np.asarray(volume[z_span, y_span, x_span])
        for number, axis in enumerate(axes):
            if not (abs(factors[number] - 1) < EQUAL and axis.raw):
                block = _resample(block, number, axis)
        out[:, rows.place, columns.place] = as_dtype(block, out.dtype)[shown - shown[0]]
    return out[..., None]


def _axis(volume: Voxels, number: int, start: int, count: int, factors: Sequence[float]) -> Axis:
    extent, factor = volume.shape[number], factors[number]
    return Axis(start, count, factor, factor, extent, extent)


def _resample(block: np.ndarray, number: int, axis: Axis) -> np.ndarray:
    """Resample a block along one axis, in float64."""
    weights, total = axis.weights()
    lines = np.moveaxis(block, number, 0)
    flat = weights @ lines.astype(np.float64).reshape(len(lines), -1) / total[:, None]
    return np.moveaxis(flat.reshape(len(flat), *lines.shape[1:]), 0, number)
