"""A region of a CT on the lattice on which it is measured: cut out, resampled, and freed of what is no tissue."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from diffuscope.errors import InputError
from diffuscope.radiomics.settings import RadiomicsSettings
from diffuscope.radiomics.tags import is_local

_ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
# What the local peak sees around the region: a sphere of 1 cm³.
_PEAK_MM = 6.3
# Voxels from which an edge is felt by a cubic spline: each hands on a quarter.
_SPLINE = 16
# Voxels of a region: mirp takes a quarter of a kB and some µs for each. A tumour of 250 mm at 1 mm has so many.
_MOST = 16_000_000


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
    Where all features are local, planes far from the mask are left out, since nodes may lie from neck to stomach.

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
        Image and mask differ in shape, the spacing is not known, the mask is empty, the CT has no value there, or the
        region is larger than can be measured.
    """
    _check(image, mask, spacing)
    new = [float(step) if settings.spacing is None else settings.spacing for step in spacing]
    if settings.by_slice:
        new[0] = float(spacing[0])
    seen_mm = _PEAK_MM if any(tag.startswith("loc_") for tag in settings.features) else 0.0
    box = tuple(_box(mask, axis, int(np.ceil(seen_mm / step)) + 1) for axis, step in enumerate(spacing))
    if not np.isfinite(image[box][mask[box]]).all():
        raise InputError("the CT has no value (NaN) at some voxels of the mask: draw it where the CT is.")
    at = _planes(mask, box, spacing, new, settings)
    if settings.spacing is None:
        values, kept = image[np.ix_(*at)].astype(np.float64), mask[np.ix_(*at)].astype(bool)
    else:
        wide = tuple(slice(max(cut.start - _SPLINE, 0), cut.stop + _SPLINE) for cut in box)
        places = [planes - cut.start for planes, cut in zip(at, wide, strict=True)]
        values = _at(image[wide], places, _ORDERS[settings.interpolation])
        # Rounded: the half counts, and binary fractions of a voxel miss it by their last digits.
        kept = np.round(_at(mask[wide].astype(np.uint8), places, 1), 6) >= 0.5
    # HU are whole numbers (IBSI); of a half, last digits would say which.
    values = np.rint(np.round(values, 6))
    if not np.isfinite(values[kept]).all():
        raise InputError("the CT has no value (NaN) beside the mask: draw it farther inside.")
    return Region(values, kept, kept & _counts(values, kept, settings), (new[0], new[1], new[2]))


def _check(image: NDArray[np.generic], mask: NDArray[np.bool_], spacing: Sequence[float]) -> None:
    if image.ndim != 3 or image.shape != mask.shape:
        raise InputError(
            f"the CT has {_size(image)} voxels and the mask {_size(mask)}: give a volume and a mask drawn on it."
        )
    if len(spacing) != 3 or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise InputError("the CT does not say how many mm lie between its voxels: save it with its spacing.")
    if not mask.any():
        raise InputError("the mask is empty: nothing can be measured in it.")


def _planes(
    mask: NDArray[np.bool_],
    box: Sequence[slice],
    spacing: Sequence[float],
    new: Sequence[float],
    settings: RadiomicsSettings,
) -> list[NDArray[Any]]:
    """Return where the planes along each axis lie on which a region is measured, in voxels of the CT."""
    at: list[NDArray[Any]] = [np.arange(cut.start, cut.stop) for cut in box]
    if settings.spacing is not None:
        lines = zip(mask.shape, spacing, new, box, strict=True)
        at = [_positions(length, step, wanted, cut) for length, step, wanted, cut in lines]
    if all(is_local(tag) for tag in settings.features):
        steps = zip(at, spacing, new, strict=True)
        at = [_near(planes, mask, axis, 1 + wanted / step) for axis, (planes, step, wanted) in enumerate(steps)]
    if math.prod(len(planes) for planes in at) > _MOST:
        spans = " × ".join(f"{(cut.stop - cut.start) * step:.0f}" for cut, step in zip(box, spacing, strict=True))
        voxels = " × ".join(f"{step:g}" for step in new)
        raise InputError(
            f"the region spans {spans} mm, too many voxels of {voxels} mm: look at what is outlined, or measure at a "
            "larger spacing."
        )
    return at


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
    there = _there(mask, axis)
    return slice(max(int(there[0]) - around, 0), min(int(there[-1]) + around + 1, mask.shape[axis]))


def _positions(length: int, step: float, wanted: float, cut: slice) -> NDArray[np.float64]:
    """Return where the new lattice has planes within a cut, in voxels of the CT."""
    ratio = wanted / step
    # The last digits of a spacing shall not add a plane.
    count = math.ceil(length / ratio - 1e-9)
    first = 0.5 * (length - 1) - 0.5 * ratio * (count - 1)
    # At an end of the CT there may be half a plane more than at a cut.
    low = math.ceil((cut.start - first) / ratio) if cut.start > 0 else 0
    high = math.floor((cut.stop - 1 - first) / ratio) if cut.stop < length else count - 1
    return first + ratio * np.arange(low, min(high, low + _MOST) + 1)


def _near(planes: NDArray[Any], mask: NDArray[np.bool_], axis: int, reach: float) -> NDArray[Any]:
    """Return the planes that lie within reach of any of a mask's: between its pieces at least one without any stays."""
    there = _there(mask, axis)
    after = np.searchsorted(there, planes).clip(1, max(len(there) - 1, 1))
    beside = there[[after - 1, np.minimum(after, len(there) - 1)]]
    return planes[np.abs(beside - planes).min(axis=0) <= reach]


def _there(mask: NDArray[np.bool_], axis: int) -> NDArray[np.int64]:
    return np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))


def _at(values: NDArray[np.generic], places: Sequence[NDArray[Any]], order: int) -> NDArray[np.float64]:
    """Interpolate; beyond the centre of the CT's last voxel, which reaches half a voxel further, it goes on as it is.

    So does a mask: with nothing beyond, as mirp has it, the outer half of such a voxel would be lost from the region.
    """
    grid = np.meshgrid(*places, indexing="ij")
    found: NDArray[np.float64] = map_coordinates(values, grid, np.float64, order=order, mode="nearest")
    return found


def _size(array: NDArray[np.generic]) -> str:
    return " × ".join(str(length) for length in array.shape)
