"""Lattice: where the voxels of a volume lie in the patient, and the order in which a file keeps them.

All axes are those of arrays, (z, y, x). World coordinates are LPS in mm, as DICOM and ITK have them: x grows to the
patient's left, y to the back, z to the head. NIfTI's are RAS, the same with x and y negated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]

# Two lattices are one if no corner lies further apart than this part of the smallest voxel side: what headers round.
_SAME = 0.02


@dataclass(frozen=True)
class Lattice:
    """The places of the voxels of a volume.

    Attributes
    ----------
    shape : tuple of int
        (z, y, x).
    spacing : tuple of float
        Distance of voxel centres along (z, y, x), mm.
    origin : tuple of float
        Centre of the first voxel, LPS (x, y, z) mm.
    directions : tuple of tuple of float
        Unit vectors, LPS (x, y, z), along which the axes z, y, x of the array run.
    """

    shape: tuple[int, int, int]
    spacing: Vector
    origin: Vector
    directions: tuple[Vector, Vector, Vector]

    @property
    def affine(self) -> NDArray[np.float64]:
        """(4, 4) matrix from voxel numbers (z, y, x, 1) to LPS (x, y, z, 1) in mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(self.directions).T * np.array(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    def place(self, index: Vector) -> Vector:
        """Return LPS (x, y, z) mm of a voxel number (z, y, x), which need not be whole."""
        x, y, z, _ = self.affine @ (*index, 1.0)
        return float(x), float(y), float(z)

    def resampled(self, factors: Vector, shape: tuple[int, int, int]) -> Lattice:
        """Return the lattice of `shape` voxels that are `factors` of these wide, from the same outer corner."""
        first = (factors[0] / 2 - 0.5, factors[1] / 2 - 0.5, factors[2] / 2 - 0.5)
        z, y, x = (step * factor for step, factor in zip(self.spacing, factors, strict=True))
        return Lattice(shape, (z, y, x), self.place(first), self.directions)

    def cut(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Lattice:
        """Return the lattice of a box that begins at voxel `start`."""
        return Lattice(shape, self.spacing, self.place(start), self.directions)

    def is_same(self, other: Lattice) -> bool:
        """Whether every voxel lies where it lies in the other, but for what headers round."""
        if self.shape != other.shape:
            return False
        corners = [(z, y, x, 1) for z in (0, self.shape[0]) for y in (0, self.shape[1]) for x in (0, self.shape[2])]
        apart = (np.array(corners) @ (self.affine - other.affine).T)[:, :3]
        return float(np.linalg.norm(apart, axis=1).max()) <= _SAME * min(self.spacing)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "shape": list(self.shape),
            "spacing_mm": list(self.spacing),
            "origin_lps_mm": list(self.origin),
            "directions_lps": [list(one) for one in self.directions],
        }

    @classmethod
    def from_json(cls, about: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        z, y, x = (_vector(one) for one in about["directions_lps"])
        depth, height, width = about["shape"]
        return cls((depth, height, width), _vector(about["spacing_mm"]), _vector(about["origin_lps_mm"]), (z, y, x))


@dataclass(frozen=True)
class Storage:
    """How a file keeps a volume that is shown as `upright` has it.

    Attributes
    ----------
    order : tuple of int
        Of each axis (z, y, x) shown, the number of the file's axis.
    flipped : tuple of bool
        Of each axis shown, whether the file keeps it the other way round.
    """

    order: tuple[int, int, int] = (0, 1, 2)
    flipped: tuple[bool, bool, bool] = (False, False, False)

    def show(self, stored: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a file's array as it is shown; a view."""
        return np.flip(stored.transpose(self.order), self._turned)

    def store(self, shown: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return an array that is shown as the file keeps it; a view."""
        return np.flip(shown, self._turned).transpose(np.argsort(self.order))

    def store_lattice(self, shown: Lattice) -> Lattice:
        """Return the lattice that `store` leads to."""
        z, y, x = (length - 1 if turned else 0 for length, turned in zip(shown.shape, self.flipped, strict=True))
        signs = [-1.0 if turned else 1.0 for turned in self.flipped]
        directions = [_vector([sign * part for part in one]) for sign, one in zip(signs, shown.directions, strict=True)]
        a, b, c = (int(number) for number in np.argsort(self.order))
        return Lattice(
            (shown.shape[a], shown.shape[b], shown.shape[c]),
            (shown.spacing[a], shown.spacing[b], shown.spacing[c]),
            shown.place((z, y, x)),
            (directions[a], directions[b], directions[c]),
        )

    @property
    def _turned(self) -> tuple[int, ...]:
        return tuple(axis for axis, turned in enumerate(self.flipped) if turned)


def upright(stored: Lattice) -> tuple[Lattice, Storage]:
    """Turn a volume as radiologists look at it: slices from the feet up, rows from the front, columns from the right.

    A model sees what it was trained on whatever order a file keeps. Nothing is resampled: axes are exchanged and
    reversed, so that each runs as closely as it can along head, back and left (an oblique volume stays oblique).

    Returns
    -------
    Lattice, Storage
        As it is shown, and how it was stored.
    """
    along = np.array(stored.directions)  # [file's axis, LPS component]
    order = max(permutations(range(3)), key=lambda order: sum(abs(along[order[i], 2 - i]) for i in range(3)))
    flipped = [bool(along[order[i], 2 - i] < 0) for i in range(3)]
    storage = Storage((order[0], order[1], order[2]), (flipped[0], flipped[1], flipped[2]))
    # Axes are exchanged first and reversed then; reversing is its own inverse.
    exchanged = Lattice(
        (stored.shape[order[0]], stored.shape[order[1]], stored.shape[order[2]]),
        (stored.spacing[order[0]], stored.spacing[order[1]], stored.spacing[order[2]]),
        stored.origin,
        (stored.directions[order[0]], stored.directions[order[1]], stored.directions[order[2]]),
    )
    return Storage(flipped=storage.flipped).store_lattice(exchanged), storage


def _vector(values: Any) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
