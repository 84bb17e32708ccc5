"""How a volume's layer lies in the patient: as its file says, else as the user does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pint
from numpy.typing import NDArray

from diffuscope.plugin.layers.inputs.orientation import (
    UPRIGHT,
    data_orientation,
    is_orientation,
    layer_lattice,
    said_orientation,
)
from diffuscope.plugin.layers.placement import layer_placement
from diffuscope.scans.lattice import Lattice, Storage


@dataclass(frozen=True, kw_only=True)
class Lies:
    """How a volume's layer lies in the patient.

    Attributes
    ----------
    spacing : tuple of float or None
        (z, y, x) mm of the layer's voxels; None where nobody says.
    lattice : Lattice or None
        Of the upright voxels; None where `problem` says what is missing.
    storage : Storage
        How the layer keeps the upright voxels.
    placed : bool
        Whether the origin of the lattice is a place in a patient, as a file says it.
    problem : str
        Why nobody can say, and what to do, in one sentence.
    """

    spacing: tuple[float, float, float] | None = None
    lattice: Lattice | None = None
    storage: Storage = UPRIGHT
    placed: bool = False
    problem: str = ""


def lies_of(layer: Any, file: Lattice | None) -> Lies:
    """Return how a volume's layer lies.

    Parameters
    ----------
    layer : Image
        Of three axes.
    file : Lattice or None
        What the file says that our reader made the layer of, or that the layer was copied from.
    """
    name, shape = layer.name, tuple(layer.data[0].shape if layer.multiscale else layer.data.shape)
    # edited where it lies, it lies there still, however it was moved on the screen
    if file is not None and shape == file.shape and all(map(same_length, scale_in(layer, "mm"), file.spacing)):
        return Lies(spacing=file.spacing, lattice=file, placed=True)
    z, y, x = shown_in(layer, "mm")
    if z is None or y is None or x is None:
        return Lies(problem=f"“{name}” does not state its mm: open its file, or give the layer a scale and units.")
    spacing = (z, y, x)
    said = said_orientation(layer)
    if not is_orientation(said):
        return Lies(
            spacing=spacing, problem=f"“{name}” does not say how it lies in the patient: say it under the layer."
        )
    letters = data_orientation(said, layer_placement(layer).matrix[:3, :3])
    if letters is None:
        return Lies(spacing=spacing, problem=f"“{name}” is turned by half a right angle: turn it further or back.")
    lattice, storage = layer_lattice(letters, shape, spacing)
    return Lies(spacing=spacing, lattice=lattice, storage=storage)


def same_length(one: float | None, other: float | None) -> bool:
    """Whether two lengths are one but for what headers round, or both unknown."""
    return one == other if one is None or other is None else abs(one - other) <= 1e-4 * other


def scale_in(layer: Any, unit: str) -> list[float | None]:
    """Return the layer's scale along its axes in a unit of length; None along those that have no length."""
    return _lengths(np.diag(np.asarray(layer.scale, float)), layer.units, unit)


def shown_in(layer: Any, unit: str) -> list[float | None]:
    """Return how long a px of a layer is along its axes as it is shown, in a unit of length; None as of `scale_in`.

    Readers may put a scale into the layer's affine, as users do with the transform tool.
    """
    return _lengths(layer_placement(layer).matrix[:-1, :-1], layer.units, unit)


def side_in(layer: Any, unit: str) -> float | None:
    """Return the side of a square as large as a px of a slide is shown, turned or sheared; None as of `scale_in`."""
    area = abs(float(np.linalg.det(_steps(layer_placement(layer).matrix[:-1, :-1], layer.units, unit))))
    return None if np.isnan(area) else float(np.sqrt(area))


def _lengths(linear: NDArray[np.float64], units: Sequence[Any], unit: str) -> list[float | None]:
    return [None if np.isnan(step) else float(step) for step in np.linalg.norm(_steps(linear, units, unit), axis=0)]


def _steps(linear: NDArray[np.float64], units: Sequence[Any], unit: str) -> NDArray[np.float64]:
    """Return the steps of an array that a matrix takes to a world whose axes have some units, in one; else NaN."""
    # an axis without a length touches none of the steps that do not run along it
    return np.where(linear == 0, 0.0, linear * np.array([[_factor(own, unit)] for own in units]))


def _factor(own: Any, unit: str) -> float:
    try:
        # a pixel has no length: pint refuses the conversion, and nothing is guessed
        return float((1 * own).to(unit).magnitude)
    except pint.DimensionalityError:
        return float("nan")
