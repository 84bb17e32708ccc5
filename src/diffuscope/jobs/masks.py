"""Labels that a run is given beside its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.jobs.inputs import PortInput
from diffuscope.ports.mask import Mask
from diffuscope.scans import Image, open_input


@dataclass(frozen=True, eq=False)
class MaskInput:
    """Labels at a port.

    Attributes
    ----------
    port : Mask
        Which.
    scan : Image
        One channel of integers.
    """

    port: Mask
    scan: Image

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """All of them, on the scan's own grid.

        Raises
        ------
        InputError
            A label has no role, or is no whole number.
        """
        ones = (1.0,) * len(self.scan.shape)
        stored = self.scan.read((0,) * len(ones), self.scan.shape, factors=ones, fill=0)[..., 0]
        labels = stored.astype(np.int64)
        if not np.array_equal(labels, stored):
            raise InputError(f"{self.scan.name} holds fractions and no labels: give whole numbers.")
        if not 0 <= labels.min() <= labels.max() <= len(self.port.roles):
            roles = ", ".join(f"{number} {role}" for number, role in enumerate(self.port.roles, start=1))
            raise InputError(
                f"{self.scan.name} has labels from {labels.min()} to {labels.max()}, but {self.port.name} takes 0 for "
                f"none, {roles}: number them so."
            )
        return labels

    def read(self, shape: Sequence[int], factors: Sequence[float]) -> NDArray[np.int64]:
        """Return the labels on a grid of `factors` px each, of each place that of the nearest px."""
        labels = self.labels
        nearest = (
            np.minimum(((np.arange(length) + 0.5) * factor).astype(np.int64), extent - 1)
            for length, factor, extent in zip(shape, factors, labels.shape, strict=True)
        )
        return labels[np.ix_(*nearest)]

    def to_json(self) -> dict[str, Any]:
        """Return what the run record tells of it."""
        return {**self.scan.to_json(), "roles": list(self.port.roles)}


def open_masks(source: Mapping[str, str | Path], ports: Sequence[Mask], images: Sequence[PortInput]) -> list[MaskInput]:
    """Open labels, which lie on the lattices of their images.

    Parameters
    ----------
    source : mapping of str to str or Path
        A file by port key.
    ports : sequence of Mask
        Those that were given.
    images : sequence of PortInput
        Opened.

    Raises
    ------
    InputError
        A file cannot be opened, holds no labels, one without a role, or does not lie on its image.
    """
    by_key = {one.port.key: one for one in images}
    found = []
    for port in ports:
        image = by_key[port.on]
        scan = open_input(source[port.key], mpp=image.scan.mpp)
        if len(scan.channels) != 1:
            raise InputError(f"{scan.name} has {len(scan.channels)} channels and is no image of labels: give one.")
        if not image.scan.is_on_grid_of(scan):
            raise InputError(f"{scan.name} ({scan.size}) does not lie on {image.scan.name} ({image.scan.size}).")
        one = MaskInput(port, scan)
        _ = one.labels  # what is wrong with them is said before anything is written
        found.append(one)
    return found
