"""Where the slices of a series lie: one stack of parallel planes at even distances, or one sentence why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.slices import Slice
from diffuscope.scans.lattice import Lattice

# Distances of slices and places beside the axis may differ by this part of a voxel: scanners round to a few digits.
_EVEN = 0.02


def stack(name: str, slices: Sequence[Slice]) -> tuple[tuple[Slice, ...], Lattice, tuple[str, ...]]:
    """Put slices in order.

    Parameters
    ----------
    name : str
        Of the folder, for messages.
    slices : sequence of Slice
        At least one.

    Returns
    -------
    tuple of Slice, Lattice, tuple of str
        In the order of the normal, where their voxels lie, and what a user should know.

    Raises
    ------
    InputError
        They differ in size, direction, spacing or frame of reference; one is missing or there twice; they are not
        above each other; or it is one alone that does not say how thick it is.
    """
    first = slices[0]
    for one in slices[1:]:
        for tag, is_other in (
            ("Rows", one.shape[0] != first.shape[0]),
            ("Columns", one.shape[1] != first.shape[1]),
            ("ImageOrientationPatient", np.abs(one.matrix - first.matrix).max() > 1e-3),
            ("PixelSpacing", np.abs(np.subtract(one.spacing, first.spacing)).max() > 1e-3),
            ("FrameOfReferenceUID", one.frame != first.frame),
        ):
            if is_other:
                raise InputError(
                    f"{name} has slices of different {tag} in one series ({first.path.name} and {one.path.name}; a "
                    "localizer among them?): keep the stack alone."
                )
    # The cosines are of the directions in which columns and rows count up; the normal is right-handed to them.
    along_x, along_y = first.matrix
    normal = np.cross(along_x, along_y)
    corners = np.array([one.corner for one in slices])
    heights = corners @ normal
    order = np.argsort(heights, kind="stable")
    ordered = [slices[i] for i in order]
    depth = _distance(name, ordered, heights[order])
    if not depth:
        if first.thickness is None:
            raise InputError(
                f"{first.path.name} is one slice and does not say its SliceThickness: give the whole series."
            )
        depth = first.thickness
    height, width = first.spacing
    bent = corners - corners[order[0]] - np.outer(heights - heights[order[0]], normal)
    if np.linalg.norm(bent, axis=1).max() > _EVEN * min(height, width) * max(1, len(slices) ** 0.5):
        raise InputError(
            f"{name} was scanned with a tilted gantry: its slices are not above each other; resample it first."
        )
    x, y, z = corners[order[0]]
    lattice = Lattice(
        (len(slices), *first.shape),
        (depth, height, width),
        (float(x), float(y), float(z)),
        (_vector(normal), _vector(along_y), _vector(along_x)),
    )
    return tuple(ordered), lattice, _thickness(name, ordered, depth)


def _distance(name: str, slices: Sequence[Slice], heights: NDArray[np.float64]) -> float:
    """Return the distance of neighbouring slices, which are in order, in mm; 0 for one slice alone."""
    steps = np.diff(heights)
    if not len(steps):
        return 0.0
    # The commonest distance, so that one gap, which may be wider than all others together, does not hide it.
    usual = Counter(np.round(steps, 2)).most_common(1)[0][0]
    if steps.min() <= _EVEN * max(usual, 1e-3):
        number = int(np.argmin(steps))
        raise InputError(
            f"{name} has two slices in one place ({slices[number].path.name} and {slices[number + 1].path.name}): it "
            "holds several times or echoes, of which a series of its own is needed."
        )
    own = float(np.mean(steps[np.abs(steps - usual) <= 0.01 + _EVEN * usual])) if usual > 0 else 0.0
    uneven = np.flatnonzero(np.abs(steps - own) > _EVEN * own + 2e-3)
    if len(uneven):
        gap = int(uneven[0])
        before, after = slices[gap].path.name, slices[gap + 1].path.name
        missing = round(steps[gap] / own) - 1 if own else 0
        what = (
            f"lacks {missing} slice(s) between {before} and {after}"
            if missing > 0 and abs(steps[gap] / own - missing - 1) < 0.1
            else f"has slices at uneven distances ({steps[gap]:.3g} mm after {before}, elsewhere {own:.3g} mm)"
        )
        raise InputError(f"{name} {what}; export the whole series again.")
    return float(np.mean(steps))


def _thickness(name: str, slices: Sequence[Slice], distance: float) -> tuple[str, ...]:
    """Say of slices that overlap, or leave gaps, that their distance counts."""
    other = next((one for one in slices if one.thickness and abs(one.thickness - distance) > _EVEN * distance), None)
    if other is None:
        return ()
    stated = f"{other.thickness:.4g} mm thick ({other.path.name})"
    return (f"The slices of {name} are {distance:.4g} mm apart and {stated}: the distance is used.",)


def _vector(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
