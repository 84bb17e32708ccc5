"""How alike intensities are that lie near each other, over all pairs of voxels (IBSI N365 and NPT7).

Of n voxels there are n²/2 pairs: mirp draws a hundred voxels at a time, which lies off by 1/99. On a lattice the sums
over pairs are convolutions, and a Fourier transform takes all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, next_fast_len, rfftn

from diffuscope.radiomics.region import Region


def moran_and_geary(region: Region) -> tuple[float, float]:
    """Return Moran's I and Geary's C of the intensities of a region, weighted by 1 / distance.

    Parameters
    ----------
    region : Region
        Measured where it has tissue; both are NaN where all is of one intensity, or there is one voxel.
    """
    there = np.argwhere(region.tissue)
    if len(there) < 2:
        return float("nan"), float("nan")
    box = tuple(slice(low, high + 1) for low, high in zip(there.min(0), there.max(0), strict=True))
    tissue = region.tissue[box].astype(np.float64)
    deviation = (region.image[box] - region.image[region.tissue].mean()) * tissue
    if not deviation.any():
        return float("nan"), float("nan")
    weights = _weights(tissue.shape, region.spacing)
    neighbours = _summed(tissue, weights)
    # Each pair is there twice, from both of its ends, and so in both sums.
    products = (deviation * _summed(deviation, weights)).sum()
    squares = 2 * (deviation**2 * neighbours).sum() - 2 * products
    total, variance, count = (tissue * neighbours).sum(), (deviation**2).sum(), len(there)
    moran = count * products / (total * variance)
    return float(moran), float((count - 1) * squares / (2 * total * variance))


def _weights(shape: tuple[int, ...], spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return 1 / mm of each shift between two voxels of a box, 0 for none; backward shifts lie at the end."""
    shifts = []
    for length, step in zip(shape, spacing, strict=True):
        padded = next_fast_len(2 * length - 1, real=True)
        numbers = np.arange(padded)
        shifts.append((np.where(numbers < length, numbers, numbers - padded) * step) ** 2)
    squared = shifts[0][:, None, None] + shifts[1][:, None] + shifts[2]
    return np.divide(1, np.sqrt(squared), out=np.zeros_like(squared), where=squared > 0)


def _summed(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return of each voxel the weighted sum over all others."""
    spectrum = rfftn(values, weights.shape)
    spectrum *= rfftn(weights)
    found: NDArray[np.float64] = irfftn(spectrum, weights.shape)
    return found[tuple(slice(length) for length in values.shape)]
