"""Foreground: where an image shows anything, as a coarse mask of all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Foreground:
    """What of an image is more than background: the tissue of a slide, the body in a volume.

    Attributes
    ----------
    mask : ndarray of bool
        (y, x) of a slide, (z, y, x) of a volume with all its slices; the first pixel starts at the image's origin.
    downsample : float
        Px of the image per mask px along y and x.
    """

    mask: NDArray[np.bool_]
    downsample: float

    @property
    def area_px(self) -> float:
        """Area, of a volume that of all slices together, in px of the image."""
        return float(self.mask.sum()) * self.downsample**2

    def any_in(self, *box: float) -> bool:
        """Whether a box touches a mask pixel that is foreground.

        Parameters
        ----------
        *box : float
            (y, x, height, width) or (z, y, x, depth, height, width), px of the image.
        """
        *deep, rows, columns = zip(box[: self.mask.ndim], box[self.mask.ndim :], strict=True)
        touched = [_touched(*along, 1.0) for along in deep]
        touched += [_touched(*rows, self.downsample), _touched(*columns, self.downsample)]
        return bool(self.mask[tuple(touched)].any())

    def plane(self, z: int) -> Foreground:
        """Return that of one slice of a volume."""
        return Foreground(self.mask[z], self.downsample)

    def fraction_in(self, y: float, x: float, height: float, width: float) -> float:
        """Part of a window of a plane, in px of the image, that is foreground, 0–1; what lies outside is none."""
        return float(self.fractions_in(np.array([y]), np.array([x]), height, width)[0, 0])

    def fractions_in(self, y: np.ndarray, x: np.ndarray, height: float, width: float) -> NDArray[np.float64]:
        """Part of each window of a grid in a plane that is foreground.

        Parameters
        ----------
        y, x : ndarray
            Rows (n,) and columns (m,) of the windows' first corners, px of the image.
        height, width : float
            Of every window, px of the image.

        Returns
        -------
        ndarray of shape (n, m)
            0–1; what lies outside the image is none.
        """
        rows = self._overlap(y, height, self.mask.shape[0])
        columns = self._overlap(x, width, self.mask.shape[1])
        part: NDArray[np.float64] = rows @ self.mask.astype(np.float64) @ columns.T
        return part * self.downsample**2 / (height * width)

    def at(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return the mask at the px of an image of this shape, a view where it has them already.

        For masks whose `downsample` is a whole number.
        """
        step = int(self.downsample)
        if step == 1:
            return self.mask
        return self.mask.repeat(step, -2).repeat(step, -1)[..., : shape[-2], : shape[-1]]

    def _overlap(self, start: np.ndarray, size: float, count: int) -> NDArray[np.float64]:
        """Length, in mask px, of each mask pixel's overlap with each window (windows, mask pixels)."""
        low, high = start[:, None] / self.downsample, (start[:, None] + size) / self.downsample
        pixel = np.arange(count)
        return np.clip(np.minimum(pixel + 1, high) - np.maximum(pixel, low), 0, None)


def _touched(start: float, size: float, step: float) -> slice:
    """Return which px of a mask, `step` px of the image each, a range touches."""
    return slice(max(0, math.floor(start / step)), max(0, math.ceil((start + size) / step)))
