"""Nuclei in H&E and what they look like: found by colour deconvolution and watershed, described by shape and company.

How much a nucleus looks like a lymphocyte's or an epithelial cell's is a number in [0, 1], not a verdict: nuclei
between the two are ambiguous to a pathologist as well, and the teacher makes use of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.measure import regionprops
from skimage.morphology import disk, remove_small_objects
from skimage.segmentation import watershed

#: Radius in which nuclei are each other's neighbours, µm: about two epithelial cells.
NEIGHBOURHOOD = 20.0


@dataclass(frozen=True)
class Cells:
    """The nuclei of an image; every array has one value per label 1 … n, in that order.

    Attributes
    ----------
    labels : ndarray of shape (h, w)
        int32, 0 = no nucleus.
    centre : ndarray of shape (n, 2)
        (y, x), px.
    diameter : ndarray
        Of the circle of the same area, µm.
    darkness : ndarray
        Mean haematoxylin over the median nucleus's.
    lymphocyte, epithelial : ndarray
        How much the nucleus looks like one, in [0, 1]; their sum is at most 1.
    """

    labels: NDArray[np.int32]
    centre: NDArray[np.float64]
    diameter: NDArray[np.float64]
    darkness: NDArray[np.float64]
    lymphocyte: NDArray[np.float64]
    epithelial: NDArray[np.float64]


def find_nuclei(haematoxylin: NDArray[np.floating], *, mpp: float) -> NDArray[np.int32]:
    """Label nuclei in a haematoxylin density image: Otsu, opening, watershed of the distance map.

    Parameters
    ----------
    haematoxylin : ndarray of shape (h, w)
        OD.
    mpp : float
        µm per pixel.

    Returns
    -------
    ndarray of shape (h, w)
        int32 labels 1 … n, 0 = no nucleus; nothing under 10 µm².
    """
    smooth = ndimage.gaussian_filter(haematoxylin, 0.5 / mpp)
    # Against the neighbourhood as well: keratin and folds are dark over areas that no nucleus fills.
    local = smooth - ndimage.gaussian_filter(smooth, 12.0 / mpp)
    stained = smooth > 0.05
    if not stained.any():
        return np.zeros(smooth.shape, np.int32)
    mask = (smooth > threshold_otsu(smooth[stained])) & (local > 0)
    mask = ndimage.binary_opening(mask, disk(max(round(0.8 / mpp), 1)))
    mask = remove_small_objects(ndimage.binary_fill_holes(mask), max_size=round(10.0 / mpp**2))
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 0.5 / mpp)
    peaks = peak_local_max(
        distance, min_distance=max(round(2.0 / mpp), 1), labels=mask.astype(int), exclude_border=False
    )
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-distance, seeds, mask=mask), dtype=np.int32)


def describe(labels: NDArray[np.int32], haematoxylin: NDArray[np.floating], *, mpp: float) -> Cells:
    """Measure nuclei, and how much each looks like a lymphocyte's or an epithelial cell's.

    Lymphocyte-like: 4–8.5 µm, round, smooth in outline, dark, and even inside. Epithelial-like: larger or paler
    (small nuclei count as well: in many tumours they are no larger than a lymphocyte's), not spindle-shaped, and among
    others of its kind. What is neither (spindle nuclei, debris) has both near 0.

    Parameters
    ----------
    labels : ndarray of shape (h, w)
        int32, from `find_nuclei` or a simulator; 1 … n.
    haematoxylin : ndarray of shape (h, w)
        OD.
    mpp : float
        µm per pixel.

    Returns
    -------
    Cells
    """
    area, centre, eccentricity, mean, spread = _moments(labels, haematoxylin)
    diameter = 2.0 * np.sqrt(area / np.pi) * mpp
    darkness = mean / np.median(mean) if len(mean) else mean
    # Relative to the slide as well: a sharp scanner makes every nucleus uneven.
    variation = spread / np.maximum(mean, 1e-6)
    unevenness = variation / max(float(np.median(variation)), 1e-6) if len(mean) else variation
    # A nucleus is as lymphocyte-like as its least lymphocyte-like feature.
    lymphocyte = np.minimum.reduce(
        [
            _ramp(diameter, 3.6, 4.2),
            _ramp(diameter, 9.0, 8.2),
            _ramp(eccentricity, 0.92, 0.84),
            _ramp(darkness, 0.88, 1.02),
            _ramp(unevenness, 1.6, 1.3),
        ]
    )
    candidate = np.minimum(_ramp(diameter, 3.2, 4.2), _ramp(eccentricity, 0.95, 0.88))
    solidity = _solidity(labels, np.maximum(lymphocyte, candidate) > 0)
    lymphocyte = np.minimum(lymphocyte, _ramp(solidity, 0.80, 0.88))
    candidate = np.minimum.reduce([candidate, _ramp(solidity, 0.78, 0.86), 1.0 - lymphocyte])
    company = np.zeros(len(diameter))
    if len(diameter):
        near = KDTree(centre).query_ball_point(centre, NEIGHBOURHOOD / mpp)
        company = np.array([candidate[list(others)].sum() - own for others, own in zip(near, candidate, strict=True)])
    epithelial = np.minimum(candidate, _ramp(company, 0.5, 2.5))
    return Cells(labels, centre, diameter, darkness, lymphocyte, epithelial)


def _moments(labels: NDArray[np.int32], image: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
    """Return of each label area (px), centroid (n, 2), eccentricity, and mean and sd of the image.

    Those of `skimage.measure.regionprops`, for all labels at once: a slide has ten thousand, and training waits for it.
    """
    y, x = np.nonzero(labels)
    label, values = labels[y, x], image[y, x].astype(np.float64)
    area = np.bincount(label).astype(np.float64)
    there = np.flatnonzero(area)

    def mean(of: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
        return np.bincount(label, of) / np.maximum(area, 1.0)

    centre, level = (mean(y), mean(x)), mean(values)
    down, across = y - centre[0][label], x - centre[1][label]
    yy, xx, yx = (mean(product)[there] for product in (down * down, across * across, down * across))
    root = np.hypot((yy - xx) / 2.0, yx)
    long, short = (yy + xx) / 2.0 + root, np.maximum((yy + xx) / 2.0 - root, 0.0)
    eccentricity = np.sqrt(1.0 - np.divide(short, long, out=np.ones_like(long), where=long > 0))
    spread = np.sqrt(mean((values - level[label]) ** 2))
    return area[there], np.stack(centre, axis=1)[there], eccentricity, level[there], spread[there]


def _solidity(labels: NDArray[np.int32], sought: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return area over that of the convex hull of the sought ones; 0 of the others, whose hull is not looked for."""
    found = np.zeros(len(sought))
    for index, region in enumerate(regionprops(labels)):
        if sought[index]:
            found[index] = region.solidity
    return found


def _ramp(value: NDArray[np.floating], zero: float, one: float) -> NDArray[np.float64]:
    """Return 0 at `zero`, 1 at `one`, linear between, constant outside; falls where zero > one."""
    return np.clip((np.asarray(value, np.float64) - zero) / (one - zero), 0.0, 1.0)
