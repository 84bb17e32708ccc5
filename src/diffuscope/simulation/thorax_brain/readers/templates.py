"""What a finding looks like in one kind of image: discs and rings, by physics, for each kind and diameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.simulation.thorax_brain.findings import Kind, Region, Size
from diffuscope.simulation.thorax_brain.lesions import DIAMETERS, WALL
from diffuscope.simulation.thorax_brain.mri import SEQUENCES, signal
from diffuscope.simulation.thorax_brain.radiograph import WATER, WHITE
from diffuscope.simulation.thorax_brain.shapes import PIXEL, SHAPE
from diffuscope.simulation.thorax_brain.tissues import TISSUES, Tissue

#: Px around a finding that are looked at with it.
_AROUND = 1.25
#: Of each kind: tissue of the wall, and of the middle.
_LAYERS: dict[Region, dict[Kind, tuple[str, str]]] = {
    "chest": {"solid": ("solid", "solid"), "calcified": ("calcified", "calcified"), "cystic": ("solid", "air")},
    "head": {"solid": ("solid", "solid"), "calcified": ("calcified", "calcified"), "cystic": ("solid", "cyst")},
}
#: What lies around a finding; of a head as much of one as of the other.
_GROUND: dict[Region, tuple[str, ...]] = {"chest": ("lung",), "head": ("grey", "white")}
#: What an image's scale is told by: the tissue that there is most of outside lungs, or in the skull.
_SCALE: dict[Region, tuple[str, ...]] = {"chest": ("muscle",), "head": ("grey", "white")}
#: A kind that differs less from what is around it, in parts of the scale, cannot be seen.
_FAINTEST = 0.12
#: How bright a finding may be beside what physics says of a mean body.
_STRENGTHS, _STRENGTH = {"ct": (0.85, 1.18), "xray": (0.75, 1.25)}, (0.75, 1.3)
#: Standard deviation, px, of the blur that is taken from an image in which other things lie over a finding.
_WIDTHS = {"xray": 2.0}


class Template(NamedTuple):
    """What one kind looks like at one diameter.

    Attributes
    ----------
    kind, size
        What it stands for.
    diameter : float
        px.
    weight : ndarray of shape (64, 64)
        1 where the image is compared, around pixel (0, 0).
    pattern : ndarray of shape (64, 64)
        By how much it is brighter than what is around it, before it is sharpened.
    """

    kind: Kind
    size: Size
    diameter: float
    weight: NDArray[np.float64]
    pattern: NDArray[np.float64]


@dataclass(frozen=True)
class Bank:
    """All templates of a key and a region, with their spectra.

    Attributes
    ----------
    templates : tuple of Template
        Of the kinds that can be seen.
    scale : float
        Value of the tissue by which an image is scaled; 0 where values have a unit.
    weights, patterns : ndarray of complex
        Spectra (templates, 64, 33), conjugate.
    numbers, means, variances : ndarray of shape (templates, 1, 1)
        Pixels, and mean and variance of the pattern over them.
    """

    templates: tuple[Template, ...]
    scale: float
    strength: tuple[float, float]
    width: float
    weights: NDArray[np.complex128]
    patterns: NDArray[np.complex128]
    numbers: NDArray[np.float64]
    means: NDArray[np.float64]
    variances: NDArray[np.float64]

    def sharpen(self, image: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return an image, or patterns, without what is wider than findings, where that lies over them."""
        return _sharpen(np.asarray(image, np.float64), self.width)


def _sharpen(images: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    if not width:
        return images
    widths = (0.0,) * (images.ndim - 2) + (width, width)
    return np.asarray(images - ndimage.gaussian_filter(images, widths, mode="wrap"))


@cache
def bank(key: str, region: Region) -> Bank:
    """Return the templates of an image key in a region."""
    templates = tuple(
        template
        for kind in _LAYERS[region]
        for size, (least, most) in DIAMETERS.items()
        for diameter in np.linspace(least, most, 2 if size == "small" else 3 + (kind == "cystic")) / PIXEL
        for shift in _shifts(kind, size)
        if (template := _template(key, region, kind, size, float(diameter), shift)) is not None
    )
    weights = np.array([one.weight for one in templates])
    width = _WIDTHS.get(key, 0.0)
    patterns = weights * _sharpen(np.array([one.pattern for one in templates]), width)
    numbers = weights.sum(axis=(1, 2), keepdims=True)
    means = patterns.sum(axis=(1, 2), keepdims=True) / numbers
    return Bank(
        templates=templates,
        strength=_STRENGTHS.get(key, _STRENGTH),
        width=width,
        scale=0.0 if key in {"ct", "xray"} else _mean(key, _SCALE[region]),
        weights=np.conj(np.fft.rfft2(weights)),
        patterns=np.conj(np.fft.rfft2(patterns)),
        numbers=numbers,
        means=means,
        variances=(patterns**2).sum(axis=(1, 2), keepdims=True) / numbers - means**2,
    )


def _shifts(kind: Kind, size: Size) -> Sequence[tuple[float, float]]:
    """Return where the middle may lie in its pixel: of what is small or thin, in steps of half a pixel."""
    fine = size == "small" or kind == "cystic"
    return ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)) if fine else ((0.0, 0.0),)


def _template(
    key: str, region: Region, kind: Kind, size: Size, diameter: float, shift: tuple[float, float]
) -> Template | None:
    """Return a template; None where the kind cannot be seen."""
    along = np.fft.fftfreq(SHAPE[1], 1 / SHAPE[1])
    far = np.hypot(along[:, None] - shift[0], along[None] - shift[1])
    radius, wall = diameter / 2, sum(WALL) / 2 / PIXEL
    levels = [_mean(key, _GROUND[region]), *(_level(key, TISSUES[name]) for name in _LAYERS[region][kind])]
    cover = _chords if key == "xray" else _discs
    outer, inner = cover(far, radius), cover(far, radius - wall)
    pattern = (levels[1] - levels[0]) * outer + (levels[2] - levels[1]) * inner
    if key not in {"ct", "xray"} and np.abs(pattern).max() < _FAINTEST * _mean(key, _SCALE[region]):
        return None
    weight = (far < radius + _AROUND).astype(np.float64)
    return Template(kind, size, diameter, weight, pattern)


def _discs(far: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    return np.clip(0.5 + radius - far, 0.0, 1.0)


def _chords(far: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return how far a ray goes through a ball, mm, as a mean over the pixel."""
    total = np.zeros_like(far)
    for step in (-0.33, 0.0, 0.33):
        total += 2 * np.sqrt(np.clip(radius**2 - (far + step) ** 2, 0.0, None))
    return PIXEL * total / 3


def _level(key: str, tissue: Tissue) -> float:
    """Return what a tissue gives: HU, signal, or what a mm of it adds to a radiograph."""
    if key == "ct":
        return tissue.hu
    if key == "xray":
        return WATER * (1 + tissue.hu / 1000) / WHITE
    return signal(tissue, SEQUENCES[key.removesuffix("_fast")])


def _mean(key: str, names: tuple[str, ...]) -> float:
    return float(np.mean([_level(key, TISSUES[name]) for name in names]))
