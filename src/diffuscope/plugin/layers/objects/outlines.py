"""Outlines of the positive objects of a stain as a layer, drawn piece by piece for any threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
import zarr
from napari.utils import Colormap
from numpy.typing import NDArray

from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.level import Level
from diffuscope.plugin.layers.placement import Placement, result_place
from diffuscope.ports.stains import Stain
from diffuscope.results.layout import open_images
from diffuscope.results.result import Result
from diffuscope.results.tissue import TissueMap
from diffuscope.tiling.boxes import CHUNK

#: In the metadata of the layer, the name of the stain.
OUTLINES = "outlines"
# Seen on white, pink, brown and black.
_BLUE = Colormap([[0.0, 0.0, 0.0, 0.0], [0.0, 0.35, 1.0, 1.0]], name="outlines")


@dataclass
class Cut:
    """The DAB above which a px counts as positive, OD. All levels of a layer share one."""

    threshold: float


class OutlinesLevel(Level):
    """One resolution level of the outlines of what is counted: 1 on them, 0 elsewhere.

    Of an object that is too small to be counted nothing is drawn. A piece is read with so much around it that every
    such object at its edge is seen whole.

    Parameters
    ----------
    array : zarr.Array
        (1, y, x), DAB in OD.
    tissue : TissueMap
        Of the canvas at its finest level.
    cut : Cut
        Where positive begins.
    min_pixels : int
        Of the smallest object that is counted, at the finest level.
    factor : int
        Px of the finest level per px of this one.
    """

    def __init__(self, array: zarr.Array[Any], tissue: TissueMap, cut: Cut, *, min_pixels: int, factor: int) -> None:
        super().__init__(array)
        self.dtype = np.dtype(np.uint8)
        self._dab, self._cut = array, cut
        window: Any = tuple(part / factor for part in tissue.window)
        self._tissue = replace(tissue, factor=tissue.factor * factor, window=window)
        self._min_pixels = max(1, ceil(min_pixels / factor**2))

    def _stamp(self, piece: tuple[int, int]) -> Any:
        file = super()._stamp(piece)
        return None if file is None else (file, self._cut.threshold)

    def _read(self, piece: tuple[int, int]) -> NDArray[np.generic]:
        ends = list(zip(piece, self.shape, strict=True))
        inner = [(one * CHUNK, min((one + 1) * CHUNK, side)) for one, side in ends]
        outer = [
            (max(0, low - self._min_pixels), min(side, high + self._min_pixels))
            for (low, high), side in zip(inner, self.shape, strict=True)
        ]
        (top, bottom), (left, right) = outer
        dab = np.asarray(self._dab[0, top:bottom, left:right])
        positive = (dab > self._cut.threshold) & self._tissue.read(top, left, *dab.shape)
        edges = outlines_of(positive, min_pixels=self._min_pixels)
        within = tuple(slice(low - start, high - start) for (low, high), (start, _) in zip(inner, outer, strict=True))
        return edges[within].astype(np.uint8)


def outlines_of(positive: NDArray[np.bool_], *, min_pixels: int) -> NDArray[np.bool_]:
    """Return which px of objects (corners touch) of at least `min_pixels` px have a side on what is none of them."""
    from scipy import ndimage

    labels, found = ndimage.label(positive, structure=np.ones((3, 3)))
    counted = np.bincount(labels.ravel(), minlength=found + 1) >= min_pixels
    counted[0] = False
    kept = counted[labels]
    return kept & ~ndimage.binary_erosion(kept)


class Outlines:
    """The outlines of one stain as a napari layer.

    Parameters
    ----------
    result : Result
        Whose tissue is known.
    stain : Stain
        With a map of its DAB.
    placement : Placement or None
        As of `result_layers`.
    threshold : float
        OD.
    min_object_um2 : float
        Of the smallest object that is counted, µm².

    Attributes
    ----------
    cut : Cut
        Where positive begins; `draw` after a change, and then refresh the layer.
    data, about : list of array-like or array-like, dict
        For `viewer.add_image`.
    """

    def __init__(
        self, result: Result, stain: Stain, placement: Placement | None, *, threshold: float, min_object_um2: float
    ) -> None:
        assert result.tissue is not None
        assert stain.dab is not None
        self.cut = Cut(threshold)
        arrays = open_images(zarr.open_group(result.path, mode="r", zarr_format=2), result.ports)[stain.dab.key]
        pixels = max(1, ceil(min_object_um2 / result.mpp**2 - 1e-9))
        levels = [
            OutlinesLevel(array, result.tissue, self.cut, min_pixels=pixels, factor=2**number)
            for number, array in enumerate(arrays)
        ]
        self._coarsest = levels[-1]
        # napari reads the coarsest level once and keeps it; an array can be brought up to date under its hands
        self._memory = np.array(levels[-1]) if len(levels) > 1 else None
        self.data: Any = levels[0] if self._memory is None else [*levels[:-1], self._memory]
        self.about = {
            "name": f"counted as {stain.name}-positive",
            "colormap": _BLUE,
            "contrast_limits": (0, 1),
            "blending": "translucent",
            "multiscale": self._memory is not None,
            "metadata": {KEY: {"result": str(result.path), OUTLINES: stain.name, "record": result.record}},
            **result_place(result, placement),
        }

    def draw(self) -> None:
        """Bring up to date what napari keeps."""
        if self._memory is not None:
            self._memory[...] = self._coarsest
