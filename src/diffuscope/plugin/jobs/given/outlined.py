"""Outlines of layers as one file of labels, written when a run begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.plugin.forms.cases.outlines import Drawn
from diffuscope.plugin.jobs.scratch import write_scratch, write_scratch_volume
from diffuscope.plugin.layers.facts import SlideFacts


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """Labels of a layer, and the number of the role of each.

    Attributes
    ----------
    data : array-like
        Finest level of a Labels layer, as it was when Run was pressed.
    numbers : dict of int to int
        Number of the role, from 1, by the layer's own number.
    """

    data: Any
    numbers: dict[int, int]


@dataclass(frozen=True, kw_only=True)
class GivenOutlines:
    """What goes into a mask of the model.

    Attributes
    ----------
    key : str
        Of the mask's port.
    name : str
        What messages and the record call it.
    on : SlideFacts
        The layer that it lies on.
    shape : tuple of int
        Of that layer's px.
    parts : sequence of Numbered or (Drawn, int)
        Labels, and shapes with the number of their role; of voxels that lie in several, the first keeps them.
    """

    key: str
    name: str
    on: SlideFacts
    shape: tuple[int, ...]
    parts: Sequence[Numbered | tuple[Drawn, int]]

    def labels(self) -> NDArray[np.uint8]:
        """Return the labels in the order of the layer's array."""
        found = np.zeros(self.shape, np.uint8)
        for part in self.parts:
            if not isinstance(part, Numbered):
                drawn, number = part
                drawn.into(found, number)
                continue
            # plane by plane, so that no copy of a CT's size is made for each label
            for own, plane in zip(found, part.data, strict=True):
                values = np.asarray(plane)
                for label, number in part.numbers.items():
                    own[(values == label) & (own == 0)] = number
        return found

    def write(self) -> Path:
        """Write the labels into a new temporary folder, on the lattice of the layer; call this off the main thread."""
        if self.on.lies is not None:
            return write_scratch_volume(self.labels(), name=self.name, lies=self.on.lies)
        return write_scratch(self.labels(), name=self.name, mpp=self.on.mpp)
