"""A registered slide seen in part, so that the slide below it shows: right of a line, or in squares by turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.plugin.layers.level import Level
from diffuscope.plugin.layers.placement import Placement
from diffuscope.plugin.layers.results import result_layers
from diffuscope.results.layout import open_images
from diffuscope.results.result import Result

WHOLE, CURTAIN, SQUARES = "whole", "curtain", "squares"


@dataclass
class Veil:
    """What is seen of a registered slide. All levels of its pyramid share one.

    Attributes
    ----------
    kind : {"whole", "curtain", "squares"}
        All of it; what lies right of `edge`; squares by turns, of which the one at the upper left is not seen.
    edge : float
        In level-0 px from the left.
    square : float
        Side of a square, level-0 px, > 0.
    """

    kind: str = WHOLE
    edge: float = 0.0
    square: float = 100.0

    def seen(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which pixel centres of rows at `y` and columns at `x` (level-0 px) are seen, (len(y), len(x))."""
        shape = (len(y), len(x))
        if self.kind == CURTAIN:
            return np.broadcast_to(x >= self.edge, shape)
        if self.kind == SQUARES:
            return (np.floor(y / self.square)[:, None] + np.floor(x / self.square)) % 2 == 1
        return np.ones(shape, bool)


class VeiledLevel(Level):
    """One resolution level of a registered slide behind a veil.

    Parameters
    ----------
    array : zarr.Array
        (3, y, x) on disk.
    fill : float
        Colour of the glass, which is seen as well: through it the slide below would pass for this one.
    veil : Veil
        What is seen.
    factor : float
        Level-0 px per px.
    """

    def __init__(self, array: zarr.Array[Any], fill: float, veil: Veil, factor: float) -> None:
        super().__init__(array, fill)
        self._glass, self._veil, self._factor = fill, veil, factor

    def _window(self, rows: range, columns: range) -> NDArray[np.generic]:
        out = super()._window(rows, columns)
        out[out[..., 3] == 0] = self._glass
        y, x = ((np.asarray(span) + 0.5) * self._factor for span in (rows, columns))
        out[..., 3] = np.where(self._veil.seen(y, x), 255, 0)
        return out


class VeiledSlide:
    """A registered slide behind a veil, as a napari layer in the frame of the slide that stayed.

    Parameters
    ----------
    result : Result
        What `diffuscope.api.register.register` wrote.
    placement : Placement
        Where the slide that stayed lies.

    Attributes
    ----------
    veil : Veil
        What is seen; `draw` after a change, and then refresh the layer.
    data, about : list of array-like or array-like, dict
        For `viewer.add_image`.
    """

    def __init__(self, result: Result, placement: Placement) -> None:
        self.veil = Veil()
        _, self.about, _ = result_layers(result, placement)[0]
        port = result.ports[0]
        arrays = open_images(zarr.open_group(result.path, mode="r", zarr_format=2), result.ports)[port.key]
        levels = [VeiledLevel(array, port.fill, self.veil, arrays[0].shape[1] / array.shape[1]) for array in arrays]
        self._coarsest = levels[-1]
        # napari reads the coarsest level once and keeps it; an array can be brought up to date under its hands
        self._memory = np.array(levels[-1]) if len(levels) > 1 else None
        self.data: Any = levels[0] if self._memory is None else [*levels[:-1], self._memory]

    def draw(self) -> None:
        """Bring up to date what napari keeps."""
        if self._memory is not None:
            self._memory[...] = self._coarsest
