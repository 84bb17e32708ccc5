"""Masks closed, grown, freed of specks and holes; lengths are in pixels of the mask."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def holes(mask: np.ndarray, side: float) -> np.ndarray:
    """Gaps of less than side² pixels that are wholly enclosed; a gap at the slide's edge may go on beyond it."""
    return ndimage.binary_fill_holes(mask) & ~mask & ~without_specks(~mask, side)


def closed(mask: np.ndarray, radius: float) -> np.ndarray:
    """Morphological closing with a disc; the slide's edge closes nothing and opens nothing."""
    return ~grown(~grown(mask, radius), radius)


def grown(mask: np.ndarray, radius: float) -> np.ndarray:
    """Dilation with a disc of any radius, by the distance to the mask."""
    if not mask.any() or mask.all():
        return mask
    return ndimage.distance_transform_edt(~mask) <= radius


def without_specks(mask: np.ndarray, side: float) -> np.ndarray:
    """Drop connected parts of less than side² pixels."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count == 0:
        return mask
    large = np.bincount(labels.ravel()) >= side**2
    large[0] = False
    return large[labels]


def filled(mask: np.ndarray) -> np.ndarray:
    """Return a mask (z, y, x) with the holes of each slice filled: what no side of the slice can be reached from.

    As `scipy.ndimage.binary_fill_holes` of every slice, in less than half its time.
    """
    beside = np.zeros((3, 3, 3), bool)
    beside[1] = ndimage.generate_binary_structure(2, 1)
    labels, count = ndimage.label(~mask, beside)
    outside = np.zeros(count + 1, bool)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        outside[edge.ravel()] = True
    outside[0] = False
    return ~outside[labels]
