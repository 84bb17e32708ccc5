"""CropSampler: one case and where crops of it may lie, of slides as of volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diffuscope.jobs.inputs import PortInput
from diffuscope.ports.raster import Raster


class CropSampler(Protocol):
    """What training batches are drawn from."""

    @property
    def keys(self) -> frozenset[str]:
        """Which pictures the case has."""
        ...

    def inputs(self, ports: Iterable[Raster]) -> list[tuple[PortInput, tuple[float, ...]]]:
        """Return those of some inputs that the case has, as a run has them, with their px per px of the model."""
        ...

    @property
    def corners(self) -> NDArray[np.int64]:
        """(n, 2) or (n, 3): first px of crops that show enough, along the axes of its images, px of the model."""
        ...

    def read(self, corner: NDArray[np.int64], side: int) -> dict[str, NDArray[np.generic]]:
        """Return a crop by key, (side, side, c), as a run gives it to a network."""
        ...

    def augment(
        self, crop: Mapping[str, NDArray[np.generic]], rng: np.random.Generator
    ) -> dict[str, NDArray[np.generic]]:
        """Return a crop changed as other cases may look."""
        ...

    def spread(self, number: int) -> NDArray[np.int64]:
        """Return at most so many corners to validate on, evenly spread over the case."""
        ...
