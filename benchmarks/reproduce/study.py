"""A study: one training set with its test slides, which share no slide with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.shared.scores import Tiles

Batches = Callable[[int], dict[str, Tensor]]

_COLOURS = 4000


class Study(Protocol):
    """What is trained and tested on.

    Attributes
    ----------
    name : str
        Safe in a file name.
    stains : tuple of str
        What is learned; with more than one, step i holds the stain of number i modulo their number, under the key
        ``ihc_cd3``.
    """

    name: str
    stains: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        """Return JSON values: all that changes a batch or a test."""
        ...

    def batches(self, *, seed: int, batch: int, patch: int) -> Batches:
        """Return ``he``, ``ihc``, ``mask`` of a step, from 0."""
        ...

    def tests(self, stain: str) -> list[Tiles]:
        """Return the tiles of each test slide."""
        ...

    def methods(self, stain: str, tiles: Tiles) -> dict[str, NDArray[np.uint8]]:
        """Return the pictures that need no training."""
        ...


def sampled(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return colours (1, n, 3) of pictures, about as many of each."""
    return np.concatenate([p.reshape(-1, 3)[:: max(p[..., 0].size // _COLOURS, 1)] for p in pictures])[None]


@cache
def digest(path: Path) -> str:
    """Return the first 16 digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
