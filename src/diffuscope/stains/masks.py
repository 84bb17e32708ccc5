"""Coarse masks of DAB-positive cells, the segmentation branch's training target (StainDiffuser §3.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import disk, reconstruction, remove_small_objects


def mean_plus_two_sigma(dab: NDArray[np.generic]) -> float:
    """Threshold μ + 2σ of DAB over a whole slide, the paper's rule for sparse stains such as CD3.

    Parameters
    ----------
    dab : ndarray
        DAB optical density of the whole slide (or all of its tissue), OD.

    Returns
    -------
    float
        Threshold, OD.
    """
    values = np.asarray(dab, dtype=np.float64)
    return float(values.mean() + 2.0 * values.std())


def fill_rims(dab: NDArray[np.generic]) -> NDArray[np.float32]:
    """Raise the inside of every closed rim to the lowest point of that rim: hole filling of a grey image.

    A membrane stain leaves the nucleus pale, but the cell is positive and so is its coarse mask; this makes a density
    comparable with such a mask. At every threshold, the result's mask is the image's mask with its holes filled.

    Parameters
    ----------
    dab : ndarray of shape (h, w)
        DAB optical density, OD.

    Returns
    -------
    ndarray of shape (h, w)
        float32 OD, nowhere lower than `dab`.
    """
    density = np.asarray(dab, dtype=np.float32)
    seed = np.full_like(density, density.max())
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        seed[edge] = density[edge]
    return np.asarray(reconstruction(seed, density, method="erosion", footprint=np.ones((3, 3))), dtype=np.float32)


def coarse_mask(
    dab: NDArray[np.generic], *, mpp: float, threshold: float | None = None, min_area_um2: float = 8.0
) -> NDArray[np.bool_]:
    """Positive cells of a DAB density image: threshold, open, close, fill holes, drop specks.

    Parameters
    ----------
    dab : ndarray of shape (h, w)
        DAB optical density, OD.
    mpp : float
        µm per pixel: the morphology is in µm, so that a mask does not depend on magnification.
    threshold : float, optional
        OD. By default Otsu's threshold of this image, which suits dense stains such as CK8/18;
        give `mean_plus_two_sigma` of the slide for sparse ones.
    min_area_um2 : float
        Smaller objects are dropped, µm².

    Returns
    -------
    ndarray of bool, shape (h, w)
        True in positive cells.
    """
    level = threshold_otsu(dab) if threshold is None else threshold
    mask = np.asarray(dab) > level
    # Opening removes what is thinner than 0.5 µm, closing joins what is split by less than 1 µm.
    opened = ndimage.binary_opening(mask, disk(max(round(0.25 / mpp), 0)))
    closed = ndimage.binary_closing(np.pad(opened, 8, mode="edge"), disk(max(round(0.5 / mpp), 1)))[8:-8, 8:-8]
    filled = ndimage.binary_fill_holes(closed)
    smallest = max(round(min_area_um2 / mpp**2), 1)
    return np.asarray(remove_small_objects(filled, max_size=smallest - 1), dtype=np.bool_)


def signed_distance(mask: NDArray[np.bool_], *, mpp: float, limit: float) -> NDArray[np.float32]:
    """Signed distance to the outline of a mask: positive inside, negative outside.

    The outline runs between pixels: the centre of a pixel beside it lies half a pixel away.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        Positive cells.
    mpp : float
        µm per pixel.
    limit : float
        Greater distances are cut off here, µm; also the distance to an outline that the image does not show.

    Returns
    -------
    ndarray of shape (h, w)
        float32, µm, in [−limit, limit].
    """
    inside = np.asarray(mask, np.bool_)
    if inside.all() or not inside.any():
        return np.where(inside, limit, -limit).astype(np.float32)
    pixels = np.where(
        inside, ndimage.distance_transform_edt(inside) - 0.5, 0.5 - ndimage.distance_transform_edt(~inside)
    )
    return np.clip(pixels * mpp, -limit, limit).astype(np.float32)
