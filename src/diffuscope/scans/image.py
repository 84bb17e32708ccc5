"""Image: the one face of slides, pictures and volumes; whoever runs, trains or describes asks for no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from diffuscope.scans.mask import Foreground

if TYPE_CHECKING:
    from diffuscope.stains import StainStatistics

Range = tuple[float, float]


class Grid(Protocol):
    """At which resolution a model works: `diffuscope.ports.raster.Raster`, or what stands for one."""

    @property
    def mpp(self) -> float:
        """µm per px on slides."""
        ...

    @property
    def spacing(self) -> tuple[float | None, float | None, float | None] | None:
        """(z, y, x) mm per voxel in volumes, None along an axis as it comes; None of a model of slides."""
        ...


class Image(Protocol):
    """What is read: `diffuscope.scans.Scan` or `diffuscope.scans.Volume`.

    All that has axes goes along `axes`: starts, shapes, factors, spacing. Pixels are those of level 0.
    """

    @property
    def path(self) -> Path:
        """File or folder."""
        ...

    @property
    def name(self) -> str:
        """For messages and records."""
        ...

    @property
    def format(self) -> str:
        """As `diffuscope info` tells it, e.g. ``"OME-TIFF"``."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash that tells it from another file of the same name."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user should know of it, one sentence each."""
        ...

    @property
    def axes(self) -> Literal["yx", "zyx"]:
        """Of a slide or picture, or of a volume."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Px along the axes."""
        ...

    @property
    def unit(self) -> Literal["µm", "mm"]:
        """Of `spacing`."""
        ...

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Size of a px along the axes; None where nobody told."""
        ...

    @property
    def mpp(self) -> float | None:
        """µm/px as `open_input` takes them; None where nobody told, and of a volume, which states its own mm."""
        ...

    @property
    def channels(self) -> tuple[str, ...]:
        """One name a channel."""
        ...

    @property
    def rgb(self) -> bool:
        """Whether three channels are one colour image."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a px's values."""
        ...

    @property
    def kind(self) -> str:
        """What it is in a message: ``"a volume"``, ``"an image of 2 channel(s)"``."""
        ...

    @property
    def size(self) -> str:
        """Its size in a message, in px and in its unit."""
        ...

    def read(
        self, start: Sequence[int], shape: Sequence[int], *, factors: Sequence[float], fill: float
    ) -> NDArray[np.generic]:
        """Read a window at any resolution; the same px whatever window it is read in. Safe from several threads.

        Parameters
        ----------
        start, shape : sequence of int
            Place and size of the window in px of the resampled grid; it may lie outside the image.
        factors : sequence of float
            Px of the image per px of that grid, > 0.
        fill : float
            Value of px that lie wholly outside.

        Returns
        -------
        ndarray of shape (*shape, c)
            The image's dtype; integers are rounded once, to nearest.
        """
        ...

    def channel(self, number: int) -> Self:
        """Return one channel, counted from 0, as an image."""
        ...

    def find_channel(self, text: str) -> int:
        """Return the number of the channel that a user named, by its name or counting from 0.

        Raises
        ------
        InputError
            There is none, or there are several of that name.
        """
        ...

    def factors(self, model: Grid) -> tuple[float, ...]:
        """Return the px of the image per px of the model along the axes; exactly 1 where both differ by at most 5 %.

        Raises
        ------
        InputError
            The size of its px is not known, or is none that a slide has.
        """
        ...

    def resampling(self, model: Grid) -> tuple[str, ...]:
        """Return the sentence that tells what `factors` does to it; none where it does nothing."""
        ...

    def is_on_grid_of(self, other: Image) -> bool:
        """Whether its px lie where those of another image lie."""
        ...

    def foreground(self, beside: Sequence[Self] = (), ranges: Sequence[Range | None] = ()) -> Foreground:
        """Find where it, and images on its grid, show anything: the same always, whatever part is looked at.

        Parameters
        ----------
        beside : sequence of images
            What counts as well.
        ranges : sequence of (low, high) or None
            Of it and those beside, values between which a volume is looked at; None or none takes its percentiles.
        """
        ...

    def percentiles(self, inside: Foreground, *, factors: Sequence[float]) -> Range:
        """Return the low and high percentile of its foreground, of its only channel at the model's resolution."""
        ...

    def stains(self, inside: Foreground, *, factors: Sequence[float]) -> StainStatistics | None:
        """Measure its stains as those of an H&E; None where it shows no nucleus that they can be measured by."""
        ...

    def describe(self) -> list[tuple[str, str]]:
        """Return what is known of it, lines of a name and a text; pixels are read for that."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return what a run record states of it."""
        ...
