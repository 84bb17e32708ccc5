"""How an input looks: traits of a few windows or slices, spread evenly over its foreground.

One function for what training saw and for what a run is given. Not from a coarse level, whose means would have lost
what is small; the same image gives the same numbers always, whatever part of it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from diffuscope.jobs.inputs import PortInput
from diffuscope.jobs.likeness.colour import colour_traits, stained_in
from diffuscope.jobs.likeness.grey import grey_traits
from diffuscope.jobs.likeness.spots import spot_profile, spot_size
from diffuscope.ports.seen import Seen
from diffuscope.scans import Foreground, Scan, Volume
from diffuscope.scans.windows import foreground_windows

#: Windows or slices of an image that a run looks at, and that a training does.
FEW, MANY = 8, 48
_LEAST, _SEVERAL = 2, 4
_PERCENTILES = (1, 50, 99)
T = TypeVar("T")
# Of the slices, the part of the widest that counts as the body's width: not one with a strap or a table.
_WIDEST = 90


@dataclass(frozen=True)
class Looks:
    """Traits of one image.

    Attributes
    ----------
    windows : tuple of dict of str to float
        Of each window or slice, by key.
    whole : dict of str to float
        Of the image as a whole, by key.
    """

    windows: tuple[dict[str, float], ...]
    whole: dict[str, float]

    @property
    def few(self) -> bool:
        """Whether it has so few windows that their median says little more than one of them."""
        return len(self.windows) < _SEVERAL

    @property
    def traits(self) -> dict[str, float]:
        """The median over its windows, and what it has as a whole."""
        keys = dict.fromkeys(key for window in self.windows for key in window)
        return {key: float(np.median(_values(self.windows, key))) for key in keys} | self.whole


def look(
    one: PortInput, inside: Foreground, factors: Sequence[float], *, number: int = FEW, seconds: float = math.inf
) -> Looks:
    """Look at an input.

    Parameters
    ----------
    one : PortInput
        With the values that become its port's range.
    inside : Foreground
        Of all inputs beside it as well.
    factors : sequence of float
        Its px per px of the model along its axes.
    number : int
        Windows or slices at most.
    seconds : float
        How long to look, but for the first two windows.
    """
    if isinstance(one.scan, Volume):
        return _volume(one, one.scan, inside, factors, number, seconds)
    assert isinstance(one.scan, Scan)
    found, profiles = [], []
    mpp = (one.scan.mpp or one.port.mpp) * factors[-1]
    windows = foreground_windows(one.scan, inside, factor=factors[-1], fill=255 if one.scan.rgb else 0, number=number)
    for pixels, there in _in_time(windows, seconds):
        if one.port.kind == "rgb":
            found.append(colour_traits(pixels, there, mpp))
            if found[-1]:
                profiles.append(spot_profile(pixels, stained_in(pixels, there), mpp))
        else:
            found.append(grey_traits(pixels[..., 0], there, one.values or one.port.range))
    # Of a window or two it says too little: single tiles of 73 µm have 1.4 to 9 µm, whole slides 3 to 4.
    whole = {"spots": spot_size(profiles)} if len(profiles) >= _SEVERAL else {}
    return Looks(tuple(traits for traits in found if traits), whole)


def seen_of(looks: Sequence[Looks], of: str) -> Seen | None:
    """Return what is kept of the images of a training; None where none of them shows anything."""
    shown = [one for one in looks if one.windows]
    if not shown:
        return None
    windows = [window for one in shown for window in one.windows]
    spreads = {
        key: np.percentile(_values(windows, key), _PERCENTILES)
        for key in dict.fromkeys(key for window in windows for key in window)
    }
    whole = [one.whole for one in shown]
    of_images = dict.fromkeys(key for one in whole for key in one)
    spreads |= {key: np.percentile(_values(whole, key), (0, 50, 100)) for key in of_images}
    traits = {key: tuple(float(f"{value:.4g}") + 0.0 for value in spread) for key, spread in spreads.items()}
    return Seen(of=of, images=len(shown), traits=traits)  # type: ignore[arg-type]


def _volume(
    one: PortInput, volume: Volume, inside: Foreground, factors: Sequence[float], number: int, seconds: float
) -> Looks:
    along, down, across = factors
    shown = np.flatnonzero(inside.mask.any(axis=(1, 2)))
    number = min(number, len(shown))
    chosen = shown[((np.arange(number) + 0.5) * len(shown) / max(number, 1)).astype(int)]
    height, width = (math.ceil(side / by) for side, by in zip(volume.shape[1:], (down, across), strict=True))
    there = np.ix_(_places(height, down, inside, 1), _places(width, across, inside, 2))
    slices = (
        (volume.read((int((plane + 0.5) / along), 0, 0), (1, height, width), factors=factors, fill=0), plane)
        for plane in chosen
    )
    found, sizes = [], []
    for pixels, plane in _in_time(slices, seconds):
        body = inside.mask[plane][there]
        if traits := grey_traits(pixels[0, ..., 0], body, one.values or one.port.range):
            found.append(traits)
            sizes.append(math.sqrt(float(body.sum()) * math.prod(volume.spacing[1:]) * down * across))
    return Looks(tuple(found), {"size": float(np.percentile(sizes, _WIDEST))} if sizes else {})


def _places(count: int, factor: float, inside: Foreground, axis: int) -> NDArray[np.intp]:
    """Return the px of a volume's mask under the centres of px of the model."""
    places = ((np.arange(count) + 0.5) * factor / inside.downsample).astype(np.intp)
    return np.minimum(places, inside.mask.shape[axis] - 1)


def _in_time(windows: Iterable[T], seconds: float) -> Iterator[T]:
    end = monotonic() + seconds
    for number, window in enumerate(windows, start=1):
        yield window
        if number >= _LEAST and monotonic() > end:
            return


def _values(traits: Iterable[dict[str, float]], key: str) -> list[float]:
    return [one[key] for one in traits if key in one]
