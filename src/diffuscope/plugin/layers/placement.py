"""Where the pixels of an input lie in napari's world, and where on it the pixels of a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diffuscope.results.result import Result
from diffuscope.scans.lattice import Lattice


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the px of level 0 of an input lie in napari's world, along (y, x) of a slide or (z, y, x) of a volume.

    Attributes
    ----------
    scale : ndarray (2,) or (3,)
        World units per level-0 px.
    translate : ndarray (2,) or (3,)
        World place of the centre of the first level-0 px.
    units : tuple
        As napari takes them.
    """

    scale: NDArray[np.float64]
    translate: NDArray[np.float64]
    units: tuple[Any, ...]

    @property
    def about(self) -> dict[str, Any]:
        """As keyword arguments of a layer."""
        return {"scale": self.scale, "translate": self.translate, "units": self.units}

    def to_input(self, place: Sequence[float]) -> tuple[float, ...]:
        """Return the level-0 px, counted from the input's corner, at a place of napari's world."""
        return tuple(((np.asarray(place) - self.translate) / self.scale + 0.5).tolist())


def scan_placement(mpp: float | None) -> Placement:
    """Return where the reader puts a slide: in µm where known, else in pixels; the first pixel at the origin."""
    return Placement(
        scale=np.full(2, mpp or 1.0), translate=np.zeros(2), units=("micrometer",) * 2 if mpp else ("pixel",) * 2
    )


def volume_placement(lattice: Lattice) -> Placement:
    """Return where the reader puts a volume, in mm.

    The place of the first voxel is told along the volume's own axes, so that volumes of one patient that were scanned
    in one direction lie upon each other.
    """
    return Placement(
        scale=np.array(lattice.spacing),
        translate=np.array(lattice.directions) @ np.array(lattice.origin),
        units=("mm",) * 3,
    )


def layer_placement(layer: Any, axes: int = 2) -> Placement:
    """Return where an input's layer lies, as the user may have moved it, along its last axes."""
    return Placement(
        scale=np.asarray(layer.scale[-axes:], float),
        translate=np.asarray(layer.translate[-axes:], float),
        units=tuple(layer.units[-axes:]),
    )


def canvas_place(placement: Placement, factors: ArrayLike, level0_px: Sequence[float]) -> dict[str, Any]:
    """Return scale, translate and units of an image whose px are `factors` level-0 px, first corner at `level0_px`."""
    # centres, not corners: the middle of a large px lies (factor - 1) / 2 level-0 px beyond that of a small one
    centre = np.asarray(level0_px, float) + (np.asarray(factors) - 1) / 2
    return {
        "scale": placement.scale * np.asarray(factors),
        "translate": placement.translate + centre * placement.scale,
        "units": placement.units,
    }


def result_place(result: Result, placement: Placement | None) -> dict[str, Any]:
    """Return scale, translate and units of a result's images.

    Parameters
    ----------
    result : Result
        Of a slide or of a volume.
    placement : Placement or None
        Where its input lies; None: where the reader puts that input.
    """
    factors = np.array(result.place.factors)
    corner = np.array(result.window[: len(factors)]) * factors
    return canvas_place(placement or _by_reader(result), factors, corner.tolist())


def _by_reader(result: Result) -> Placement:
    stated = next(iter(result.record["inputs"].values()))
    if result.place.unit != "mm":
        return scan_placement(stated["mpp_stated"])
    if "lattice" in stated:
        return volume_placement(Lattice.from_json(stated["lattice"]))
    spacing = np.array(result.place.spacing) / np.array(result.place.factors)
    return Placement(scale=spacing, translate=np.zeros(3), units=("mm",) * 3)
