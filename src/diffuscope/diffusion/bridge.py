"""The Brownian bridge between an image and its translation (BBDM: Li et al., CVPR 2023).

m_t = t / T goes from 0, where the bridge is the target x_0, to 1, where it is the source y. Given both ends,
x_t is normal with mean (1 − m_t) x_0 + m_t y and variance δ_t = 2 s (m_t − m_t²).
"""

from __future__ import annotations

from torch import Tensor


def bridge_variance(m: Tensor, s: float = 1.0) -> Tensor:
    """δ_t = 2 s (m_t − m_t²): 0 at both ends, s / 2 in the middle.

    Parameters
    ----------
    m : Tensor
        m_t in [0, 1].
    s : float
        Scale of the variance, i.e. of the samples' diversity.
    """
    return 2.0 * s * (m - m * m)


def bridge_at(m: Tensor, target: Tensor, source: Tensor, noise: Tensor, s: float = 1.0) -> Tensor:
    """Return x_t = (1 − m_t) x_0 + m_t y + √δ_t ε.

    Parameters
    ----------
    m : Tensor
        m_t in [0, 1], broadcastable to the images.
    target, source, noise : Tensor
        x_0, y, and standard normal ε.
    s : float
        As in `bridge_variance`.
    """
    return (1.0 - m) * target + m * source + bridge_variance(m, s).sqrt() * noise


def bridge_step(x: Tensor, clean: Tensor, noise: Tensor, *, m: float, to: float, s: float = 1.0) -> Tensor:
    """Go from x_t to an earlier, i.e. cleaner, point of the bridge, over any number of skipped steps.

    The paper's accelerated step with its posterior variance (η = 1), for a step from m_t = m to m_u = u:
    mean (1 − u) x̂_0 + u y + √((δ_u − σ²) / δ_t) (x_t − (1 − m) x̂_0 − m y), variance σ² = δ_{t|u} δ_u / δ_t.
    With δ_t put in, both quotients have closed forms, √((δ_u − σ²) / δ_t) = u / m and σ² = 2 s u (m − u) / m, and y
    drops out: given x_t and x_0, a bridge between them knows nothing of what lies beyond. They hold at m = 1 too,
    where the paper's quotients are 0 / 0.

    Parameters
    ----------
    x, clean, noise : Tensor
        x_t, the estimate x̂_0, and standard normal ε.
    m, to : float
        m_t and m_u, 0 ≤ to < m ≤ 1.
    s : float
        As in `bridge_variance`.
    """
    ratio = to / m
    deviation = (2.0 * s * ratio * (m - to)) ** 0.5
    return clean + ratio * (x - clean) + deviation * noise
