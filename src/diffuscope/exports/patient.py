"""Results of volumes in the patient: the whole grid that a canvas is a part of, and what a file of it is made from."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.exports.computed import ComputedSlices
from diffuscope.scans.formats.volumes.nifti_forms import Forms, forms_of
from diffuscope.scans.lattice import Lattice, Storage
from diffuscope.tiling.boxes import box_slices, halves

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result


def whole_lattice(result: Result) -> tuple[Lattice, Storage]:
    """Return the lattice of the whole input at the model's spacing, and in which order the input's file kept it.

    It is the input's own lattice where the model works at its spacing.
    """
    about: dict[str, Any] = next(iter(result.record["inputs"].values()))
    lattice = Lattice.from_json(about["lattice"])
    z, y, x = result.place.factors
    # As in `diffuscope.tiling.axis`: a voxel counts as touched only beyond a millionth of its side.
    counts = (max(1, ceil(side / by - 1e-6)) for side, by in zip(lattice.shape, (z, y, x), strict=True))
    depth, height, width = counts
    order, flipped = about["storage"]["order"], about["storage"]["flipped"]
    storage = Storage((order[0], order[1], order[2]), (flipped[0], flipped[1], flipped[2]))
    if (z, y, x) == (1.0, 1.0, 1.0):
        return lattice, storage
    return lattice.resampled((z, y, x), (depth, height, width)), storage


def whole_forms(result: Result) -> Forms:
    """Return how a NIfTI file of the result says where it lies: as the input's own file, where that was one."""
    about: dict[str, Any] = next(iter(result.record["inputs"].values()))
    shown, storage = whole_lattice(result)
    after = storage.store_lattice(shown)
    if "forms" not in about:
        return forms_of(after)
    forms, own = Forms.from_json(about["forms"]), Lattice.from_json(about["lattice"])
    return forms if shown == own else forms.regridded(storage.store_lattice(own), after)


def whole_voxels(result: Result, port: Raster) -> NDArray[np.generic]:
    """Return an output of one channel on the whole lattice, (z, y, x).

    Where nothing was computed it is NaN, and whole numbers are float32 for that; where nothing is missing they keep
    their type.
    """
    lattice, _ = whole_lattice(result)
    slices = ComputedSlices(result)
    out = np.full(lattice.shape, np.nan, np.float32)
    part = out[box_slices(result.window)]
    for z in range(slices.shape[0]):
        part[z] = slices.read(port, z)
    return out.astype(slices.dtype(port), copy=False) if part.size == out.size else out


def whole_slice(result: Result, slices: ComputedSlices, port: Raster, z: int) -> NDArray[np.float32]:
    """Return slice `z` of the canvas as wide as the whole lattice, (y, x), NaN where nothing was computed."""
    lattice, _ = whole_lattice(result)
    out = np.full(lattice.shape[1:], np.nan, np.float32)
    out[_in_plane(result)] = slices.read(port, z)
    return out


def whole_mask(result: Result, slices: ComputedSlices, z: int) -> NDArray[np.bool_]:
    """Return which voxels of slice `z` of the canvas were computed, as wide as `whole_slice`."""
    lattice, _ = whole_lattice(result)
    out = np.zeros(lattice.shape[1:], bool)
    out[_in_plane(result)] = slices.mask(z)
    return out


def _in_plane(result: Result) -> tuple[slice, ...]:
    starts, lengths = halves(result.window)
    return box_slices((*starts[1:], *lengths[1:]))
