"""Which tiles of a volume are computed: the grid of a slide with a third axis, z."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diffuscope.errors import InputError
from diffuscope.tiling.axis import make_axis
from diffuscope.tiling.boxes import Box, halves
from diffuscope.tiling.plan import Plan


def make_volume_plan(
    *,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    factors: tuple[float, float, float],
    tile: int,
    overlap: int,
    depth: int = 1,
    overlap_depth: int = 0,
    region: Box | None = None,
    is_foreground: Callable[[float, float, float, float, float, float], bool] | None = None,
    name: str = "the volume",
) -> Plan:
    """Choose the tiles of a volume or of a box of it; all axes are (z, y, x).

    Parameters
    ----------
    shape : tuple of int
        Of the volume in its own voxels.
    spacing : tuple of float
        Size of its voxels in mm.
    factors : tuple of float
        The volume's voxels per voxel of the model along each axis, > 0, as `diffuscope.scans.volume` finds them.
    tile, overlap : int
        Side of a tile in its plane and overlap there, model voxels, 0 ≤ overlap ≤ tile / 2.
    depth, overlap_depth : int
        Slices of a tile and overlap along z, model voxels, 0 ≤ overlap_depth ≤ depth / 2; one slice by default.
    region : tuple of int, optional
        (z, y, x, depth, height, width) in the volume's own voxels; default the whole volume.
    is_foreground : callable (z, y, x, depth, height, width) -> bool, optional
        Whether a box in the volume's own voxels shows anything; tiles that do not are skipped, unless none does in
        the region: then the user wants it as it is. Default: every tile is computed.
    name : str
        The volume's name in messages.

    Raises
    ------
    InputError
        The region is empty or lies outside the volume; or there is no region and no foreground.
    """
    tiles, overlaps = (depth, tile, tile), (overlap_depth, overlap, overlap)
    starts, lengths = halves(region or (0, 0, 0, *shape))
    parts = [
        (max(start, 0), min(start + length, extent))
        for start, length, extent in zip(starts, lengths, shape, strict=True)
    ]
    if any(stop <= start for start, stop in parts):
        raise InputError(
            f"region {','.join(map(str, region or shape))} is empty or lies outside {name}, which is "
            f"{' x '.join(map(str, shape))} voxels: give z,y,x,depth,height,width in its own voxels inside it."
        )
    axes = tuple(
        make_axis(extent, factor=factor, tile=side, overlap=over, part=part)
        for extent, factor, side, over, part in zip(shape, factors, tiles, overlaps, parts, strict=True)
    )
    counts = [stop - first for first, stop in (axis.indices for axis in axes)]
    z, y, x = (step * factor for step, factor in zip(spacing, factors, strict=True))
    wanted = np.ones(counts, bool)
    if is_foreground is not None:
        for index in np.ndindex(*counts):
            box = (axis.box(i + axis.indices[0], extent) for axis, i, extent in zip(axes, index, shape, strict=True))
            starts, lengths = zip(*box, strict=True)
            wanted[index] = is_foreground(*starts, *lengths)
        if not wanted.any():
            if region is None:
                raise InputError(f"{name} shows nothing but background: give a region to compute it all the same.")
            wanted[:] = True
    return Plan(axes=axes, wanted=wanted, spacing=(z, y, x))
