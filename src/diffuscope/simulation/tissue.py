"""Simulated H&E: glands, stroma and lymphocytes whose every nucleus is known.

For variety in training and for tests: the teacher can be held against a truth that it did not make. Real tissue is
richer, and nothing measured on a phantom says how a model does on a slide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import ellipse

from diffuscope.stains.deconvolution import HE, combine

KINDS = ("epithelial", "lymphocyte", "fibroblast")
Kind = Literal["epithelial", "lymphocyte", "fibroblast"]


@dataclass(frozen=True)
class Tissue:
    """A simulated H&E image and its truth.

    Attributes
    ----------
    he : ndarray of shape (h, w, 3)
        uint8.
    labels : ndarray of shape (h, w)
        int32 nuclei 1 … n, 0 = none.
    kind : ndarray of shape (n,)
        Index into `KINDS` of each nucleus.
    """

    he: NDArray[np.uint8]
    labels: NDArray[np.int32]
    kind: NDArray[np.int64]


def simulate_tissue(seed: int, *, size: int = 512, mpp: float = 0.5) -> Tissue:
    """Simulate a square of tissue.

    Glands: rings of round, pale nuclei of 7–10 µm in a sleeve of cytoplasm around a white lumen. Stroma: wavy eosin
    fibres with spindle nuclei. Lymphocytes: round, dark, 5–7.5 µm, scattered and in clusters.

    Parameters
    ----------
    seed : int
        Same seed, same tissue.
    size : int
        Side, px.
    mpp : float
        µm per pixel.

    Returns
    -------
    Tissue
    """
    rng = np.random.default_rng([seed, 20_261])
    painter = _Painter(size, mpp, rng)
    painter.stroma()
    for _ in range(rng.integers(2, 6)):
        painter.gland()
    painter.lymphocytes()
    painter.fibroblasts()
    return painter.finish()


class _Painter:
    """Densities of haematoxylin and eosin, and nuclei, painted one structure after another."""

    def __init__(self, size: int, mpp: float, rng: np.random.Generator) -> None:
        self.size, self.mpp, self.rng = size, mpp, rng
        self.haematoxylin = np.zeros((size, size))
        self.eosin = np.zeros((size, size))
        self.labels = np.zeros((size, size), np.int32)
        self.in_gland = np.zeros((size, size), bool)
        self.kinds: list[int] = []

    def _texture(self, scale_um: float) -> NDArray[np.float64]:
        """Return smooth noise of mean 0 and sd 1 that varies over `scale_um`."""
        noise = ndimage.gaussian_filter(
            self.rng.standard_normal((self.size, self.size)), scale_um / self.mpp, mode="wrap"
        )
        return np.asarray((noise - noise.mean()) / noise.std())

    def stroma(self) -> None:
        """Lay wavy fibres of eosin over everything, with gaps."""
        y, x = np.indices(self.labels.shape) * self.mpp
        angle = self.rng.uniform(0, np.pi)
        phase = (y * np.sin(angle) + x * np.cos(angle)) / self.rng.uniform(1.5, 3.0) + 3.0 * self._texture(12.0)
        self.eosin += np.clip(0.35 + 0.12 * np.sin(phase) + 0.10 * self._texture(4.0), 0.0, None)
        self.eosin *= 1.0 / (1.0 + np.exp(-4.0 * (self._texture(10.0) + 1.2)))

    def gland(self) -> None:
        """Put a ring of epithelial cells around a lumen; one that would lie over another gland is left out."""
        y, x = self.rng.uniform(0, self.size, 2)
        radii = self.rng.uniform(18.0, 45.0, 2) / self.mpp
        turn = self.rng.uniform(0, np.pi)
        thickness = self.rng.uniform(10.0, 16.0) / self.mpp
        body = self._ellipse(y, x, radii + thickness / 2, turn)
        if self.in_gland[body].any():
            return
        lumen = self._ellipse(y, x, np.maximum(radii - thickness / 2, 2.0), turn)
        self.in_gland[body] = True
        self.eosin[body] = 0.28
        self.haematoxylin[body] = 0.08
        self.eosin[lumen] = self.haematoxylin[lumen] = 0.0
        around = 2 * np.pi * np.sqrt((radii**2).mean()) * self.mpp
        count = int(around / self.rng.uniform(8.0, 11.0))
        for t in np.linspace(0, 2 * np.pi, count, endpoint=False) + self.rng.uniform(0, 1):
            a, b = radii * (1.0 + self.rng.normal(0, 0.06))
            cy = y + a * np.cos(t) * np.cos(turn) - b * np.sin(t) * np.sin(turn)
            cx = x + a * np.cos(t) * np.sin(turn) + b * np.sin(t) * np.cos(turn)
            self._nucleus(
                cy, cx, self.rng.uniform(7.0, 10.0), self.rng.uniform(1.0, 1.35), 0, self.rng.normal(0.42, 0.05)
            )

    def lymphocytes(self) -> None:
        """Scatter lymphocytes, and put some in clusters."""
        places = [self.rng.uniform(0, self.size, 2) for _ in range(self.rng.integers(5, 30))]
        for _ in range(self.rng.integers(1, 4)):
            centre, spread = self.rng.uniform(0, self.size, 2), self.rng.uniform(12.0, 30.0) / self.mpp
            places += list(self.rng.normal(centre, spread, (self.rng.integers(15, 60), 2)))
        for y, x in places:
            self._nucleus(y, x, self.rng.uniform(5.0, 7.5), self.rng.uniform(1.0, 1.2), 1, self.rng.normal(0.80, 0.07))

    def fibroblasts(self) -> None:
        """Put spindle nuclei into the stroma."""
        for _ in range(self.rng.integers(30, 90)):
            y, x = self.rng.uniform(0, self.size, 2)
            if not self.in_gland[int(y), int(x)]:
                self._nucleus(
                    y, x, self.rng.uniform(5.0, 7.0), self.rng.uniform(3.0, 5.0), 2, self.rng.normal(0.55, 0.08)
                )

    def _nucleus(self, y: float, x: float, diameter_um: float, elongation: float, kind: int, density: float) -> None:
        """Paint one nucleus of a given area, unless it would cut off another or leave the image."""
        radius = diameter_um / 2 / self.mpp
        radii = np.array([radius * np.sqrt(elongation), radius / np.sqrt(elongation)])
        where = self._ellipse(y, x, radii, self.rng.uniform(0, np.pi))
        if len(where[0]) < 0.95 * np.pi * radius**2 or self.labels[where].any():
            return
        self.kinds.append(kind)
        self.labels[where] = len(self.kinds)
        # chromatin: even in lymphocytes, coarse in the others
        grain = self.rng.normal(0.0, 0.04 if kind == 1 else 0.10, len(where[0]))
        self.haematoxylin[where] = np.clip(density + grain, 0.1, None)
        self.eosin[where] = 0.12

    def _ellipse(self, y: float, x: float, radii: NDArray[np.float64], turn: float) -> tuple[NDArray[np.int64], ...]:
        return tuple(ellipse(y, x, radii[0], radii[1], shape=self.labels.shape, rotation=turn))

    def finish(self) -> Tissue:
        """Blur as optics do, stain, and add the camera's noise."""
        sigma = 0.35 / self.mpp
        stain = HE * self.rng.normal(1.0, 0.05, HE.shape)
        stain /= np.linalg.norm(stain, axis=1, keepdims=True)
        gain = self.rng.uniform(0.85, 1.25, 2)
        densities = np.stack(
            [
                ndimage.gaussian_filter(self.haematoxylin, sigma) * gain[0],
                ndimage.gaussian_filter(self.eosin, sigma) * gain[1],
                np.zeros_like(self.eosin),
            ],
            axis=-1,
        )
        noisy = combine(densities, stain).astype(np.float64) * self.rng.uniform(0.94, 1.0) + self.rng.normal(
            0, 1.5, (*self.labels.shape, 3)
        )
        return Tissue(
            np.clip(np.rint(noisy), 0, 255).astype(np.uint8), self.labels, np.array(self.kinds, dtype=np.int64)
        )
