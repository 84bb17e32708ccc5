"""H&E of any laboratory brought to one reference: stain vectors and strengths of the slide replaced by fixed ones.

By statistics of the whole slide, never tile by tile: what is darker in one place than in another must stay so, and a
region must get the colours that the whole slide gives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from diffuscope.stains.deconvolution import optical_density, separate, stain_matrix
from diffuscope.stains.vectors import REFERENCE, estimate_stains, is_stained

#: Median haematoxylin of nuclei and median eosin of tissue that a normalised slide has, OD.
NUCLEUS, TISSUE = 0.5, 0.35
# More than this is not a pale or a dark stain but another kind of picture, which no factor makes right.
_NUCLEUS_FACTORS, _TISSUE_FACTORS = (0.4, 2.5), (0.5, 2.0)
# µm: finer than a nucleus, and wider than what no nucleus fills (keratin, folds).
_FINE, _WIDE = 0.5, 12.0
_FAINT = 0.05
# The numbers stand in run records: what they leave out changes no 8-bit value.
_DIGITS = 5


@dataclass(frozen=True)
class StainStatistics:
    """What a slide's H&E looks like.

    Attributes
    ----------
    haematoxylin, eosin : tuple of float
        Unit stain vectors: optical density of red, green, blue.
    nucleus : float
        Median haematoxylin of nuclei, OD.
    tissue : float
        Median eosin of stained tissue, OD.
    measured_on : tuple of str
        Names of the pictures that it was measured on, where that is not the picture itself.
    """

    haematoxylin: tuple[float, ...]
    eosin: tuple[float, ...]
    nucleus: float
    tissue: float
    measured_on: tuple[str, ...] = ()

    @property
    def vectors(self) -> NDArray[np.float64]:
        """Haematoxylin, eosin, residual: (3, 3) unit rows."""
        return stain_matrix(self.haematoxylin, self.eosin)

    @property
    def change(self) -> NDArray[np.float64]:
        """(3, 3) matrix that a pixel's optical density (a row) is multiplied by to become that of the reference.

        Separated in the slide's vectors, haematoxylin and eosin scaled to `NUCLEUS` and `TISSUE`, put together in
        `REFERENCE`; what is neither stain (pen, pigment) stays as strong as it is.
        """
        return np.asarray(np.linalg.inv(self.vectors) @ np.diag((*self._factors, 1.0)) @ REFERENCE)

    @property
    def summary(self) -> str:
        """Say what becomes of the strengths, OD: ``"haematoxylin 0.62 → 0.50, eosin 0.41 → 0.35"``."""
        named = zip(("haematoxylin", "eosin"), (self.nucleus, self.tissue), self._factors, strict=True)
        return ", ".join(f"{name} {value:.2f} → {value * factor:.2f}" for name, value, factor in named)

    @property
    def _factors(self) -> tuple[float, float]:
        """What haematoxylin and eosin are multiplied by."""
        return (
            float(np.clip(NUCLEUS / max(self.nucleus, 1e-6), *_NUCLEUS_FACTORS)),
            float(np.clip(TISSUE / max(self.tissue, 1e-6), *_TISSUE_FACTORS)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as run records hold it."""
        stated = asdict(self)
        return stated if self.measured_on else {key: value for key, value in stated.items() if key != "measured_on"}

    @classmethod
    def from_json(cls, stated: Mapping[str, Any]) -> StainStatistics:
        """Return what `to_json` and JSON made a mapping of."""
        vectors = {name: tuple(float(v) for v in stated[name]) for name in ("haematoxylin", "eosin")}
        return cls(
            haematoxylin=vectors["haematoxylin"],
            eosin=vectors["eosin"],
            nucleus=float(stated["nucleus"]),
            tissue=float(stated["tissue"]),
            measured_on=tuple(map(str, stated.get("measured_on", ()))),
        )


def measure_stains(fields: Sequence[NDArray[np.uint8]], *, mpp: float) -> StainStatistics | None:
    """Measure the H&E of a slide.

    Nuclei are what is darker in haematoxylin than Otsu's threshold over all fields, and than its neighbourhood.

    Parameters
    ----------
    fields : sequence of ndarray of shape (h, w, 3)
        uint8: the whole slide, or windows spread over its tissue.
    mpp : float
        µm per pixel.

    Returns
    -------
    StainStatistics or None
        None where there is no stained pixel, or no nucleus: what is unknown is not normalised.
    """
    densities = [optical_density(field) for field in fields]
    stained = [is_stained(density) for density in densities]
    if sum(int(mask.sum()) for mask in stained) < 100:
        return None
    vectors = estimate_stains(np.concatenate([field.reshape(-1, 3) for field in fields]))
    amounts = [separate(field, vectors) for field in fields]
    fine = [ndimage.gaussian_filter(np.maximum(amount[..., 0], 0.0), _FINE / mpp) for amount in amounts]
    dark = np.concatenate([field[mask & (field > _FAINT)] for field, mask in zip(fine, stained, strict=True)])
    if not dark.size:
        return None
    level = threshold_otsu(dark)
    nuclei = [
        mask & (field > level) & (field > ndimage.gaussian_filter(field, _WIDE / mpp))
        for field, mask in zip(fine, stained, strict=True)
    ]
    inside = np.concatenate([amount[..., 0][mask] for amount, mask in zip(amounts, nuclei, strict=True)])
    eosin = np.concatenate([amount[..., 1][mask] for amount, mask in zip(amounts, stained, strict=True)])
    if not inside.size:
        return None

    def rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
        return tuple(round(float(value), _DIGITS) for value in values)

    return StainStatistics(
        haematoxylin=rounded(vectors[0]),
        eosin=rounded(vectors[1]),
        nucleus=round(float(np.median(inside)), _DIGITS),
        tissue=round(float(np.median(eosin)), _DIGITS),
    )


def normalise(rgb: NDArray[np.generic], statistics: StainStatistics) -> NDArray[np.uint8]:
    """Bring H&E to the reference.

    Parameters
    ----------
    rgb : ndarray of shape (..., 3)
        Values in [0, 255].
    statistics : StainStatistics
        Of the whole slide.

    Returns
    -------
    ndarray of shape (..., 3)
        uint8. White stays white.
    """
    density = optical_density(rgb) @ statistics.change.astype(np.float32)
    return np.clip(np.rint(256.0 * 10.0**-density - 1.0), 0, 255).astype(np.uint8)
