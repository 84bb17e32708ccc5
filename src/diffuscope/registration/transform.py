"""Transform: from the µm of one slide to those of the other, both ways, and as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.files.read import read_json

FORMAT = 1
# The inverse is iterated until no point moves by more, µm; far below what any slide shows.
_SETTLED = 1e-6
# Of an affine part's determinant: one slide a thousand times as large as the other.
_LEAST = 1e-6
_ROUNDS = 200


@dataclass(frozen=True, eq=False)
class Bend:
    """A smooth displacement: a uniform cubic B-spline, zero beyond its control points.

    Attributes
    ----------
    origin : tuple of float
        (x, y) of the first control point, µm.
    spacing : tuple of float
        Between control points along (x, y), µm.
    coefficients : ndarray of shape (2, rows, columns)
        Displacement along x and along y at each control point, µm, float64.
    """

    origin: tuple[float, float]
    spacing: tuple[float, float]
    coefficients: NDArray[np.float64]

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the displacement (…, 2) at points (…, 2), µm."""
        place = np.moveaxis((points - self.origin) / self.spacing, -1, 0)[::-1]
        # The coefficients are those of the spline already: what prefilter would compute from samples.
        along = [ndimage.map_coordinates(c, place, prefilter=False, mode="grid-constant") for c in self.coefficients]
        return np.stack(along, axis=-1)


@dataclass(frozen=True, eq=False)
class Transform:
    """Where a point of the fixed slide lies on the moving one: bent first, then moved by an affine map.

    Points are (x, y) in µm from the upper left corner of the slide's first pixel: level-0 px times µm/px.

    Attributes
    ----------
    matrix : ndarray of shape (2, 2)
        Of the affine map, float64.
    shift : ndarray of shape (2,)
        Of the affine map, µm, float64.
    bend : Bend or None
        None for an affine transform.
    """

    matrix: NDArray[np.float64]
    shift: NDArray[np.float64]
    bend: Bend | None = None

    @property
    def affine(self) -> Transform:
        """The transform without its bend."""
        return Transform(self.matrix, self.shift)

    @property
    def rotation(self) -> float:
        """Rotation of the affine part, degrees in (-180, 180]; of a mirrored one, after mirroring x."""
        column = self.matrix[:, 0] * (-1 if self.mirrored else 1)
        return float(np.degrees(np.arctan2(column[1], column[0])))

    @property
    def scale(self) -> float:
        """Length on the moving slide over length on the fixed one: the root of the affine part's determinant."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    @property
    def mirrored(self) -> bool:
        """Whether one slide is seen from its other side."""
        return bool(np.linalg.det(self.matrix) < 0)

    def to_moving(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points (…, 2) of the fixed slide to the moving one, µm."""
        place = np.asarray(points, np.float64)
        if self.bend is not None:
            place = place + self.bend(place)
        return place @ self.matrix.T + self.shift

    def to_fixed(self, points: ArrayLike) -> NDArray[np.float64]:
        """Map points (…, 2) of the moving slide to the fixed one, µm; the bend is inverted by iteration.

        Raises
        ------
        InputError
            The bend is so steep that it folds the slide, and has no inverse.
        """
        straight = (np.asarray(points, np.float64) - self.shift) @ np.linalg.inv(self.matrix).T
        if self.bend is None:
            return straight
        place = straight
        for _ in range(_ROUNDS):
            before, place = place, straight - self.bend(place)
            if np.abs(place - before).max(initial=0.0) < _SETTLED:
                return place
        raise InputError("the transform folds the slide and cannot be inverted: register with --affine-only.")

    def least_area(self, width: float, height: float) -> float:
        """Return the smallest area that a small unit square of a slide of `width` x `height` µm keeps when it is bent.

        1 where nothing bends; 0 or less where the slide is folded.
        """
        if self.bend is None:
            return 1.0
        step = min(self.bend.spacing) / 8
        y, x = np.meshgrid(np.arange(0, height, step), np.arange(0, width, step), indexing="ij")
        bent = np.stack([x, y], axis=-1) + self.bend(np.stack([x, y], axis=-1))
        down, right = np.diff(bent, axis=0)[:, :-1] / step, np.diff(bent, axis=1)[:-1] / step
        return float((right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]).min(initial=1.0))

    def save(self, path: str | Path, record: Mapping[str, Any]) -> None:
        """Write the transform and a record (JSON values) as a file that `load_transform` reads to the same bits."""
        about: dict[str, Any] = {
            "format": FORMAT,
            "maps": "(x, y) µm of the fixed slide to (x, y) µm of the moving one: shift + matrix (p + bend(p))",
            "matrix": self.matrix.tolist(),
            "shift": self.shift.tolist(),
            "bend": None,
            "record": dict(record),
        }
        if self.bend is not None:
            about["bend"] = {
                "kind": "uniform cubic B-spline",
                "origin": list(self.bend.origin),
                "spacing": list(self.bend.spacing),
                "coefficients": self.bend.coefficients.tolist(),
            }
        Path(path).write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")


def load_transform(path: str | Path) -> tuple[Transform, dict[str, Any]]:
    """Read a transform and its record.

    Parameters
    ----------
    path : str or Path
        What `Transform.save` wrote; in a registered result it is ``transform.json``.

    Raises
    ------
    InputError
        It is missing, no such file, or of a newer Diffuscope.
    """
    path = Path(path)
    try:
        about = read_json(path)
        if about["format"] > FORMAT:
            raise InputError(f"{path.name} was written by a newer Diffuscope: update to open it.")
        bend = None if about["bend"] is None else _read_bend(about["bend"])
        matrix, shift = _affine(about["matrix"]), _numbers(about["shift"], (2,))
        return Transform(matrix=matrix, shift=shift, bend=bend), dict(about["record"])
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): give a transform.json.") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{path.name} is no transform that diffuscope register wrote: give a transform.json."
        ) from error


def _affine(given: Any) -> NDArray[np.float64]:
    matrix = _numbers(given, (2, 2))
    if not _LEAST <= abs(np.linalg.det(matrix)) <= 1 / _LEAST:
        raise ValueError("no slide is laid on another so")
    return matrix


def _read_bend(bend: Mapping[str, Any]) -> Bend:
    coefficients = _numbers(bend["coefficients"])
    origin, spacing = _numbers(bend["origin"], (2,)), _numbers(bend["spacing"], (2,))
    if coefficients.ndim != 3 or len(coefficients) != 2 or not coefficients.size or not (spacing > 0).all():
        raise ValueError("no spline of two displacements")
    return Bend(
        origin=(float(origin[0]), float(origin[1])),
        spacing=(float(spacing[0]), float(spacing[1])),
        coefficients=coefficients,
    )


def _numbers(given: Any, shape: tuple[int, ...] = ()) -> NDArray[np.float64]:
    """Return finite numbers in a shape, where one is given."""
    found = np.array(given, np.float64)
    if not np.isfinite(found).all():
        raise ValueError("not finite")
    return found.reshape(shape) if shape else found
