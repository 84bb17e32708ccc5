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
from skimage.measure import regionprops_table
from skimage.morphology import disk, remove_small_objects
from skimage.segmentation import watershed

from diffuscope.stains.deconvolution import optical_density, stain_matrix

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


def estimate_stains(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Haematoxylin, eosin and residual vectors of a slide (Macenko et al. 2009).

    The two stains are the 1st and 99th percentile of the angle in the plane of the two main directions of
    optical density. Slides differ too much for one fixed matrix: on an eosin-rich slide the textbook
    vectors leave almost no haematoxylin contrast.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3)
        uint8 H&E.

    Returns
    -------
    ndarray of shape (3, 3)
        Unit rows.
    """
    density = optical_density(rgb).reshape(-1, 3)
    density = density[(density.min(axis=1) > 0.03) & (density.sum(axis=1) > 0.45)][::7].astype(np.float64)
    plane = np.linalg.eigh(np.cov(density.T))[1][:, 1:]
    plane *= np.where(plane.sum(axis=0) < 0, -1.0, 1.0)
    angle = np.arctan2(density @ plane[:, 0], density @ plane[:, 1])
    low, high = np.percentile(angle, [1, 99])
    ends = [np.abs(plane @ np.array([np.sin(a), np.cos(a)])) for a in (low, high)]
    # Haematoxylin absorbs more red, relative to its length, than eosin.
    haematoxylin, eosin = sorted(ends, key=lambda v: -v[0] / np.linalg.norm(v))
    return stain_matrix(haematoxylin, eosin)


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

    Lymphocyte-like: 4–8.5 µm, round, smooth in outline, dark, and even inside. Epithelial-like: larger or paler, not
    spindle-shaped, and among others of its kind. What is neither (spindle nuclei, debris) has both near 0.

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
    properties = ("area", "centroid", "eccentricity", "solidity", "intensity_mean", "intensity_std")
    table = regionprops_table(labels, haematoxylin, properties=properties)
    centre = np.stack([table["centroid-0"], table["centroid-1"]], axis=1)
    diameter = 2.0 * np.sqrt(table["area"] / np.pi) * mpp
    mean = table["intensity_mean"]
    darkness = mean / np.median(mean) if len(mean) else mean
    # Relative to the slide as well: a sharp scanner makes every nucleus uneven.
    variation = table["intensity_std"] / np.maximum(mean, 1e-6)
    unevenness = variation / max(float(np.median(variation)), 1e-6) if len(mean) else variation
    # A nucleus is as lymphocyte-like as its least lymphocyte-like feature.
    lymphocyte = np.minimum.reduce(
        [
            _ramp(diameter, 3.6, 4.2),
            _ramp(diameter, 9.0, 8.2),
            _ramp(table["eccentricity"], 0.92, 0.84),
            _ramp(table["solidity"], 0.80, 0.88),
            _ramp(darkness, 0.88, 1.02),
            _ramp(unevenness, 1.6, 1.3),
        ]
    )
    candidate = np.minimum.reduce(
        [
            _ramp(diameter, 5.5, 6.5),
            _ramp(table["eccentricity"], 0.95, 0.88),
            _ramp(table["solidity"], 0.78, 0.86),
            1.0 - lymphocyte,
        ]
    )
    company = np.zeros(len(diameter))
    if len(diameter):
        near = KDTree(centre).query_ball_point(centre, NEIGHBOURHOOD / mpp)
        company = np.array([candidate[list(others)].sum() - own for others, own in zip(near, candidate, strict=True)])
    epithelial = np.minimum(candidate, _ramp(company, 0.5, 2.5))
    return Cells(labels, centre, diameter, darkness, lymphocyte, epithelial)


def _ramp(value: NDArray[np.floating], zero: float, one: float) -> NDArray[np.float64]:
    """Return 0 at `zero`, 1 at `one`, linear between, constant outside; falls where zero > one."""
    return np.clip((np.asarray(value, np.float64) - zero) / (one - zero), 0.0, 1.0)
