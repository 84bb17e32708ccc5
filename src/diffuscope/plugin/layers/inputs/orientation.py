"""How a volume lies in the patient that a layer does not say: letters for where its axes begin, as the user tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from diffuscope.scans.lattice import Lattice, Storage, upright

#: Ends of the patient by letter: slices, rows and columns of a volume begin at one each.
ENDS = {"I": "feet", "S": "head", "A": "front", "P": "back", "R": "right", "L": "left"}
#: LPS (x, y, z) along which an axis runs that begins at an end.
_RUNS = {"I": (0, 0, 1), "S": (0, 0, -1), "A": (0, 1, 0), "P": (0, -1, 0), "R": (1, 0, 0), "L": (-1, 0, 0)}
#: A volume as Diffuscope shows it.
UPRIGHT = Storage()
_OPPOSITE = {"I": "S", "S": "I", "A": "P", "P": "A", "R": "L", "L": "R"}
_PAIRS = ("IS", "AP", "RL")

# What the user said of layers. Not in their metadata, which plugins copy to layers that they mirrored.
_said: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def say_orientation(layer: Any, letters: str) -> None:
    """Keep what the user says of a layer: where the world's axes (z, y, x) begin, ``"IAR"`` as Diffuscope shows."""
    _said[getattr(layer, "__wrapped__", layer)] = letters  # napari hands out proxies


def said_orientation(layer: Any) -> str:
    """Return what the user said of a layer, empty where nothing."""
    return _said.get(getattr(layer, "__wrapped__", layer), "")


def is_orientation(letters: str) -> bool:
    """Whether letters name one end along each of the patient's axes."""
    return len(letters) == 3 and all(sum(letter in pair for letter in letters) == 1 for pair in _PAIRS)


def data_orientation(letters: str, linear: NDArray[np.float64]) -> str | None:
    """Return where the axes of an array begin that is shown through a matrix, from where the world's axes do.

    Parameters
    ----------
    letters : str
        Of the world's axes.
    linear : ndarray (3, 3)
        From steps of the array to the world's.

    Returns
    -------
    str or None
        None where two axes of the array run along one of the world.
    """
    along = [int(np.argmax(np.abs(linear[:, axis]))) for axis in range(3)]
    if sorted(along) != [0, 1, 2]:
        return None
    return "".join(
        letters[world] if linear[world, axis] > 0 else _OPPOSITE[letters[world]] for axis, world in enumerate(along)
    )


def layer_lattice(letters: str, shape: Sequence[int], spacing: Sequence[float]) -> tuple[Lattice, Storage]:
    """Return the upright lattice of an array whose axes begin at some ends, at no known place, and how it is stored."""
    (depth, height, width), (z, y, x) = shape, spacing
    a, b, c = (tuple(float(part) for part in _RUNS[letter]) for letter in letters)
    stored = Lattice((depth, height, width), (z, y, x), (0.0, 0.0, 0.0), (a, b, c))  # type: ignore[arg-type]
    return upright(stored)


def from_upright(storage: Storage, shape: Sequence[int]) -> NDArray[np.float64]:
    """Return the (4, 4) matrix from voxel numbers of an upright volume to those of the array that keeps it."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    for shown, (axis, turned) in enumerate(zip(storage.order, storage.flipped, strict=True)):
        matrix[axis, shown] = -1.0 if turned else 1.0
        matrix[axis, 3] = shape[axis] - 1 if turned else 0.0
    return matrix
