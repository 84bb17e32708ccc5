"""A header's axes as a lattice: what rounding bent is straightened, what is sheared or has no size is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.lattice import Lattice

# No scan lies so many mm from the place that it is measured from.
_FAR = 1e9
# Cosines between axes that float32 explains.
_ROUNDED = 1e-6
# Axes may be straightened where that moves no corner by more than this part of the smallest voxel side, and told of
# from this part on.
_STRAIGHTENED, _TOLD = 0.5, 0.02
# A header's spacing is taken for the length of its axis where both differ by no more than this part.
_SAME_SPACING = 1e-4

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def shear(affine: NDArray[np.float64]) -> float:
    """Return by how many degrees the axes of a (4, 4) affine miss right angles; NaN where one has no length."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite([*affine.ravel(), *lengths]).all() or not lengths.all():
        return float("nan")
    units = affine[:3, :3] / lengths
    cosines = np.abs(units.T @ units - np.eye(3)).max()
    return float(np.degrees(np.arcsin(min(1.0, cosines))))


def lattice_of(
    name: str,
    affine: NDArray[np.float64],
    size: tuple[int, int, int],
    spacing: tuple[float, float, float] | None = None,
) -> tuple[Lattice, tuple[str, ...]]:
    """Return the lattice of an affine, and what is odd about it.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    affine : ndarray (4, 4)
        From voxel numbers (x, y, z, 1) to LPS (x, y, z, 1) in mm.
    size : tuple of int
        Voxels along x, y, z.
    spacing : tuple of float, optional
        What the header says besides of the size of a voxel along x, y, z, mm; taken where the axes say the same but
        for rounding.

    Raises
    ------
    InputError
        A number is none, a voxel has no size, or the axes do not stand at right angles.
    """
    if not (np.abs(affine) < _FAR).all():  # nor is NaN
        raise InputError(f"{name} says with numbers that are none, or beyond all reason, where it lies: save it again.")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not (lengths > 0).all():
        raise InputError(f"{name} has voxels of no size ({_by(lengths)} mm): its header must say how large they are.")
    units = affine[:3, :3] / lengths
    origin = affine[:3, 3]
    notices: tuple[str, ...] = ()
    if np.abs(units.T @ units - np.eye(3)).max() > _ROUNDED:
        left, _, right = np.linalg.svd(units)
        straight = left @ right
        middle = (np.array(size) - 1) / 2
        # The middle stays where it is, so that nothing else moves far.
        origin = origin + affine[:3, :3] @ middle - straight * lengths @ middle
        corners = np.array(list(product((-0.5, 0.5), repeat=3))) * size
        moved = np.linalg.norm(corners @ (affine[:3, :3] - straight * lengths).T, axis=1).max() / lengths.min()
        angle = shear(affine)
        if moved > _STRAIGHTENED or angle > 5:
            raise InputError(
                f"{name} is sheared (its axes miss right angles by {angle:.2g}°), which is not read: resample it "
                "first, e.g. in 3D Slicer or by nibabel.processing.resample_to_output."
            )
        if moved > _TOLD:
            told = f"by {angle:.2g}°: they are straightened, which moves no corner by more than {moved:.2g} voxel."
            notices = (f"{name} has axes that miss right angles {told}",)
        units = straight
    if spacing is not None and np.allclose(lengths, spacing, rtol=_SAME_SPACING, atol=0):
        lengths = np.array(spacing, float)
    width, height, depth = size
    lattice = Lattice(
        (depth, height, width),
        (float(lengths[2]), float(lengths[1]), float(lengths[0])),
        _vector(origin),
        (_vector(units[:, 2]), _vector(units[:, 1]), _vector(units[:, 0])),
    )
    return lattice, notices


def check_size(name: str, size: tuple[int, ...]) -> None:
    """Refuse sides that no array has.

    Raises
    ------
    InputError
        One is below 1, or beyond all reason.
    """
    if not size or min(size) < 1 or max(size) > 2**31:
        raise InputError(f"{name} says it has {_by(size)} voxels, which no volume has: its header is damaged.")


def _by(numbers: object) -> str:
    return " x ".join(f"{number:g}" for number in np.asarray(numbers).ravel())


def _vector(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
