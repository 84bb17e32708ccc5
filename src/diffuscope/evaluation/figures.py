"""The figures of a case: every measure that applies, field by field, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, log10
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diffuscope.evaluation.metrics.calibration import FRACTIONS, ause, correlation, sparsification
from diffuscope.evaluation.metrics.paired import ms_ssim, mse, mutual_information, ssim
from diffuscope.measurement.dab import Overlap, overlap

TILE = 256
"""Side of the tiles that features are taken of, px: FID's Inception sees about 299, larger ones alias."""

_SMALLEST_SSIM, _SMALLEST_MS_SSIM = 11, 176

Distance = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.float64]]


@dataclass(frozen=True)
class Metric:
    """How a figure is read: what people call it, its unit, which way is better, digits after the point."""

    name: str
    unit: str
    better: Literal["higher", "lower"]
    digits: int

    @property
    def label(self) -> str:
        """Name, with the unit where there is one."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


METRICS = {
    "psnr": Metric("PSNR", "dB", "higher", 2),
    "ssim": Metric("SSIM", "", "higher", 3),
    "ms_ssim": Metric("MS-SSIM", "", "higher", 3),
    "mse": Metric("MSE", "", "lower", 1),
    "mutual_information": Metric("Mutual information", "nats", "higher", 3),
    "perceptual": Metric("Perceptual distance", "", "lower", 4),
    "dab_dice": Metric("Dice of DAB-positive px", "", "higher", 3),
    "dab_area_error_percent": Metric("DAB-positive area, error", "%", "lower", 1),
    "dab_mean_error_od": Metric("Mean DAB, error", "OD", "lower", 4),
    "mask_dice_dab": Metric("Dice of DAB with the mask", "", "higher", 3),
    "mask_dice_segmentation": Metric("Dice of segmentation with the mask", "", "higher", 3),
    "ause": Metric("AUSE of the uncertainty", "", "lower", 3),
    "uncertainty_spearman": Metric("Uncertainty with error, rank correlation", "", "higher", 3),
}
"""Every figure that a case can have, in the order of a report."""


@dataclass(frozen=True, eq=False)
class Field:
    """One window of a case: the truth, what was found, and what goes with either.

    Attributes
    ----------
    truth, found : ndarray of shape (h, w, c)
        The pictures.
    truth_dab, found_dab : ndarray of shape (h, w), optional
        DAB density, OD, where the pictures are IHC stains.
    mask : ndarray of shape (h, w), optional
        True part inside, 0–1.
    filled_dab : ndarray of shape (h, w), optional
        DAB found with its rims filled, OD, to be held against the mask.
    segmentation : ndarray of shape (h, w), optional
        Probability found, 0–1.
    uncertainty : ndarray of shape (h, w), optional
        Found, in any unit; NaN where the model does not know it.
    """

    truth: NDArray[np.generic]
    found: NDArray[np.generic]
    truth_dab: NDArray[np.floating] | None = None
    found_dab: NDArray[np.floating] | None = None
    mask: NDArray[np.floating] | None = None
    filled_dab: NDArray[np.floating] | None = None
    segmentation: NDArray[np.floating] | None = None
    uncertainty: NDArray[np.floating] | None = None

    def error(self) -> NDArray[np.float64]:
        """Return by how much each pixel is wrong (h, w): of an IHC stain in DAB, OD; else the mean over channels."""
        if self.truth_dab is not None and self.found_dab is not None:
            return np.abs(self.truth_dab.astype(np.float64) - self.found_dab)
        return np.asarray(np.abs(self.truth.astype(np.float64) - self.found.astype(np.float64)).mean(axis=2))


@dataclass(kw_only=True)
class Tally:
    """The figures of a case while its fields come in.

    Attributes
    ----------
    data_range : float
        Largest possible value of the pictures less the smallest.
    threshold : float
        DAB above which a pixel is positive, OD.
    distance : callable, optional
        Perceptual distance of RGB tiles.
    """

    data_range: float
    threshold: float
    distance: Distance | None = None
    _means: dict[str, list[float]] = field(default_factory=dict)
    _weights: list[int] = field(default_factory=list)
    _overlaps: dict[str, Overlap] = field(default_factory=dict)
    _dab: list[tuple[float, float]] = field(default_factory=list)
    _curves: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=list)

    def add(self, one: Field) -> float:
        """Take a field in; return its mean squared error."""
        truth, found, side = one.truth, one.found, min(one.truth.shape[:2])
        self._weights.append(truth[..., 0].size)
        error = mse(truth, found)
        self._mean("mse", error)
        self._mean("mutual_information", mutual_information(truth, found))
        if side >= _SMALLEST_SSIM:
            self._mean("ssim", ssim(truth, found, data_range=self.data_range))
        if side >= _SMALLEST_MS_SSIM:
            self._mean("ms_ssim", ms_ssim(truth, found, data_range=self.data_range))
        if self.distance is not None:
            pairs = zip(tiles(truth), tiles(found), strict=True)
            apart = [float(self.distance(a[None], b[None])[0]) for a, b in pairs]
            self._mean("perceptual", float(np.mean(apart)))
        if one.truth_dab is not None and one.found_dab is not None:
            self._count("dab", overlap(one.truth_dab, one.found_dab, threshold=self.threshold))
            self._dab.append((float(one.truth_dab.sum(dtype=np.float64)), float(one.found_dab.sum(dtype=np.float64))))
        if one.mask is not None:
            inside = (one.mask >= 0.5).astype(np.float32)
            if one.filled_dab is not None:
                claimed = (one.filled_dab > self.threshold).astype(np.float32)
                self._count("mask_dab", overlap(inside, claimed, threshold=0.5))
            if one.segmentation is not None:
                self._count("mask_segmentation", overlap(inside, one.segmentation, threshold=0.5))
        if one.uncertainty is not None and np.isfinite(one.uncertainty).all():
            wrong = one.error()
            if wrong.max() > 0:
                self._mean("ause", ause(wrong, one.uncertainty))
                self._mean("uncertainty_spearman", correlation(wrong, one.uncertainty).spearman)
                self._curves.append((sparsification(wrong, one.uncertainty), sparsification(wrong, wrong)))
        return error

    def figures(self) -> dict[str, float]:
        """Return the figures by key of `METRICS`; what is not finite is left out, such as the PSNR of equal pictures.

        MSE, DAB figures and overlaps are those of all pixels together, PSNR that of the MSE; the others are means over
        the fields.
        """
        found = {key: float(np.mean(values)) for key, values in self._means.items()}
        # Of the area, not of the fields: the last ones of a row may be smaller.
        found["mse"] = float(np.average(self._means["mse"], weights=self._weights))
        found["psnr"] = 10.0 * log10(self.data_range**2 / found["mse"]) if found["mse"] > 0 else inf
        if "dab" in self._overlaps:
            found["dab_dice"] = self._overlaps["dab"].dice
            found["dab_area_error_percent"] = self._overlaps["dab"].area_error_percent
            true, claimed = np.sum(self._dab, axis=0) / sum(self._weights)
            found["dab_mean_error_od"] = float(abs(true - claimed))
        for key in ("mask_dab", "mask_segmentation"):
            if key in self._overlaps:
                found[key.replace("mask_", "mask_dice_")] = self._overlaps[key].dice
        return {key: found[key] for key in METRICS if key in found and isfinite(found[key])}

    def curves(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return the sparsification curve and the best there could be, at `FRACTIONS`: means over the fields."""
        if not self._curves:
            return None
        own, best = np.mean(self._curves, axis=0)
        return own, best

    def _mean(self, key: str, value: float) -> None:
        self._means.setdefault(key, []).append(value)

    def _count(self, key: str, counts: Overlap) -> None:
        self._overlaps[key] = self._overlaps.get(key, Overlap(0, 0, 0)).plus(counts)


def tiles(picture: NDArray[np.generic]) -> list[NDArray[np.uint8]]:
    """Cut a picture into whole tiles of `TILE` px; one that has room for none is its own tile."""
    height, width = picture.shape[:2]
    if min(height, width) < TILE:
        return [np.asarray(picture, dtype=np.uint8)]
    return [
        np.asarray(picture[y : y + TILE, x : x + TILE], dtype=np.uint8)
        for y in range(0, height - TILE + 1, TILE)
        for x in range(0, width - TILE + 1, TILE)
    ]


def mean_curves(
    curves: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> dict[str, list[float]]:
    """Return the mean sparsification curves of cases, and the fractions removed, as JSON values."""
    own, best = np.mean(curves, axis=0)
    return {"removed": FRACTIONS.tolist(), "uncertainty": own.tolist(), "best": best.tolist()}
