"""How a volume's layer lies in the patient: as its file says, else as the user does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pint

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
    name, (z, y, x) = layer.name, scale_in(layer, "mm")
    if z is None or y is None or x is None:
        return Lies(problem=f"“{name}” does not state its mm: open its file, or give the layer a scale and units.")
    spacing, shape = (z, y, x), layer.data[0].shape if layer.multiscale else layer.data.shape
    # edited where it lies, it lies there still
    if file is not None and tuple(shape) == file.shape and all(map(same_length, spacing, file.spacing)):
        return Lies(spacing=spacing, lattice=file, placed=True)
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
    found: list[float | None] = []
    for step, own in zip(layer.scale, layer.units, strict=True):
        try:
            # a pixel has no length: pint refuses the conversion, and nothing is guessed; a mirrored layer has a scale
            # below zero
            found.append(abs(float((step * own).to(unit).magnitude)))
        except pint.DimensionalityError:
            found.append(None)
    return found
