"""Results of volumes in the patient: the whole grid that a canvas is a part of, and what a file of it is made from."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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
    """Return an output of one channel on the whole lattice, (z, y, x); floats with NaN where not all was computed.

    What a canvas is filled with is a value like any other, of a CT such as air has: a file must not say so of a place
    that nobody computed.
    """
    shape = whole_lattice(result)[0].shape
    _, lengths = halves(result.window)
    values = result.images[port.key][0][..., 0].compute(scheduler="synchronous")
    computed = computed_in(result, [range(length) for length in lengths])
    if lengths == shape and computed.all():
        return values
    out = np.full(shape, np.nan, np.float32)
    out[box_slices(result.window)] = np.where(computed, values, np.float32(np.nan))
    return out


def read_slice(result: Result, port: Raster, number: int) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Return slice `number` of the canvas, (y, x) of the whole lattice, and which of it was computed."""
    shape = whole_lattice(result)[0].shape[1:]
    starts, lengths = halves(result.window)
    place = box_slices((*starts[1:], *lengths[1:]))
    out, computed = np.full(shape, port.fill, np.dtype(port.dtype)), np.zeros(shape, bool)
    out[place] = result.images[port.key][0][number, :, :, 0].compute(scheduler="synchronous")
    computed[place] = computed_in(result, [range(number, number + 1), *map(range, lengths[1:])])[0]
    return out, computed


def computed_in(result: Result, spans: Sequence[range]) -> NDArray[np.bool_]:
    """Return which voxels of a part of the canvas were computed; of a result of before that was kept, all of them."""
    if result.coverage is None:
        return np.ones([len(span) for span in spans], bool)
    return result.coverage.read().mask(spans, (1,) * len(spans))
