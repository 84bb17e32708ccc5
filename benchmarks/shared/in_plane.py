"""Pairs of slices laid on each other in their plane, by the registration that the product has for slides."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.shared.places import RUNS
from benchmarks.shared.scans import Direction, Pictures, Slices
from diffuscope.registration.density import Density
from diffuscope.registration.transform import Transform
from diffuscope.systems.midiffusion.place import body_mask

MAPS = RUNS / "in-plane"
# A pair that would have to be moved farther than this anywhere in the body, px, was not matched but lost.
_FARTHEST = 12.0
_FINER = 4


def registered(direction: Direction, tests: Slices) -> Slices:
    """Return slices whose targets are brought onto their sources, each by an affine map in its plane.

    The map is that of most mutual information of the two inside the source's body (`diffuscope.registration`), begun
    where they lie; one that leads out of the overlap, or farther than 12 px, is left out, and through the plane nothing
    is moved. Where what is brought may lie beside the target's scan nothing is scored: `Slices.inside` is smaller.

    Parameters
    ----------
    direction : Direction
        Names the file in which the maps are kept.
    tests : Slices
        Whole slices.
    """
    MAPS.mkdir(parents=True, exist_ok=True)
    file = MAPS / f"{direction.shipped}.json"
    with FileLock(file.with_suffix(".lock")):
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        moved, inside = [], []
        slices = zip(tests.patients, tests.places, tests.source, tests.target, tests.inside, strict=True)
        for patient, (z, _, _), source, target, part in slices:
            key = f"{patient} {z}"
            if key not in known:
                known[key] = _found(source, target)
                file.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
            affine = np.array(known[key])
            moved.append(_brought(target, affine))
            inside.append(_within(part, affine))
    return replace(tests, target=np.stack(moved), inside=tuple(inside))


def _found(source: Pictures, target: Pictures) -> list[list[float]]:
    """Return the affine map (2, 3) from the source's (x, y, 1) to the target's (x, y), px; where it lies if none is."""
    from diffuscope.registration.optimise import Pair

    stays = np.eye(2, 3)
    masks = [body_mask(image) for image in (source, target)]
    if not masks[0].any() or not masks[1].any():
        return stays.tolist()
    pair = Pair(*(_finer(image, mask) for image, mask in zip((source, target), masks, strict=True)))
    lying = Transform(np.eye(2), np.zeros(2))
    found = pair.fit_affine(lying)
    if found is None or pair.information(found) <= pair.information(lying):
        return stays.tolist()
    rows, columns = np.nonzero(masks[0])
    points = np.stack([columns + 0.5, rows + 0.5], axis=-1)
    if np.linalg.norm(found.to_moving(points) - points, axis=1).max() > _FARTHEST:
        return stays.tolist()
    return np.concatenate([found.matrix, found.shift[:, None]], axis=1).tolist()


def _finer(image: Pictures, mask: NDArray[np.bool_]) -> Density:
    """Return a slice in px of a quarter: the registration's coarsest level sees an eighth of what it is given."""
    fine = ndimage.zoom(image, _FINER, order=1, mode="nearest", grid_mode=True)
    return Density(fine, mask.repeat(_FINER, 0).repeat(_FINER, 1), 1.0 / _FINER)


def _brought(target: Pictures, affine: NDArray[np.float64]) -> Pictures:
    """Return the target on the source's grid; beside it is the lowest there is."""
    # ITK's first pixel begins at half a px: centres there are at index + 1/2.
    matrix, shift = affine[::-1, 1::-1], affine[::-1, 2]
    offset = shift + matrix @ np.full(2, 0.5) - 0.5
    found: Pictures = ndimage.affine_transform(target, matrix, offset, order=1, mode="constant", cval=0.0)
    return found


def _within(inside: tuple[slice, slice], affine: NDArray[np.float64]) -> tuple[slice, slice]:
    """Return a part of a slice less as many px at each side as its corners are moved."""
    rows, columns = inside
    corners = np.array([(x, y) for x in (columns.start, columns.stop) for y in (rows.start, rows.stop)], np.float64)
    apart = np.abs(corners @ affine[:, :2].T + affine[:, 2] - corners).max(axis=0)
    across, down = (int(np.ceil(one)) for one in apart)
    return slice(rows.start + down, rows.stop - down), slice(columns.start + across, columns.stop - across)
