"""Counting connected components of an image that is only ever seen in strips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

TOUCHING = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Labelled:
    """The components of a strip by themselves.

    Attributes
    ----------
    top, bottom : ndarray of int (width,)
        Numbers of the components in the first and in the last row; 0 is background.
    pixels : ndarray of int
        Pixels of each component, in the order of the numbers, from 1.
    """

    top: NDArray[np.integer]
    bottom: NDArray[np.integer]
    pixels: NDArray[np.integer]


def label_strip(strip: NDArray[np.bool_]) -> Labelled:
    """Find the components of a strip of at least one row; what takes the time, and knows of no other strip."""
    labels, found = ndimage.label(strip, structure=TOUCHING)
    pixels = np.bincount(labels.ravel(), minlength=found + 1)[1:]
    # Copies, so that the labels of the whole strip go.
    return Labelled(labels[0].copy(), labels[-1].copy(), pixels)


class ObjectCounter:
    """Count 8-connected components of at least `min_pixels`, fed from top to bottom.

    Only components that reach the last row seen can still grow: they alone are kept, so that
    memory is that of one strip. Where strips meet, components that touch become one.

    Parameters
    ----------
    width : int
        Columns of every strip.
    min_pixels : int
        Smallest component that is counted.
    """

    def __init__(self, width: int, *, min_pixels: int) -> None:
        self._min_pixels = min_pixels
        self._count = 0
        # Open components 1 … n: their places in the last row, and their pixels so far (index 0: background).
        self._bottom = np.zeros(width, dtype=np.int64)
        self._pixels = np.zeros(1, dtype=np.int64)

    def add(self, strip: NDArray[np.bool_]) -> None:
        """Take in the next rows, shape (any number of rows, width)."""
        if len(strip):
            self.join(label_strip(strip))

    def join(self, strip: Labelled) -> None:
        """Take in the next rows, whose components are known."""
        open_before, found = len(self._pixels) - 1, len(strip.pixels)
        pixels = np.concatenate([self._pixels[1:], strip.pixels])
        group = touching(self._bottom, strip.top, open_before, found)
        merged = np.bincount(group, weights=pixels).astype(np.int64) if len(group) else np.zeros(0, np.int64)

        # Number of the merged component (from 1) under every px of the new last row.
        names = np.concatenate([[0], group[open_before:] + 1])
        bottom = names[strip.bottom]
        still_open = np.unique(bottom[bottom > 0])
        closed = np.ones(len(merged), dtype=np.bool_)
        closed[still_open - 1] = False
        self._count += int(np.count_nonzero(merged[closed] >= self._min_pixels))
        self._bottom = np.where(bottom > 0, np.searchsorted(still_open, bottom) + 1, 0)
        self._pixels = np.concatenate([[0], merged[still_open - 1]])

    def finish(self) -> int:
        """Return the number of components, once the last strip is in."""
        return self._count + int(np.count_nonzero(self._pixels[1:] >= self._min_pixels))


def touching(above: NDArray[np.integer], below: NDArray[np.integer], before: int, found: int) -> NDArray[np.int64]:
    """Number what touches across a seam, corners included, as one.

    Parameters
    ----------
    above, below : ndarray of int (width,)
        Numbers, from 1, of the components on either side of the seam; 0 is background.
    before, found : int
        How many components there are above and below.

    Returns
    -------
    ndarray of int (before + found,)
        From 0, of each component above and then of each below the one that it is part of.
    """
    width = len(below)
    pairs = []
    for shift in (-1, 0, 1):
        upper = above[max(0, -shift) : width - max(0, shift)]
        lower = below[max(0, shift) : width - max(0, -shift)]
        both = (upper > 0) & (lower > 0)
        pairs.append(np.stack([upper[both] - 1, lower[both] - 1 + before]))
    first, second = np.concatenate(pairs, axis=1)
    nodes = before + found
    graph = sparse.coo_matrix((np.ones(len(first), np.bool_), (first, second)), shape=(nodes, nodes))
    return np.asarray(csgraph.connected_components(graph, directed=False)[1], dtype=np.int64)
