"""How LMI is estimated: settings, which a configuration states and no torch is needed to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diffuscope.errors import InputError


@dataclass(frozen=True, kw_only=True)
class LMI:
    """How LMI is estimated. Intensities are those of the images that are handed over.

    Attributes
    ----------
    patch : int
        Side of a patch in px, odd, ≥ 3 (paper: 3); a cube in 3D.
    windows : int
        k of Def. 5, odd, at most `patch`: windows along each axis, evenly spread over the neighbourhood. With k =
        `patch` every pixel of it is the centre of one (paper); k = 1 compares what lies at the same place.
    bandwidth : float
        Standard deviation of the Gaussian kernel, > 0.
    estimator : {"samples", "histogram"}
        See the module.
    bins : int
        Of the histogram, ≥ 2: centres from range[0] to range[1], both included.
    range : tuple of float
        Of the histogram; intensities beyond count as its ends.
    """

    patch: int = 3
    windows: int = 3
    bandwidth: float
    estimator: Literal["samples", "histogram"] = "samples"
    bins: int = 27
    range: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        if self.patch < 3 or self.patch % 2 == 0:
            raise InputError(f"an LMI patch has an odd side of at least 3 px, not {self.patch}.")
        if not 1 <= self.windows <= self.patch or self.windows % 2 == 0:
            raise InputError(f"LMI slides an odd number of windows, here at most {self.patch}, not {self.windows}.")
        if not self.bandwidth > 0 or self.bins < 2 or not self.range[0] < self.range[1]:
            raise InputError("LMI needs a bandwidth above 0, two bins or more, and a range that rises.")

    @property
    def steps(self) -> tuple[int, ...]:
        """Places of the windows along an axis, px from the centre, rounded to pixels."""
        if self.windows == 1:
            return (0,)
        reach = self.patch // 2
        return tuple(round(-reach + 2 * reach * i / (self.windows - 1)) for i in range(self.windows))
