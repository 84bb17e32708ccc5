"""How far nanoparticles come from vessels: load, distance to the nearest vessel profile, and load against distance.

Distances are in the plane of the section. The nearest vessel may lie above or below it, and particles may not have come
from the nearest one: the curve describes the section, and is not a diffusion length.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def vessel_threshold(parts: Iterable[NDArray[np.generic]], *, mpp: float, every: int = 1) -> float | None:
    """Return the value above which a smoothed vessel channel is vessel (see `find_vessels`).

    Parameters
    ----------
    parts : iterable of ndarray (h, w)
        The channel, or parts of it one after the other.
    mpp : float
        µm per pixel.
    every : int
        Only every n-th row and column of the smoothed parts is looked at.

    Returns
    -------
    float or None
        None where the channel is even.
    """
    smooth = np.concatenate([_smoothed(part, mpp)[::every, ::every].ravel() for part in parts])
    return float(threshold_li(smooth)) if _varies(smooth) else None


def find_vessels(cd31: NDArray[np.generic], *, mpp: float, threshold: float | None = None) -> NDArray[np.bool_]:
    """Find vessel profiles: what is brighter than Li's threshold, with the lumen that it encloses.

    Li's minimum cross-entropy (Li & Lee, Pattern Recognit 26, 617, 1993) keeps faint walls beside bright ones, which
    Otsu's threshold loses.

    Parameters
    ----------
    cd31 : ndarray of shape (h, w)
        Vessel channel, any unit.
    mpp : float
        µm per pixel.
    threshold : float, optional
        That of a larger image which this is a part of, from `vessel_threshold`; default: its own.

    Returns
    -------
    ndarray of bool
        Of that shape; nothing where the channel is even and no threshold was given.
    """
    if threshold is None:
        threshold = vessel_threshold([cd31], mpp=mpp)
    if threshold is None:
        return np.zeros(cd31.shape, np.bool_)
    walls = _smoothed(cd31, mpp) > threshold
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
        A row a region, for `diffuscope.measurement.measurements.write_csv`: ``region``, ``area_um2`` (predicted,
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
    rows = []
    for name, region in regions.items():
        sums = PenetrationSums(bin_um=bin_um, furthest_um=furthest_um)
        sums.add(load, vessels, distance, region)
        rows.append({"region": name, **sums.row(mpp=mpp)})
    return rows


class PenetrationSums:
    """What `measure_penetration` adds up of one region, part by part of a large image.

    Parameters
    ----------
    bin_um, furthest_um : float
        As of `measure_penetration`.

    Raises
    ------
    InputError
        The bins are none.
    """

    def __init__(self, *, bin_um: float = BIN_UM, furthest_um: float = FURTHEST_UM) -> None:
        if bin_um <= 0 or furthest_um < bin_um:
            raise InputError(f"Bins of {bin_um:g} µm up to {furthest_um:g} µm are none: give 0 < width ≤ end.")
        self._edges = np.arange(0.0, furthest_um + bin_um / 2, bin_um)
        self._names = [f"load_{low:g}_{high:g}_um" for low, high in pairwise(self._edges)]
        self._names.append(f"load_from_{self._edges[-1]:g}_um")
        self._pixels = self._in_vessels = 0
        self._total = self._tissue = self._far = self._weighted = 0.0
        self._count, self._summed = np.zeros(len(self._names), np.int64), np.zeros(len(self._names))

    def add(
        self,
        load: NDArray[np.floating],
        vessels: NDArray[np.bool_],
        distance: NDArray[np.float64],
        region: NDArray[np.bool_],
    ) -> None:
        """Add a part of the image: four arrays of one shape, the distance as `vessel_distance` gives it."""
        inside = region & np.isfinite(load)
        tissue = inside & ~vessels
        here, far = load[tissue].astype(np.float64), distance[tissue]
        bins = np.clip(np.searchsorted(self._edges, far, side="right") - 1, 0, len(self._names) - 1)
        self._count += np.bincount(bins, minlength=len(self._names))
        self._summed += np.bincount(bins, weights=here, minlength=len(self._names))
        self._pixels += int(inside.sum())
        self._in_vessels += int((inside & vessels).sum())
        self._total += float(load[inside].sum(dtype=np.float64))
        self._tissue += float(here.sum())
        self._far += float(far.sum())
        # without a vessel it is not finite, also where the load is 0
        self._weighted += float((here * far).sum()) if np.isfinite(far).all() else np.inf

    def row(self, *, mpp: float) -> dict[str, Any]:
        """Return the row of `measure_penetration`, without the region's name."""
        pixels, near = self._pixels, np.isfinite(self._far)
        outside = int(self._count.sum())
        return {
            "area_um2": pixels * mpp**2,
            "vessel_area_percent": 100.0 * self._in_vessels / pixels if pixels else None,
            "total_load": self._total * mpp**2,
            "mean_load": self._total / pixels if pixels else None,
            "mean_distance_um": self._far / outside if outside and near else None,
            "load_distance_um": self._weighted / self._tissue if near and self._tissue > 0 else None,
            **{
                key: float(value / number) if number and near else None
                for key, value, number in zip(self._names, self._summed, self._count, strict=True)
            },
        }


def _varies(smooth: NDArray[np.float64]) -> bool:
    # smoothing an even image leaves differences in the last bits
    return bool(np.ptp(smooth) > 1e-9 * max(1.0, float(np.abs(smooth).max())))


def _smoothed(channel: NDArray[np.generic], mpp: float) -> NDArray[np.float64]:
    return np.asarray(ndimage.gaussian_filter(np.asarray(channel, dtype=np.float64), 0.5 / mpp))
