"""The first teacher: restains real H&E pixels by a written rule, so that a demonstration can be trained.

No public set has registered H&E and CD3 or CK8/18. The teacher finds nuclei by colour deconvolution and
watershed, calls small, round, dark ones lymphocyte-like, and paints DAB around those (CD3) or into the
cytoplasm of the larger ones (CK8/18). Eosin is removed, haematoxylin kept as the counterstain.
**A rule, not an antibody**: what a model learns from it says nothing about antigens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.measure import regionprops_table
from skimage.morphology import disk, remove_small_objects
from skimage.segmentation import expand_labels, watershed

from diffuscope.stains.deconvolution import HDAB, combine, optical_density, separate, stain_matrix

Stain = Literal["CD3", "CK8/18"]


@dataclass(frozen=True)
class Restained:
    """A pair's truth.

    Attributes
    ----------
    ihc : ndarray of shape (h, w, 3)
        uint8 restained image.
    dab : ndarray of shape (h, w)
        float32 DAB optical density that was painted.
    nuclei : ndarray of shape (h, w)
        int32 labels of all nuclei, 0 = none.
    positive : ndarray
        Labels of the positive cells.
    """

    ihc: NDArray[np.uint8]
    dab: NDArray[np.float32]
    nuclei: NDArray[np.int32]
    positive: NDArray[np.int64]


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
        int32 labels from 1, 0 = no nucleus; nothing under 10 µm².
    """
    smooth = ndimage.gaussian_filter(haematoxylin, 0.5 / mpp)
    local = smooth - ndimage.gaussian_filter(smooth, 12.0 / mpp)
    stained = smooth > 0.05
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


def lymphocyte_like(
    nuclei: NDArray[np.int32], haematoxylin: NDArray[np.floating], *, mpp: float
) -> dict[str, NDArray[Any]]:
    """Measure nuclei and say which are small (4–8.5 µm), round and dark, as lymphocytes' are.

    Returns
    -------
    dict
        ``label``, ``diameter`` (µm), ``darkness`` (OD relative to the slide's nuclear median), ``lymphocyte`` (bool).
    """
    table = regionprops_table(
        nuclei, haematoxylin, properties=("label", "area", "eccentricity", "solidity", "intensity_mean")
    )
    diameter = 2.0 * np.sqrt(table["area"] / np.pi) * mpp
    darkness = table["intensity_mean"] / np.median(table["intensity_mean"])
    small = (diameter > 4.0) & (diameter < 8.5)
    round_ = (table["eccentricity"] < 0.80) & (table["solidity"] > 0.88)
    return {
        "label": table["label"],
        "diameter": diameter,
        "darkness": darkness,
        "lymphocyte": small & round_ & (darkness > 1.0),
    }


def restain(
    rgb: NDArray[np.uint8], stain: Stain, *, mpp: float, stains: NDArray[np.float64] | None = None
) -> Restained:
    """Restain an H&E image by rule.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3)
        uint8 H&E.
    stain : {"CD3", "CK8/18"}
        CD3: a DAB rim on lymphocyte-like nuclei. CK8/18: DAB in the cytoplasm of the larger nuclei's cells.
    mpp : float
        µm per pixel.
    stains : ndarray of shape (3, 3), optional
        Stain vectors of the slide; by default estimated from `rgb`.

    Returns
    -------
    Restained
    """
    matrix = estimate_stains(rgb) if stains is None else stains
    haematoxylin = np.maximum(separate(rgb, matrix)[..., 0], 0.0)
    tissue = haematoxylin[optical_density(rgb).sum(axis=-1) > 0.45]
    # One slide's haematoxylin is another's half: bring the darkest nuclei to a common 0.75 OD.
    counterstain = haematoxylin * (0.75 / max(float(np.percentile(tissue, 99)), 0.2))
    nuclei = find_nuclei(counterstain, mpp=mpp)
    cells = lymphocyte_like(nuclei, counterstain, mpp=mpp)
    lookup = np.zeros(int(nuclei.max()) + 1, np.float32)
    if stain == "CD3":
        chosen = cells["lymphocyte"]
        lookup[cells["label"][chosen]] = np.clip(0.75 * cells["darkness"][chosen], 0.5, 1.2)
        inner = ndimage.distance_transform_edt(nuclei > 0) * mpp
        cell = expand_labels(nuclei, 1.5 / mpp)
        dab = lookup[cell] * (inner < 1.0)
    else:
        chosen = ~cells["lymphocyte"] & (cells["diameter"] > 6.0)
        lookup[cells["label"][chosen]] = 0.6
        cell = expand_labels(nuclei, 4.0 / mpp)
        dab = lookup[cell] * (nuclei == 0)
    # Stain is not sharper than the optics: 0.4 µm of blur.
    dab = ndimage.gaussian_filter(dab, 0.4 / mpp)
    counterstain = ndimage.gaussian_filter(counterstain, 0.25 / mpp)
    densities = np.stack([0.8 * counterstain, dab, np.zeros_like(dab)], axis=-1)
    return Restained(
        ihc=combine(densities, HDAB), dab=dab.astype(np.float32), nuclei=nuclei, positive=cells["label"][chosen]
    )
