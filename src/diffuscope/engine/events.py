"""What a running job reports: small frozen records that travel between processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffuscope.events import Notice, Progress


@dataclass(frozen=True, kw_only=True)
class Started:
    """The canvas exists and tiles are about to be computed.

    Attributes
    ----------
    out : str
        Result folder.
    tiles : int
        Tiles of the plan (tissue only).
    done : int
        Of them finished before, where a run is resumed.
    unit : str
        What the user calls them: tiles, slices of a volume that are a tile each, or cases.
    notices : tuple of str
        Sentences the user should see (assumed µm/px, resampling factor, precision).
    """

    out: str
    tiles: int
    done: int = 0
    unit: str = "tiles"
    notices: tuple[str, ...] = ()

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return Progress(done=self.done, total=self.tiles, unit=self.unit)


@dataclass(frozen=True, kw_only=True)
class Step:
    """The network was evaluated once more for the tiles at hand, of which there is nothing new to see.

    Attributes
    ----------
    step, steps : int
        Network evaluations done for these tiles, and in all.
    beside : int
        How many tiles are about as far.
    """

    step: int
    steps: int
    beside: int = 1

    @property
    def part(self) -> float:
        """How much of each of these tiles is done."""
        return self.step / self.steps


@dataclass(frozen=True, kw_only=True)
class Preview(Step):
    """Current clean estimate of one tile.

    Attributes
    ----------
    y, x : int
        Place of `image` on the canvas in px of the canvas (may be negative at the region's edge).
    z : int
        Its first slice on a volume's canvas, likewise.
    image : ndarray
        Main output port, stored dtype: (h, w, c), of a 3D patch (d, h, w, c).
    step, steps, beside : int
        As of a `Step`.
    """

    y: int
    x: int
    image: NDArray[np.generic]
    z: int = 0


@dataclass(frozen=True, kw_only=True)
class TileDone:
    """A tile is finished and written; `box` is what may now differ on the canvas.

    Attributes
    ----------
    done, tiles : int
        Tiles finished and in all.
    box : tuple of int
        (y, x, height, width), of a volume (z, y, x, depth, height, width), on the canvas, px of the canvas,
        clipped to it.
    seconds : float
        Since Started.
    unit : str
        As of `Started`.
    """

    done: int
    tiles: int
    box: tuple[int, ...]
    seconds: float
    unit: str = "tiles"

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        return Progress(done=self.done, total=self.tiles, unit=self.unit)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The job ended: whole (`complete`), or with what was done kept.

    Attributes
    ----------
    out : str
        Result folder.
    complete : bool
        False where the run was cancelled, or tiles could not be read.
    done, tiles : int
        Tiles finished and in all.
    seconds : float
        Since Started.
    unit : str
        As of `Started`.
    unread : int
        Tiles whose input could not be read.
    begun : bool
        False where nothing was written, since no tile was finished: what the run would have replaced is there.
    """

    out: str
    complete: bool
    done: int
    tiles: int
    seconds: float
    unit: str = "tiles"
    unread: int = 0
    begun: bool = True


Event = Started | Progress | Step | TileDone | Notice | Finished
