"""The two forms in which a NIfTI header says where it lies: which is taken, how far they differ, what is kept of them.

A form leads from voxel numbers (x, y, z) to RAS (x, y, z) in the file's own unit. The qform is a rotation, the sizes of
a voxel (pixdim) and a shift; the sform is any affine. A code says in which space a form is, 0 that it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.volumes.axes import RAS_TO_LPS, lattice_of, shear
from diffuscope.scans.lattice import Lattice

#: mm per unit, by the code of `xyzt_units`; a unit that is not told is mm, as all readers take it.
MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
# A quaternion may be longer than 1 by what float32 rounds, and by sloppy writers.
_UNIT = 1e-3
# Forms are one where no corner differs by more than this part of the smallest voxel side.
_SAME = 0.02


@dataclass(frozen=True, kw_only=True)
class Forms:
    """What a NIfTI header says of its place, as it stands there.

    Attributes
    ----------
    units : int
        The header's `xyzt_units`.
    pixdim : tuple of float
        qfac, and the size of a voxel along x, y and z.
    qform_code, sform_code : int
        Spaces.
    quatern, qoffset : tuple of float
        Of the qform.
    srow : tuple of tuple of float
        The rows of the sform.
    """

    units: int
    pixdim: tuple[float, ...]
    qform_code: int
    sform_code: int
    quatern: tuple[float, ...]
    qoffset: tuple[float, ...]
    srow: tuple[tuple[float, ...], ...]

    @property
    def sform(self) -> NDArray[np.float64]:
        """(4, 4)."""
        return np.array([*self.srow, (0, 0, 0, 1)], float)

    @property
    def qform(self) -> NDArray[np.float64]:
        """(4, 4); NaN where the header's numbers give none."""
        b, c, d = self.quatern
        rest = 1 - (b * b + c * c + d * d)
        if not rest > -_UNIT:
            return np.full((4, 4), np.nan)
        # As the reference does: a rotation by half a turn, rounded.
        scale = 1.0 if rest >= 1e-7 else 1 / np.sqrt(1 - rest)
        a, b, c, d = np.sqrt(max(rest, 0.0)) if rest >= 1e-7 else 0.0, b * scale, c * scale, d * scale
        turn = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
            ]
        )
        matrix = np.eye(4)
        matrix[:3, :3] = turn * np.abs(self.pixdim[1:])
        if self.pixdim[0] < 0:
            matrix[:3, 2] *= -1
        matrix[:3, 3] = self.qoffset
        return matrix

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "units": self.units,
            "pixdim": [float(one) for one in self.pixdim],
            "qform_code": self.qform_code,
            "sform_code": self.sform_code,
            "quatern": list(self.quatern),
            "qoffset": list(self.qoffset),
            "srow": [list(row) for row in self.srow],
        }

    @classmethod
    def from_json(cls, about: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            units=int(about["units"]),
            pixdim=tuple(about["pixdim"]),
            qform_code=int(about["qform_code"]),
            sform_code=int(about["sform_code"]),
            quatern=tuple(about["quatern"]),
            qoffset=tuple(about["qoffset"]),
            srow=tuple(tuple(row) for row in about["srow"]),
        )

    def regridded(self, before: Lattice, after: Lattice) -> Forms:
        """Return the forms of another lattice over the same field, in the order of the file as `before` is.

        Both forms say of each place of the new lattice what they said of it in the old one.
        """
        # From new voxel numbers to old ones; lattices count (z, y, x), forms (x, y, z).
        step = (np.linalg.inv(before.affine) @ after.affine)[np.ix_([2, 1, 0, 3], [2, 1, 0, 3])]
        factors = [float(one) for one in np.diag(step)[:3]]
        pixdim = [size * factor for size, factor in zip(self.pixdim[1:], factors, strict=True)]
        return replace(
            self,
            pixdim=(self.pixdim[0], *pixdim),
            qoffset=_rounded((self.qform @ step)[:3, 3]),
            srow=tuple(_rounded(row) for row in (self.sform @ step)[:3]),
        )


def forms_of(lattice: Lattice) -> Forms:
    """Return the forms of a volume that came as no NIfTI: both say the same, in mm, of the scanner's space.

    Parameters
    ----------
    lattice : Lattice
        In the order of the file.
    """
    affine = lattice.affine[:, [2, 1, 0, 3]]
    affine[:3] = RAS_TO_LPS @ affine[:3]
    turn = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    qfac = 1.0 if np.linalg.det(turn) > 0 else -1.0
    turn[:, 2] *= qfac
    return Forms(
        units=2,
        pixdim=(qfac, *lattice.spacing[::-1]),
        qform_code=1,
        sform_code=1,
        quatern=_quaternion(turn),
        qoffset=_rounded(affine[:3, 3]),
        srow=tuple(_rounded(row) for row in affine[:3]),
    )


def choose(name: str, forms: Forms, size: tuple[int, int, int]) -> tuple[Lattice, tuple[str, ...]]:
    """Return the lattice by the sform, as nibabel, FSL and SPM have it, or by the qform where no sform can be gone by.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    forms : Forms
        Of its header.
    size : tuple of int
        Voxels along x, y, z.

    Returns
    -------
    Lattice, tuple of str
        And what is odd, one sentence each.

    Raises
    ------
    InputError
        Neither form can be gone by.
    """
    unit = MILLIMETRES[forms.units & 7]
    sizes = tuple(abs(one) * unit for one in forms.pixdim[1:])
    spacing = (sizes[0], sizes[1], sizes[2])

    def lattice(form: NDArray[np.float64]) -> tuple[Lattice, tuple[str, ...]]:
        return lattice_of(name, _to_lps(form, unit), size, spacing)

    if forms.sform_code <= 0 and forms.qform_code <= 0:
        found, odd = lattice(np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.diag([*(np.abs(forms.pixdim[1:])), 1.0]))
        said = (
            f"{name} does not say how the patient lies (qform and sform have code 0): it is taken as running to the "
            "left, the back and the head; check left and right."
        )
        return found, (said, *odd)
    if forms.sform_code <= 0:
        return lattice(forms.qform)
    if forms.qform_code <= 0:
        return lattice(forms.sform)
    try:
        found, odd = lattice(forms.sform)
    except InputError:
        found, odd = lattice(forms.qform)
        why = "says nothing" if np.isnan(shear(forms.sform)) else f"is sheared by {shear(forms.sform):.2g}°"
        said = f"{name} has an sform (code {forms.sform_code}) that {why}: its qform (code {forms.qform_code}) is used."
        return found, (said, *odd)
    apart, mirrored = _apart(forms, size, unit)
    if np.isnan(apart):
        said = f"{name} has a qform (code {forms.qform_code}) of numbers that are none: its sform is used."
        return found, (said, *odd)
    if apart > _SAME * min(found.spacing):
        what = "are mirror images of each other, up to" if mirrored else "lie up to"
        said = (
            f"{name} says twice where it lies, and its qform (code {forms.qform_code}) and sform (code "
            f"{forms.sform_code}) {what} {apart:.3g} mm apart: the sform is used."
        )
        return found, (said, *odd)
    return found, odd


def _apart(forms: Forms, size: tuple[int, int, int], unit: float) -> tuple[float, bool]:
    """Return how far the forms put a corner apart, mm, NaN where the qform is none; and whether they are mirrored."""
    corners = np.array([(*corner, 1) for corner in product(*((0, side - 1) for side in size))], float)
    qform, sform = forms.qform, forms.sform
    if np.isnan(shear(qform)):
        return float("nan"), False
    far = np.linalg.norm((corners @ (qform - sform).T)[:, :3], axis=1).max() * unit
    return float(far), bool(np.linalg.det(qform) * np.linalg.det(sform) < 0)


def _to_lps(form: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    out = np.eye(4)
    out[:3] = RAS_TO_LPS @ form[:3] * unit
    return out


def _quaternion(turn: NDArray[np.float64]) -> tuple[float, ...]:
    """Return b, c and d of a rotation; a is not negative."""
    from scipy.spatial.transform import Rotation

    b, c, d, a = Rotation.from_matrix(turn).as_quat()
    return _rounded(np.array([b, c, d]) * (-1.0 if a < 0 else 1.0))


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    # Adding 0 makes a plain zero of a negative one.
    return tuple(float(value) + 0.0 for value in values)
