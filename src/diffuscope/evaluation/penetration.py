"""How far nanoparticles come from vessels: load, distance to the nearest vessel profile, and load against distance.

Distances are in the plane of the section. The nearest vessel may lie above or below it, and particles may not have come
from the nearest one: the curve describes the section, and is not a diffusion length.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_li
from skimage.morphology import remove_small_objects

from diffuscope.errors import InputError

BIN_UM = 10.0
"""Width of a bin of the penetration curve, µm."""

FURTHEST_UM = 100.0
"""Where the curve's last bin begins, which is open."""

# Smallest profile, µm²: a capillary of 4 µm has 13.
_SMALLEST = 10.0
# Ends of a wall that are nearer to each other than this close a lumen, µm.
_GAP = 3.0


def find_vessels(cd31: NDArray[np.generic], *, mpp: float) -> NDArray[np.bool_]:
    """Find vessel profiles: what is brighter than Li's threshold, with the lumen that it encloses.

    Li's minimum cross-entropy (Li & Lee, Pattern Recognit 26, 617, 1993) keeps faint walls beside bright ones, which
    Otsu's threshold loses.

    Parameters
    ----------
    cd31 : ndarray of shape (h, w)
        Vessel channel, any unit.
    mpp : float
        µm per pixel.

    Returns
    -------
    ndarray of bool
        Of that shape; nothing where the channel is even.
    """
    channel = np.asarray(cd31, dtype=np.float64)
    if np.ptp(channel) == 0:
        return np.zeros(channel.shape, np.bool_)
    smooth = ndimage.gaussian_filter(channel, 0.5 / mpp)
    walls = smooth > threshold_li(smooth)
    closed = ndimage.binary_closing(np.pad(walls, 8), iterations=max(round(_GAP / mpp / 2), 1))[8:-8, 8:-8]
    filled = ndimage.binary_fill_holes(closed | walls)
    smallest = int(np.ceil(_SMALLEST / mpp**2))
    return np.asarray(remove_small_objects(filled, max_size=max(smallest - 1, 0)), dtype=np.bool_)


def vessel_distance(vessels: NDArray[np.bool_], *, mpp: float) -> NDArray[np.float64]:
    """Return the distance of each pixel from the nearest profile, µm.

    Parameters
    ----------
    vessels : ndarray of shape (h, w)
        bool.
    mpp : float
        µm per pixel.

    Returns
    -------
    ndarray of float64
        0 in profiles; between pixel centres, less the half pixel by which a profile reaches beyond its last one;
        ``inf`` where there is no vessel at all.
    """
    if not vessels.any():
        return np.full(vessels.shape, np.inf)
    return np.maximum(ndimage.distance_transform_edt(~vessels) - 0.5, 0.0) * mpp


def measure_penetration(
    load: NDArray[np.floating],
    vessels: NDArray[np.bool_],
    regions: Mapping[str, NDArray[np.bool_]] | None = None,
    *,
    mpp: float,
    bin_um: float = BIN_UM,
    furthest_um: float = FURTHEST_UM,
) -> list[dict[str, Any]]:
    """Measure the load of regions, and how it falls with the distance from vessels.

    Profiles themselves are left out of the curve and of both mean distances: what is in them is blood. Vessels
    outside a region count for distances within it.

    Parameters
    ----------
    load : ndarray of shape (h, w)
        Predicted particles, at least 0; not finite where nothing was predicted.
    vessels : ndarray of shape (h, w)
        bool, profiles; see `find_vessels`.
    regions : mapping of str to ndarray of bool, optional
        Drawn regions by name, each (h, w); default the whole image.
    mpp : float
        µm per pixel.
    bin_um, furthest_um : float
        Bins [0, bin), [bin, 2·bin) … up to `furthest_um`, then one of all that is further.

    Returns
    -------
    list of dict
        A row a region, for `diffuscope.evaluation.measurements.write_csv`: ``region``, ``area_um2`` (predicted,
        profiles included), ``vessel_area_percent``, ``total_load`` (load times µm², profiles included), ``mean_load``,
        ``mean_distance_um`` (of tissue from the nearest profile), ``load_distance_um`` (the same, weighted by load:
        how far the particles are), and ``load_0_10_um`` … ``load_from_100_um``, means of load in the bins. None where
        there is nothing to take a mean of.

    Raises
    ------
    InputError
        Shapes differ, or the bins are none.
    """
    if bin_um <= 0 or furthest_um < bin_um:
        raise InputError(f"Bins of {bin_um:g} µm up to {furthest_um:g} µm are none: give 0 < width ≤ end.")
    regions = {"whole image": np.ones(load.shape, np.bool_)} if regions is None else regions
    for name, image in {"vessels": vessels, **regions}.items():
        if image.shape != load.shape:
            raise InputError(f"{name} is {image.shape} px and the load {load.shape} px: give both on one grid.")
    distance = vessel_distance(vessels, mpp=mpp)
    edges = np.arange(0.0, furthest_um + bin_um / 2, bin_um)
    names = [f"load_{low:g}_{high:g}_um" for low, high in pairwise(edges)]
    names.append(f"load_from_{edges[-1]:g}_um")
    rows = []
    for name, region in regions.items():
        inside = region & np.isfinite(load)
        tissue = inside & ~vessels
        here, far = load[tissue].astype(np.float64), distance[tissue]
        near = np.isfinite(far).all()
        bins = np.clip(np.searchsorted(edges, far, side="right") - 1, 0, len(names) - 1)
        count = np.bincount(bins, minlength=len(names))
        summed = np.bincount(bins, weights=here, minlength=len(names))
        pixels, total = int(inside.sum()), float(load[inside].sum(dtype=np.float64))
        rows.append(
            {
                "region": name,
                "area_um2": pixels * mpp**2,
                "vessel_area_percent": 100.0 * int((inside & vessels).sum()) / pixels if pixels else None,
                "total_load": total * mpp**2,
                "mean_load": total / pixels if pixels else None,
                "mean_distance_um": float(far.mean()) if far.size and near else None,
                "load_distance_um": float((here * far).sum() / here.sum()) if near and here.sum() > 0 else None,
                **{
                    key: float(value / number) if number and near else None
                    for key, value, number in zip(names, summed, count, strict=True)
                },
            }
        )
    return rows
