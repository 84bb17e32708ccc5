"""A region of a CT on the lattice on which it is measured: cut out, resampled, and freed of what is no tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from diffuscope.errors import InputError
from diffuscope.radiomics.settings import RadiomicsSettings

_ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
# What the local peak sees around the region: a sphere of 1 cm³.
_PEAK_MM = 6.3
# Voxels from which an edge is felt by a cubic spline: each hands on a quarter.
_SPLINE = 16


@dataclass(frozen=True, eq=False)
class Region:
    """A region as it is measured.

    Attributes
    ----------
    image : ndarray (d, h, w)
        HU, whole numbers as IBSI has them, float64.
    shape : ndarray of bool (d, h, w)
        Where the region is: what its morphology is measured on.
    tissue : ndarray of bool (d, h, w)
        Where it has intensities that count.
    spacing : tuple of float
        (z, y, x) mm.
    """

    image: NDArray[np.float64]
    shape: NDArray[np.bool_]
    tissue: NDArray[np.bool_]
    spacing: tuple[float, float, float]


def open_region(
    image: NDArray[np.generic], mask: NDArray[np.bool_], spacing: Sequence[float], settings: RadiomicsSettings
) -> Region:
    """Bring a region onto the lattice on which it is measured.

    The new lattice has the centre of the CT's (IBSI, "align grid centers"), so that what is cut out changes nothing.

    Parameters
    ----------
    image, mask : ndarray (d, h, w)
        HU, and where the region is.
    spacing : sequence of float
        (z, y, x) mm.
    settings : RadiomicsSettings
        How it is measured.

    Raises
    ------
    InputError
        Image and mask differ in shape, the spacing is not known, the mask is empty, or the CT has no value there.
    """
    if image.ndim != 3 or image.shape != mask.shape:
        raise InputError(
            f"the CT has {_size(image)} voxels and the mask {_size(mask)}: give a volume and a mask drawn on it."
        )
    if len(spacing) != 3 or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise InputError("the CT does not say how many mm lie between its voxels: save it with its spacing.")
    if not mask.any():
        raise InputError("the mask is empty: nothing can be measured in it.")
    new = [float(step) if settings.spacing is None else settings.spacing for step in spacing]
    if settings.by_slice:
        new[0] = float(spacing[0])
    seen_mm = _PEAK_MM if any(tag.startswith("loc_") for tag in settings.features) else 0.0
    box = [_box(mask, axis, int(np.ceil(seen_mm / step)) + 1) for axis, step in enumerate(spacing)]
    inside = mask[tuple(box)]
    if not np.isfinite(image[tuple(box)][inside]).all():
        raise InputError("the CT has no value (NaN) at some voxels of the mask: draw it where the CT is.")
    if settings.spacing is None:
        values, kept = image[tuple(box)].astype(np.float64), inside.astype(bool)
    else:
        at = [
            _positions(length, step, wanted, cut)
            for length, step, wanted, cut in zip(image.shape, spacing, new, box, strict=True)
        ]
        wide = tuple(slice(max(cut.start - _SPLINE, 0), cut.stop + _SPLINE) for cut in box)
        first = [cut.start for cut in wide]
        values = _at(image[wide].astype(np.float64), at, first, _ORDERS[settings.interpolation], mode="nearest")
        # Rounded: the half counts, and binary fractions of a voxel miss it by their last digits.
        kept = np.round(_at(mask[wide].astype(np.float64), at, first, 1, mode="constant"), 6) >= 0.5
    # HU are whole numbers (IBSI); of a half, last digits would say which.
    values = np.rint(np.round(values, 6))
    if not np.isfinite(values[kept]).all():
        raise InputError("the CT has no value (NaN) beside the mask: draw it farther inside.")
    return Region(values, kept, kept & _counts(values, kept, settings), (new[0], new[1], new[2]))


def _counts(values: NDArray[np.float64], kept: NDArray[np.bool_], settings: RadiomicsSettings) -> NDArray[np.bool_]:
    """Return where intensities count: within the range, and no outliers of what the whole region has."""
    low, high = settings.range
    counts = np.ones(values.shape, bool)
    if low is not None:
        counts &= values >= low
    if high is not None:
        counts &= values <= high
    if settings.outliers is not None and kept.any():
        mean, reach = values[kept].mean(), settings.outliers * values[kept].std()
        counts &= (values >= mean - reach) & (values <= mean + reach)
    return counts


def _box(mask: NDArray[np.bool_], axis: int, around: int) -> slice:
    """Return where a mask has voxels along an axis, and some around."""
    there = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
    return slice(max(int(there[0]) - around, 0), min(int(there[-1]) + around + 1, mask.shape[axis]))


def _positions(length: int, step: float, wanted: float, cut: slice) -> NDArray[np.float64]:
    """Return where the new lattice has planes within a cut, in voxels of the CT."""
    ratio = wanted / step
    # The last digits of a spacing shall not add a plane.
    count = int(np.ceil(length / ratio - 1e-9))
    planes = 0.5 * (length - 1) + ratio * (np.arange(count) - 0.5 * (count - 1))
    # At an end of the CT there may be half a plane more than at a cut.
    low, high = cut.start if cut.start > 0 else -1, cut.stop - 1 if cut.stop < length else length
    return planes[(planes >= low) & (planes <= high)].astype(np.float64)


def _at(
    values: NDArray[np.float64],
    at: Sequence[NDArray[np.float64]],
    first: Sequence[int],
    order: int,
    *,
    mode: str,
) -> NDArray[np.float64]:
    places = np.meshgrid(*(planes - start for planes, start in zip(at, first, strict=True)), indexing="ij")
    found: NDArray[np.float64] = map_coordinates(values, places, order=order, mode=mode)
    return found


def _size(array: NDArray[np.generic]) -> str:
    return " × ".join(str(length) for length in array.shape)
