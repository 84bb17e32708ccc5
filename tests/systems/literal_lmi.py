"""LMI as the definitions have it, in float64, a loop for every sum: what the fast one is tested against."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Entropies = Callable[[list[float], list[float]], tuple[float, float, float]]


def patch_around(image: NDArray[np.float64], centre: Sequence[int], side: int) -> list[float]:
    """Return the samples of a patch; beyond the border the outermost pixels are repeated."""
    reach, samples = side // 2, []
    for offset in itertools.product(range(-reach, reach + 1), repeat=image.ndim):
        place = (min(max(c + o, 0), n - 1) for c, o, n in zip(centre, offset, image.shape, strict=True))
        samples.append(float(image[tuple(place)]))
    return samples


def by_samples(bandwidth: float) -> Entropies:
    """Resubstitution estimate: H = −1/S Σ_s ln p(s), p(s) = 1/S Σ_t K(s, t)."""

    def kernel(a: float, b: float) -> float:
        return math.exp(-((a - b) ** 2) / (2.0 * bandwidth**2))

    def entropies(x: list[float], y: list[float]) -> tuple[float, float, float]:
        n, hx, hy, hxy = len(x), 0.0, 0.0, 0.0
        for s in range(n):
            px = sum(kernel(x[s], x[t]) for t in range(n)) / n
            py = sum(kernel(y[s], y[t]) for t in range(n)) / n
            pxy = sum(kernel(x[s], x[t]) * kernel(y[s], y[t]) for t in range(n)) / n
            hx, hy, hxy = hx - math.log(px) / n, hy - math.log(py) / n, hxy - math.log(pxy) / n
        return hx, hy, hxy

    return entropies


def by_bins(bandwidth: float, centres: Sequence[float]) -> Entropies:
    """Sums over a soft histogram and a soft joint histogram."""

    def weights(value: float) -> list[float]:
        inside = min(max(value, centres[0]), centres[-1])
        found = [math.exp(-((inside - c) ** 2) / (2.0 * bandwidth**2)) for c in centres]
        return [w / sum(found) for w in found]

    def entropy(p: list[float]) -> float:
        return -sum(q * math.log(q) for q in p if q > 0.0)

    def entropies(x: list[float], y: list[float]) -> tuple[float, float, float]:
        wx, wy, bins = [weights(v) for v in x], [weights(v) for v in y], range(len(centres))
        n = len(x)
        joint = [sum(wx[s][a] * wy[s][b] for s in range(n)) / n for a in bins for b in bins]
        marginals = ([sum(w[a] for w in of) / n for a in bins] for of in (wx, wy))
        hx, hy = (entropy(p) for p in marginals)
        return hx, hy, entropy(joint)

    return entropies


def literal_lmi(
    reference: NDArray[np.float64],
    other: NDArray[np.float64],
    *,
    patch: int,
    steps: Sequence[int],
    entropies: Entropies,
    floor: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return max over windows of MI, and of (2·MI + floor) / (H₁ + H₂ + floor), at every pixel."""
    raw, normalised = np.zeros(reference.shape), np.zeros(reference.shape)
    far = patch
    wide = np.pad(other, far, mode="edge")
    for centre in np.ndindex(reference.shape):
        # C_δ: the same patch of the reference under every window.
        still = patch_around(reference, centre, patch)
        for shift in itertools.product(steps, repeat=reference.ndim):
            # B_δ: the window of the other image whose centre has moved by the shift.
            window = patch_around(wide, [c + s + far for c, s in zip(centre, shift, strict=True)], patch)
            hx, hy, hxy = entropies(still, window)
            mutual = max(hx + hy - hxy, 0.0)
            raw[centre] = max(raw[centre], mutual)
            normalised[centre] = max(normalised[centre], (2.0 * mutual + floor) / (hx + hy + floor))
    return raw, normalised
