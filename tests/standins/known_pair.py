"""A known pair of slides: how a slide is written, how it is warped, and how far a transform is off.

The known maps go from the moving slide to the fixed one, as the warped pixels are made, in plain NumPy: nothing here
uses the transforms that are tested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

from diffuscope.registration.density import find_tissue
from diffuscope.scans import Scan

MPP, GLASS = 0.499, 245
# Of the piece that the tests use, µm.
MIDDLE = np.full(2, 600 * MPP)


def write_slide(path: Path, pixels: np.ndarray, *, mpp: float | None = MPP) -> Path:
    """Write an RGB image as a tiled OME-TIFF."""
    size = {"PhysicalSizeX": mpp, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": mpp, "PhysicalSizeYUnit": "µm"}
    about = {"axes": "YXS", **(size if mpp else {})}
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb", metadata=about, compression="zlib")
    return path


def turned(
    points: np.ndarray, degrees: float = 7.0, *, mirrored: bool = False, middle: np.ndarray = MIDDLE
) -> np.ndarray:
    """Map moving (…, 2) µm to fixed: turned about the middle, 1.02 times as large, shifted by (18, -11) µm."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = 1.02 * np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    return (points - middle) @ matrix.T + middle + (18.0, -11.0)


def bent(points: np.ndarray, *, middle: np.ndarray = MIDDLE) -> np.ndarray:
    """Map moving to fixed as `turned`, and 15 µm to and fro in waves of 600 and 700 µm."""
    x, y = np.moveaxis(turned(points, middle=middle), -1, 0)
    return np.stack([x + 15 * np.sin(2 * np.pi * y / 600), y + 15 * np.cos(2 * np.pi * x / 700)], axis=-1)


def warp(pixels: np.ndarray, to_fixed: Callable[[np.ndarray], np.ndarray], *, mpp: float = MPP) -> np.ndarray:
    """Make the moving slide: what an RGB image in the fixed frame shows where each of its pixels lies."""
    rows, columns = (np.arange(side) + 0.5 for side in pixels.shape[:2])
    place = to_fixed(np.stack(np.meshgrid(columns, rows), axis=-1) * mpp) / mpp - 0.5
    at = (place[..., 1], place[..., 0])
    colours = [
        ndimage.map_coordinates(pixels[..., c].astype(np.float32), at, order=1, mode="constant", cval=GLASS)
        for c in range(3)
    ]
    return np.rint(np.stack(colours, axis=-1)).astype(np.uint8)


@dataclass(frozen=True)
class Known:
    """Two slides and the map from the moving one (µm) to the fixed one."""

    fixed: Scan
    moving: Scan
    to_fixed: Callable[[np.ndarray], np.ndarray]

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Return points of the moving slide and where they lie on the tissue of the fixed one, µm."""
        rows, columns = (np.arange(6.0, side * self.moving.mpp, 12.0) for side in self.moving.shape)
        moving = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
        fixed = self.to_fixed(moving)
        tissue = find_tissue(self.fixed)
        column, row = np.floor(fixed / self.fixed.mpp / tissue.downsample).astype(int).T
        inside = (np.minimum(row, column) >= 0) & (row < tissue.mask.shape[0]) & (column < tissue.mask.shape[1])
        inside[inside] = tissue.mask[row[inside], column[inside]]
        return moving[inside], fixed[inside]

    def errors(self, transform) -> np.ndarray:
        """Return how far a transform takes the fixed points from the moving ones, µm."""
        moving, fixed = self.points()
        return np.linalg.norm(transform.to_moving(fixed) - moving, axis=-1)
