"""What of a volume's result was computed: all else is NaN in what is exported, never a value that might be true."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffuscope.scans.region import in_memory

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result


class ComputedSlices:
    """The slices of a volume's result, with what of them was computed.

    Of results that were written before that was kept, all that lies on the canvas counts as computed.

    Parameters
    ----------
    result : Result
        Of a volume.
    """

    def __init__(self, result: Result) -> None:
        self._result = result
        self._covered = result.coverage.read() if result.coverage is not None else None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) of the canvas."""
        depth, height, width = self._result.window[3:]
        return depth, height, width

    @cached_property
    def is_whole(self) -> bool:
        """Whether everything on the canvas was computed."""
        return all(self.mask(z).all() for z in range(self.shape[0]))

    def mask(self, z: int) -> NDArray[np.bool_]:
        """Return which voxels of a slice of the canvas were computed, (y, x)."""
        _, height, width = self.shape
        if self._covered is None:
            return np.ones((height, width), bool)
        return self._covered.mask((range(z, z + 1), range(height), range(width)), (1, 1, 1))[0]

    def read(self, port: Raster, z: int, channel: int = 0) -> NDArray[np.float32]:
        """Return a slice of the canvas, (y, x) float32, NaN where nothing was computed."""
        plane = in_memory(self._result.images[port.key][0][z, :, :, channel])
        return np.where(self.mask(z), plane, np.float32(np.nan)).astype(np.float32, copy=False)

    def dtype(self, port: Raster) -> np.dtype[np.generic]:
        """Return the type that holds an output: its own where nothing is missing, else float32, which knows NaN."""
        return np.dtype(port.dtype) if self.is_whole else np.dtype(np.float32)
