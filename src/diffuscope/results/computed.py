"""What comes of computing tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.tiling.plan import Tile


@dataclass(frozen=True, eq=False)
class Computed:
    """A finished tile.

    Attributes
    ----------
    tile : Tile
        Its place.
    outputs : mapping of str to ndarray
        By port key, float32 (c, tile, tile) or (c, depth, tile, tile) in the ports' physical ranges; a depth of 1 may
        be left out.
    values : mapping of str to ndarray
        By key of `System.values`, float32 (evaluations,); NaN where an evaluation told nothing.
    others : mapping of str to list or str
        By port key, what a case gives beside images (see `diffuscope.results.beside.others`).
    batch : int
        Tiles that were computed at once, this one among them.
    """

    tile: Tile
    outputs: Mapping[str, NDArray[np.float32]]
    values: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    batch: int = 1
    others: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unlike:
    """A case is unlike those that its model was trained on, in a sentence that the record keeps."""

    sentence: str


@dataclass(frozen=True)
class Halved:
    """The memory was too small for the batch; from now on it has this many tiles."""

    batch: int
