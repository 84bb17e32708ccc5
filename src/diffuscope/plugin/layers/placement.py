"""Where the pixels of an input lie in napari's world, and where on it the pixels of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
import pint
from napari.utils.transforms import Affine
from numpy.typing import ArrayLike, NDArray

from diffuscope.plugin.layers.inputs.orientation import UPRIGHT, from_upright
from diffuscope.results.result import Result
from diffuscope.scans.lattice import Lattice, Storage

#: How closely a transform must be none to be left out.
_NOTHING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the px of level 0 of an input lie in napari's world, along (y, x) of a slide or (z, y, x) of a volume.

    Put together as napari does it: scale, shear, rotate, translate, affine, each where there is one.

    Attributes
    ----------
    scale : ndarray (2,) or (3,)
        World units per level-0 px.
    translate : ndarray (2,) or (3,)
        World place of the centre of the first level-0 px, but for `affine`.
    units : tuple
        As napari takes them.
    rotate : ndarray (n, n) or None
        Rotation.
    shear : ndarray or None
        As napari takes it.
    affine : ndarray (n + 1, n + 1) or None
        What the transform tool moves.
    """

    scale: NDArray[np.float64]
    translate: NDArray[np.float64]
    units: tuple[Any, ...]
    rotate: NDArray[np.float64] | None = None
    shear: NDArray[np.float64] | None = None
    affine: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> Placement:
        """Return the place that keyword arguments of a layer say, among others."""
        return cls(**{key: about[key] for key in (field.name for field in fields(cls)) if key in about})

    @property
    def about(self) -> dict[str, Any]:
        """As keyword arguments of a layer."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: value for key, value in values.items() if value is not None}

    @property
    def linear(self) -> NDArray[np.float64]:
        """(n, n): what scale, shear and rotation make of a step of one px, before `affine`."""
        n = len(self.scale)
        turn = np.eye(n) if self.rotate is None else self.rotate
        shear = np.zeros(n * (n - 1) // 2) if self.shear is None else self.shear
        found: NDArray[np.float64] = Affine(scale=self.scale, rotate=turn, shear=shear).linear_matrix
        return found

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(n + 1, n + 1): from level-0 px, counted from the centre of the first, to the world."""
        n = len(self.scale)
        whole = np.eye(n + 1)
        whole[:n, :n], whole[:n, n] = self.linear, self.translate
        return whole if self.affine is None else np.asarray(self.affine) @ whole

    @property
    def steps(self) -> NDArray[np.float64]:
        """(n,): how far one px is along each axis in the world, `affine` included."""
        found: NDArray[np.float64] = np.linalg.norm(self.matrix[:-1, :-1], axis=0)
        return found

    def to_input(self, place: Sequence[float]) -> tuple[float, ...]:
        """Return the level-0 px, counted from the input's corner, at a place of napari's world."""
        found = np.linalg.solve(self.matrix, [*place, 1.0])
        return tuple((found[:-1] + 0.5).tolist())


def scan_placement(mpp: float | None) -> Placement:
    """Return where the reader puts a slide: in µm where known, else in pixels; the first pixel at the origin."""
    return Placement(
        scale=np.full(2, mpp or 1.0), translate=np.zeros(2), units=("micrometer",) * 2 if mpp else ("pixel",) * 2
    )


def volume_placement(lattice: Lattice) -> Placement:
    """Return where the reader puts a volume, in mm.

    The place of the first voxel is told along the volume's own axes, so that volumes of one patient that were scanned
    in one direction lie upon each other.
    """
    return Placement(
        scale=np.array(lattice.spacing),
        translate=np.array(lattice.directions) @ np.array(lattice.origin),
        units=("mm",) * 3,
    )


def layer_placement(layer: Any, storage: Storage | None = None) -> Placement:
    """Return where an input's layer lies, as the user may have moved, turned or sheared it.

    Parameters
    ----------
    layer : Image
        Of a slide or of a volume.
    storage : Storage, optional
        How a volume's layer keeps it, where that is not upright: the px are those of the upright volume.
    """
    n = layer.ndim
    turn, shear, affine = np.asarray(layer.rotate, float), np.asarray(layer.shear, float), np.asarray(layer.affine)
    place = Placement(
        scale=np.asarray(layer.scale, float),
        translate=np.asarray(layer.translate, float),
        units=tuple(layer.units),
        rotate=None if np.allclose(turn, np.eye(n), rtol=0, atol=_NOTHING) else turn,
        shear=None if np.allclose(shear, 0, rtol=0, atol=_NOTHING) else shear,
        affine=None if np.allclose(affine, np.eye(n + 1), rtol=0, atol=_NOTHING) else affine.astype(float),
    )
    if storage is None or storage == UPRIGHT:
        return place
    exchanged = np.abs(place.scale)[list(storage.order)]
    whole = place.matrix @ from_upright(storage, layer.data.shape)
    return Placement(
        scale=exchanged,
        translate=np.zeros(n),
        units=tuple(place.units[axis] for axis in storage.order),
        affine=whole @ np.diag([*(1 / exchanged), 1.0]),
    )


def corners(layer: Any, units: Sequence[Any]) -> NDArray[np.float64]:
    """Return where the outer corners of a layer's px lie in the world, (2**n, n), each in its own row, in some units.

    In the order of the layer's array: of one that is turned or mirrored they are others in the same places.
    """
    n, data = layer.ndim, layer.data[0] if layer.multiscale else layer.data
    px = np.array(np.meshgrid(*([-0.5, side - 0.5] for side in data.shape[:n]), indexing="ij")).reshape(n, -1)
    world = layer_placement(layer).matrix @ np.vstack([px, np.ones(px.shape[1])])
    found: NDArray[np.float64] = world[:n].T * in_units([1.0] * n, layer.units, units)
    return found


def canvas_place(placement: Placement, factors: ArrayLike, level0_px: Sequence[float]) -> dict[str, Any]:
    """Return the keyword arguments that place an image whose px are `factors` level-0 px, first corner at `level0_px`.

    Scale, translate and units; rotate, shear and affine where the input has them.
    """
    # centres, not corners: the middle of a large px lies (factor - 1) / 2 level-0 px beyond that of a small one
    centre = np.asarray(level0_px, float) + (np.asarray(factors) - 1) / 2
    return placement.about | {
        "scale": placement.scale * np.asarray(factors),
        "translate": placement.translate + placement.linear @ (centre * np.ones(len(placement.scale))),
    }


def result_place(result: Result, placement: Placement | None) -> dict[str, Any]:
    """Return scale, translate, units and what else places a result's images.

    Parameters
    ----------
    result : Result
        Of a slide or of a volume.
    placement : Placement or None
        Where its input lies; None: where the reader puts that input.
    """
    factors = np.array(result.place.factors)
    corner = np.array(result.window[: len(factors)]) * factors
    return canvas_place(placement or _by_reader(result), factors, corner.tolist())


def put(layer: Any, place: Mapping[str, Any]) -> None:
    """Move a layer to a place of `canvas_place`, quietly where it is there already: napari draws for each change."""
    n = layer.ndim
    nowhere = {"rotate": np.eye(n), "shear": np.zeros(n * (n - 1) // 2), "affine": np.eye(n + 1)}
    for name, value in (nowhere | dict(place)).items():
        there = getattr(layer, name)
        if name == "units":
            if tuple(map(str, there)) != tuple(map(str, value)):
                layer.units = value
        elif not np.array_equal(np.asarray(there), value):
            setattr(layer, name, value)


def world_units(viewer: Any) -> Sequence[Any] | None:
    """Return the units of a viewer's world; None where they are those of each layer."""
    units: Sequence[Any] | None = getattr(viewer.dims, "units", None)
    return units


def in_units(place: Sequence[float], units: Sequence[Any] | None, own: Sequence[Any]) -> NDArray[np.float64]:
    """Return a place that is told in some units, along the last axes of the world, in others.

    napari shows layers of µm and of mm in one world, and leaves the conversion to whoever asks. What has no length
    (pixels) is taken as it is, as napari does.

    Parameters
    ----------
    place : sequence of float
        The first axes, where there are fewer than units in `own`, are at 0.
    units : sequence of units or None
        Of its axes; None: as `own`.
    own : sequence of units
        Those that are wanted.
    """
    # while layers come and go the world may have fewer axes than one of them
    missing = max(len(own) - len(place), 0)
    found = np.concatenate([np.zeros(missing), np.asarray(place, float)])[-len(own) :]
    units = None if units is None or len(units) < len(own) else units
    if not _converts():
        return found
    unit = pint.get_application_registry().Unit  # type: ignore[no-untyped-call]
    for axis, (one, wanted) in enumerate(zip(tuple(units or own)[-len(own) :], own, strict=True)):
        try:
            found[axis] *= float((1 * unit(one)).to(unit(wanted)).magnitude)
        except pint.DimensionalityError:
            continue
    return found


def in_data(image: Any, layer: Any, point: Sequence[float]) -> NDArray[np.float64]:
    """Return where a point of one layer (Shapes, Points) of two axes lies in the data of an image of two axes."""
    world = in_units(layer.data_to_world(point), layer.units, image.units)
    return np.asarray(image.world_to_data(world), float)


def _by_reader(result: Result) -> Placement:
    # Of what was made from texts alone there is none: its canvas lies where a slide would.
    inputs: list[dict[str, Any]] = list(result.record["inputs"].values())
    stated = next((one for one in inputs if "mpp_stated" in one or "lattice" in one), {})
    if result.place.unit != "mm":
        return scan_placement(stated.get("mpp_stated", result.mpp))
    if "lattice" in stated:
        return volume_placement(Lattice.from_json(stated["lattice"]))
    spacing = np.array(result.place.spacing) / np.array(result.place.factors)
    return Placement(scale=spacing, translate=np.zeros(3), units=("mm",) * 3)


@cache
def _converts() -> bool:
    """Whether napari converts units; before, it showed the numbers of all layers in one world, whatever their units."""
    # Here, since the process that computes has no viewer.
    from napari.components import Dims

    return hasattr(Dims(), "units")
