"""A distance between two pictures that looks at features instead of pixels, built as LPIPS is (Zhang et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.features import FeatureExtractor

# As in LPIPS' own code: a pixel without any feature stays without.
_EPSILON = 1e-10


@dataclass(frozen=True)
class PerceptualDistance:
    """Squared difference of unit-normalised features, summed over layers: Zhang et al. 2018, eq. 1.

    Attributes
    ----------
    extractor : FeatureExtractor
        Whose `maps` are compared. LPIPS' own are those of AlexNet, SqueezeNet and VGG.
    weights : sequence of ndarray of shape (c,), optional
        How much each channel of each layer counts, at least 0, calibrated on observers' judgements. Without them every
        channel counts the same, which is not LPIPS, and `name` says so.
    """

    extractor: FeatureExtractor
    weights: Sequence[NDArray[np.floating]] | None = None

    @property
    def name(self) -> str:
        """What goes with every value."""
        kind = "without calibrated weights, so not LPIPS" if self.weights is None else "calibrated weights, as LPIPS"
        return f"perceptual distance ({kind}) on {self.extractor.name}"

    def __call__(self, truth: NDArray[np.uint8], found: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Compare image by image.

        Parameters
        ----------
        truth, found : ndarray of shape (n, h, w, 3)
            RGB, 8 bits; the order of the two does not matter.

        Returns
        -------
        ndarray of shape (n,)
            At least 0, which is for equal images.

        Raises
        ------
        InputError
            The shapes differ, or the weights are not one for each channel of each layer, or one is negative.
        """
        if truth.shape != found.shape:
            raise InputError(f"images of shapes {truth.shape} and {found.shape} cannot be compared.")
        return np.array([self._distance(np.stack(pair)) for pair in zip(truth, found, strict=True)])

    def _distance(self, pair: NDArray[np.uint8]) -> float:
        layers = self.extractor.maps(pair)
        weights = [np.ones(layer.shape[1]) for layer in layers] if self.weights is None else self.weights
        if [np.shape(w) for w in weights] != [layer.shape[1:2] for layer in layers] or min(map(np.min, weights)) < 0:
            raise InputError(
                f"the weights do not fit {self.extractor.name}: give {len(layers)} arrays of "
                f"{', '.join(str(layer.shape[1]) for layer in layers)} numbers, none negative."
            )
        return float(sum(np.mean(_apart(layer, w)) for layer, w in zip(layers, weights, strict=True)))


def _apart(layer: NDArray[np.float64], weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the weighted squared difference of the two maps of a layer (2, c, h, w), pixel by pixel."""
    unit = layer / (np.linalg.norm(layer, axis=1, keepdims=True) + _EPSILON)
    return np.asarray(np.tensordot(weights, (unit[0] - unit[1]) ** 2, axes=1))
