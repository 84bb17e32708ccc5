"""The teacher: restains real H&E pixels by a written rule with a known probability, to train a demonstration.

No public set has registered H&E and CD3 or CK8/18. The rule: CD3 stains the rim of lymphocyte-like nuclei, CK8/18
the cytoplasm of epithelial-like cells; eosin is removed, haematoxylin kept as the counterstain.
**A rule, not an antibody**: what a model learns from it says nothing about antigens.

It is uncertain on purpose. No rule on shape can know an antigen, so a fully lymphocyte-like cell is CD3-positive
with probability 0.7 only (0.9 for CK8/18 and an epithelial-like cell), an ambiguous one with less, in proportion.
Each time a crop is painted the cells are drawn anew, and `SourceSample.probability` keeps the truth that a model's
uncertainty is held against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import expand_labels, find_boundaries

from diffuscope.simulation.restaining.cells import Cells, describe, find_nuclei
from diffuscope.stains import (
    HDAB,
    REFERENCE,
    StainStatistics,
    combine,
    is_black,
    measure_stains,
    normalise,
    optical_density,
    separate,
)

Stain = Literal["CD3", "CK8/18"]

#: Probability that the cell that the rule is surest of is positive.
CERTAINTY = {"CD3": 0.7, "CK8/18": 0.9}
#: Median DAB of a positive cell, OD; spread (sd of the logarithm) between cells and between slides.
DAB, CELL_SPREAD, SLIDE_SPREAD = 0.6, 0.25, 0.15
#: Least and most of it, OD.
DAB_RANGE = (0.25, 1.3)
# What the counterstain keeps of the haematoxylin.
_COUNTERSTAIN = 0.8
#: Stain is not sharper than the optics, µm.
BLUR_UM = 0.4


@dataclass(frozen=True)
class SourceSample:
    """One H&E image and the rule applied to it: all that painting an IHC needs.

    Attributes
    ----------
    he : ndarray of shape (h, w, 3)
        uint8, as it was scanned.
    normalised : ndarray of shape (h, w, 3)
        uint8, brought to the reference (see `diffuscope.stains.normalise`).
    statistics : StainStatistics or None
        Of the H&E; None where it shows no nucleus, and is taken as it is.
    counterstain : ndarray of shape (h, w)
        float32 haematoxylin of the IHC, OD.
    cell : ndarray of shape (h, w)
        int32 label of the cell that a pixel would be painted for, 0 = none.
    centre : ndarray of shape (n, 2)
        (y, x) of each cell, px.
    chance : ndarray of shape (n,)
        Probability that the cell is positive.
    mpp : float
        µm per pixel.
    """

    he: NDArray[np.uint8]
    normalised: NDArray[np.uint8]
    statistics: StainStatistics | None
    counterstain: NDArray[np.float32]
    cell: NDArray[np.int32]
    centre: NDArray[np.float64]
    chance: NDArray[np.float64]
    mpp: float

    @property
    def stains(self) -> NDArray[np.float64]:
        """Stain vectors of `he`, (3, 3) unit rows."""
        return REFERENCE if self.statistics is None else self.statistics.vectors

    def probability(self) -> NDArray[np.float32]:
        """Probability that a pixel is painted, float32 (h, w)."""
        return np.concatenate([[0.0], self.chance]).astype(np.float32)[self.cell]


@dataclass(frozen=True)
class Painted:
    """One draw of the IHC.

    Attributes
    ----------
    ihc : ndarray of shape (h, w, 3)
        uint8.
    dab : ndarray of shape (h, w)
        float32 DAB that was painted, OD.
    """

    ihc: NDArray[np.uint8]
    dab: NDArray[np.float32]


def prepare(
    he: NDArray[np.uint8], stain: Stain, *, mpp: float, labels: NDArray[np.int32] | None = None
) -> SourceSample:
    """Apply the rule to an H&E image.

    Parameters
    ----------
    he : ndarray of shape (h, w, 3)
        uint8 H&E.
    stain : {"CD3", "CK8/18"}
        What to paint.
    mpp : float
        µm per pixel.
    labels : ndarray of shape (h, w), optional
        Nuclei where they are known (a simulator's); found by `find_nuclei` otherwise.

    Returns
    -------
    SourceSample
    """
    # One slide's haematoxylin is another's half. What is judged is the normalised slide, for that is what a model sees.
    statistics = measure_stains([he], mpp=mpp)
    normalised = he if statistics is None else normalise(he, statistics)
    haematoxylin = np.maximum(separate(normalised, REFERENCE)[..., 0], 0.0)
    haematoxylin[is_black(optical_density(he))] = 0.0
    if labels is None:
        labels = find_nuclei(haematoxylin, mpp=mpp)
    cells = describe(labels, haematoxylin, mpp=mpp)
    score = cells.lymphocyte if stain == "CD3" else cells.epithelial
    return SourceSample(
        he=he,
        normalised=normalised,
        statistics=statistics,
        counterstain=(_COUNTERSTAIN * ndimage.gaussian_filter(haematoxylin, 0.25 / mpp)).astype(np.float32),
        cell=_rim(cells, mpp) if stain == "CD3" else _cytoplasm(cells, mpp),
        centre=cells.centre,
        chance=CERTAINTY[stain] * score,
        mpp=mpp,
    )


def paint(sample: SourceSample, rng: np.random.Generator, window: tuple[slice, slice] = np.s_[:, :]) -> Painted:
    """Draw which cells are positive, and paint a window of the IHC.

    The slide's and each cell's DAB vary (log-normal, sd 0.15 and 0.25).

    Parameters
    ----------
    sample : SourceSample
        From `prepare`.
    rng : numpy.random.Generator
        Makes the draw; the same generator state gives the same draw whatever the window.
    window : tuple of slice
        Rows and columns; default all.

    Returns
    -------
    Painted
    """
    positive = rng.random(len(sample.chance)) < sample.chance
    spread = CELL_SPREAD * rng.standard_normal(len(positive)) + SLIDE_SPREAD * rng.standard_normal()
    density = np.concatenate([[0.0], np.where(positive, np.clip(DAB * np.exp(spread), *DAB_RANGE), 0.0)])
    sigma = BLUR_UM / sample.mpp
    # The blur reaches beyond the window: paint its margin too, so that a crop is a part of the whole.
    margin = int(4 * sigma + 0.5)
    rows, columns = (s.indices(n) for s, n in zip(window, sample.cell.shape, strict=True))
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    around = density[sample.cell[top : rows[1] + margin, left : columns[1] + margin]]
    blurred = ndimage.gaussian_filter(around, sigma)
    dab = blurred[rows[0] - top :, columns[0] - left :][: rows[1] - rows[0], : columns[1] - columns[0]]
    densities = np.stack([sample.counterstain[window], dab, np.zeros_like(dab)], axis=-1)
    return Painted(ihc=combine(densities, HDAB), dab=dab.astype(np.float32))


def _rim(cells: Cells, mpp: float) -> NDArray[np.int32]:
    """Label the rim of every nucleus: from 1 µm inside its outline to 1.5 µm outside."""
    # Measured from each nucleus's own outline: touching nuclei have a rim between them.
    inner = ndimage.distance_transform_edt((cells.labels > 0) & ~find_boundaries(cells.labels, mode="inner")) * mpp
    return np.where(inner < 1.0, expand_labels(cells.labels, 1.5 / mpp), 0).astype(np.int32)


def _cytoplasm(cells: Cells, mpp: float) -> NDArray[np.int32]:
    """Label what lies within 4 µm of a nucleus, outside all nuclei."""
    return np.where(cells.labels == 0, expand_labels(cells.labels, 4.0 / mpp), 0).astype(np.int32)
