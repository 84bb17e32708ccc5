"""Finds what templates fit in an image: the share of the variance around a place that a finding there explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffuscope.simulation.thorax_brain.findings import Kind, Size
from diffuscope.simulation.thorax_brain.readers.templates import Bank

#: Px that lie between findings, and the radius of the smallest.
_GAP, _RADIUS = 1.0, 2.0


@dataclass(frozen=True, kw_only=True)
class Match:
    """Something that looks like a finding.

    Attributes
    ----------
    row, column : int
        Its middle, px.
    kind, size
        Of the template that fits best.
    score : float
        Share of the variance around it that the template explains, up to 1.
    """

    row: int
    column: int
    kind: Kind
    size: Size
    score: float


def fits(image: NDArray[np.floating], bank: Bank) -> NDArray[np.float64]:
    """Return how well each template fits at each pixel.

    In the window of a template the image is taken for a level, which is free, and the pattern at a strength b, which is
    what fits best within bounds: the score is 1 − Σ(image − level − b pattern)² / Σ(image − mean)². Below 0 a finding
    explains less than none. From it (ln b)² is taken, by which kinds of one shape are told apart.

    Parameters
    ----------
    image : ndarray of shape (64, 64)
        In the unit of the templates.
    bank : Bank
        The templates.

    Returns
    -------
    ndarray of shape (templates, 64, 64)
        float64.
    """
    values = bank.sharpen(image)
    values = values - values.mean()
    spectrum, squares = np.fft.rfft2(values), np.fft.rfft2(values**2)
    mean = np.fft.irfft2(spectrum * bank.weights) / bank.numbers
    variance = np.maximum(np.fft.irfft2(squares * bank.weights) / bank.numbers - mean**2, 1e-12)
    together = np.fft.irfft2(spectrum * bank.patterns) / bank.numbers - mean * bank.means
    strength = np.clip(together / bank.variances, *bank.strength)
    explained = (2 * strength * together - strength**2 * bank.variances) / variance
    return np.asarray(explained - np.log(strength) ** 2)


def matches(scores: NDArray[np.float64], bank: Bank, where: NDArray[np.bool_], least: float) -> list[Match]:
    """Return what fits, the best first, and of what overlaps the best alone.

    Parameters
    ----------
    scores : ndarray of shape (templates, 64, 64)
        As of `fits`.
    bank : Bank
        The templates.
    where : ndarray of shape (64, 64)
        Where the middle of a finding may lie.
    least : float
        Score of a finding.
    """
    best = np.where(where, scores.max(axis=0), -np.inf)
    rows, columns = np.indices(best.shape)
    found = []
    while best.max() > least:
        row, column = (int(at) for at in np.unravel_index(best.argmax(), best.shape))
        template = bank.templates[int(scores[:, row, column].argmax())]
        found.append(
            Match(row=row, column=column, kind=template.kind, size=template.size, score=float(best[row, column]))
        )
        best[np.hypot(rows - row, columns - column) < template.diameter / 2 + _GAP + _RADIUS] = -np.inf
    return found
