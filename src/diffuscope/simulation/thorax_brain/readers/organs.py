"""Finds lungs, or what lies in the skull, in an image: where findings may lie, and what zones are cut from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import convex_hull_image

Mask = NDArray[np.bool_]
Values = NDArray[np.floating]

#: Least px of a lung.
_LUNG = 60
#: Least px of a part of one; a stomach's air is below.
_PART = 30


def lungs(values: Values) -> tuple[float, list[Mask]]:
    """Return how bright soft tissue is in a CT or MRI of a chest, and the lungs, with all that lies in them.

    Parameters
    ----------
    values : ndarray of shape (h, w)
        At least 0; air is dark.

    Returns
    -------
    soft : float
        Median.
    lungs : list of ndarray of shape (h, w)
        Up to two.
    """
    smooth = ndimage.gaussian_filter(values, 0.5)
    bright = float(np.quantile(smooth, 0.9))
    body = ndimage.binary_fill_holes(largest(smooth > 0.2 * bright)[0])
    soft = float(np.median(values[body & (values > 0.3 * bright)]))
    dark = ndimage.binary_erosion(body, iterations=2) & (smooth < 0.45 * soft)
    return soft, _halves(dark)


def largest(mask: Mask, count: int = 1) -> list[Mask]:
    """Return the largest connected parts of a mask, the largest first."""
    labels, number = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=number + 1)[1:]
    return [labels == one + 1 for one in np.argsort(-sizes, kind="stable")[:count]]


def lungs_of_radiograph(values: Values) -> list[Mask]:
    """Return the lungs in a radiograph of a chest, up to two: what is brighter than air and darker than the rest."""
    smooth = ndimage.gaussian_filter(values, 1.0)
    body = ndimage.binary_fill_holes(largest(smooth > 0.15 * float(np.quantile(smooth, 0.95)))[0])
    inner = ndimage.binary_erosion(body, iterations=3)
    inner[-3:] = False
    if not inner.any():
        return []
    # Between the lungs, of which there is most in the upper half, and what lies under the diaphragm.
    low, high = np.quantile(smooth[inner], (0.1, 0.9))
    return _halves(ndimage.binary_opening(inner & (smooth < low + 0.5 * (high - low))))


def _halves(dark: Mask) -> list[Mask]:
    """Return the convex hulls of what is dark on either side: a finding that makes a hole or a bay is in the lung."""
    parts = [part for part in largest(dark, 6) if part.sum() >= _PART]
    if not parts:
        return []
    columns = np.flatnonzero(np.any(parts, axis=0).any(axis=0))
    middle = columns[[0, -1]].mean()
    sides = [[part for part in parts if (np.nonzero(part)[1].mean() > middle) == left] for left in (False, True)]
    hulls = [convex_hull_image(np.any(side, axis=0)) for side in sides if side]
    return [hull for hull in hulls if hull.sum() >= _LUNG]


def in_skull_of_ct(values: Values) -> Mask:
    """Return what lies within the skull in a CT of a head, HU."""
    skull = largest(values > 250)[0] if (values > 250).any() else np.zeros(values.shape, np.bool_)
    return np.asarray(ndimage.binary_fill_holes(skull) & ~skull)


def in_skull_of_mri(values: Values) -> Mask:
    """Return what lies within the skull in an MRI of a head: from where it is bright again behind its darkest shell."""
    smooth = ndimage.gaussian_filter(values, 0.5)
    # Filled first: the dark of the skull may part brain and scalp.
    head = largest(ndimage.binary_fill_holes(smooth > 0.2 * float(np.quantile(smooth, 0.95))))[0]
    depth = ndimage.distance_transform_edt(head)
    depths = np.arange(1.5, min(8.0, float(depth.max()) - 1), 0.25)
    if not len(depths):
        return np.zeros(values.shape, np.bool_)
    shells = np.array([float(np.median(smooth[np.abs(depth - at) < 0.5])) for at in depths])
    dark = int(np.nanargmin(shells[:16]))
    bright = np.flatnonzero(shells[dark:] > 0.6 * float(np.median(smooth[depth > 8])))
    # What was generated may be thinner than a head is, with no px at some depths.
    behind = min(dark + (int(bright[0]) if len(bright) else 4), len(depths) - 1)
    return np.asarray(depth > depths[behind])


def in_skull_of_radiograph(values: Values) -> Mask:
    """Return what lies within the skull in a radiograph of a head, by the usual thickness of scalp and skull."""
    head = largest(ndimage.gaussian_filter(values, 0.5) > 0.05)[0]
    return np.asarray(ndimage.distance_transform_edt(head) > 4.0)
