"""How files are brought to the scales of their ports: by numbers of the whole slide or volume, never tile by tile.

A small cut of a slide has not the numbers of its slide: the strengths of its stains differ between places. Of windows
of 128 µm, each measured by itself, haematoxylin is off by a factor of 1.25 (standard deviation, the shipped slides).
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np
from cachetools import LRUCache, cached

from diffuscope.errors import InputError
from diffuscope.jobs.inputs import PortInput, Values
from diffuscope.scans import Foreground, Image, Scan, open_input, resampling_factor, tissue_mask
from diffuscope.scans.open_volume import is_image
from diffuscope.scans.windows import foreground_windows
from diffuscope.stains import StainStatistics

_T = TypeVar("_T")

#: By port key, the stains that an input is known to have; None leaves it as it is.
Stains = Mapping[str, StainStatistics | None]

#: Pictures that are looked at together, at most.
MOST = 64
#: A picture under a quarter of a mm² is too small to stand for the slide that it is cut from.
CUT_UM2 = 500.0**2

# What was measured is known of the last so many: region after region of a slide is run, each case of an evaluation asks
# for the stains of its slide. A mask takes up to a megabyte.
_MASKS, _STAINS = 16, 4096


def find_foreground(inputs: Sequence[PortInput]) -> Foreground:
    """Return where inputs of one lattice show anything.

    Never by the ranges that were given: a run that is gone on with, or repeated, must find the same foreground.
    """
    first, *beside = (one.scan for one in inputs)
    if not beside and isinstance(first, Scan):
        return _tissue(first)
    return first.foreground(beside, [None if one.port.scale == "percentile" else one.port.range for one in inputs])


def _known(image: Image, *how: Hashable) -> Hashable:
    """Return what tells an image, and how it is looked at, from others; what is not read from a disk is unlike all."""
    if not (image.fingerprint and image.path.exists()):
        return object()
    return (image.fingerprint, image.channels, image.mpp, *how)


@cached(LRUCache(_MASKS), key=_known, lock=Lock())
def _tissue(scan: Scan) -> Foreground:
    return scan.foreground()


def _known_inside(image: Image, inside: Foreground, factors: Sequence[float]) -> Hashable:
    mask = hashlib.blake2b(np.packbits(inside.mask).tobytes()).digest()
    return _known(image, mask, inside.downsample, *factors)


@cached(LRUCache(_STAINS), key=_known_inside, lock=Lock())
def _stains(image: Image, inside: Foreground, factors: Sequence[float]) -> StainStatistics | None:
    return image.stains(inside, factors=factors)


def with_statistics(
    inputs: Sequence[PortInput],
    inside: Foreground,
    ranges: Mapping[str, Values] | None = None,
    stains: Stains | None = None,
    *,
    factors: Sequence[float],
) -> tuple[PortInput, ...]:
    """Return the inputs with what brings them to their ports: by numbers of the whole slide or volume.

    Parameters
    ----------
    inputs : sequence of PortInput
        All of one lattice.
    inside : Foreground
        Theirs, of which percentiles are taken and stains measured.
    ranges, stains : mapping, optional
        By port key, what is given and not measured.
    factors : sequence of float
        Their px per px of the model, along their axes.
    """
    return tuple(_with_statistics(one, inside, ranges or {}, stains or {}, factors) for one in inputs)


def _with_statistics(
    one: PortInput, inside: Foreground, ranges: Mapping[str, Values], stains: Stains, factors: Sequence[float]
) -> PortInput:
    key, scan = one.port.key, one.scan
    if one.port.scale == "stain":
        return replace(one, stains=stains[key] if key in stains else _stains(scan, inside, factors))
    if one.port.scale == "percentile":
        return replace(one, values=ranges[key] if key in ranges else scan.percentiles(inside, factors=factors))
    return one


def is_cut(scan: Scan) -> bool:
    """Whether a picture of known µm/px is smaller than `CUT_UM2`."""
    assert scan.mpp is not None
    return scan.shape[0] * scan.shape[1] * scan.mpp**2 < CUT_UM2


def some_of(many: Sequence[_T]) -> list[_T]:
    """Return at most `MOST` of many, evenly spread over them."""
    number = min(len(many), MOST)
    return [many[index * len(many) // number] for index in range(number)]


def measure_together(scans: Sequence[Scan], *, mpp: float) -> StainStatistics | None:
    """Measure the H&E of pictures of one slide as a run measures that of one picture.

    Parameters
    ----------
    scans : sequence of Scan
        8-bit RGB of known µm/px.
    mpp : float
        The model's µm/px.

    Returns
    -------
    StainStatistics or None
        With the names of the pictures; as of `diffuscope.stains.measure_stains`.
    """
    found = _measure_together(scans, mpp)
    return None if found is None else replace(found, measured_on=tuple(map(_called, scans)))


@cached(LRUCache(_STAINS), key=lambda scans, mpp: (mpp, *map(_known, scans)), lock=Lock())
def _measure_together(scans: Sequence[Scan], mpp: float) -> StainStatistics | None:
    from diffuscope.stains import measure_stains  # brings skimage, which opening a slide does not need

    factors = [resampling_factor(scan, mpp) for scan in scans]
    number = max(MOST // len(scans), 1)
    windows = [
        pixels.astype("uint8")
        for scan, factor in zip(scans, factors, strict=True)
        for pixels, _ in foreground_windows(scan, tissue_mask(scan), factor=factor, fill=255, number=number)
    ]
    return measure_stains(windows, mpp=factors[0] * (scans[0].mpp or mpp))


def _called(scan: Scan) -> str:
    """Return the name of a picture, with the µm/px that it is taken for where it does not say them."""
    return scan.name if scan.stated_mpp is not None else f"{scan.name} (taken for {scan.mpp:.4g} µm/px)"


def measured_elsewhere(inputs: Sequence[PortInput], pictures: Sequence[str | Path], known: Stains) -> Stains:
    """Return what is known of the stains of inputs, with those that are to be measured on other pictures.

    Parameters
    ----------
    inputs : sequence of PortInput
        Opened.
    pictures : sequence of str or Path
        Files, or folders of them, of the slide that the inputs are of; without any, nothing is measured. One that does
        not say its µm/px has that of the input.
    known : mapping
        By port key; None where an input is to go in as it is.

    Raises
    ------
    InputError
        No input is brought to the reference, a picture is no 8-bit colour picture, or shows no nucleus.
    """
    if not pictures:
        return known
    stained = [one for one in inputs if one.port.scale == "stain"]
    if not stained:
        raise InputError("this model brings no H&E to a reference: leave out --stains-of.")
    if any(known.get(one.port.key, "") is None for one in stained):
        raise InputError("the H&E goes in with the colours that it has: leave out --stains-of.")
    one = stained[0]
    assert one.scan.mpp is not None
    scans = [_open(path, one.scan.mpp) for path in some_of(_files(pictures))]
    found = measure_together(scans, mpp=one.port.mpp)
    if found is None:
        names = ", ".join(scan.name for scan in scans[:3]) + (" …" if len(scans) > 3 else "")
        raise InputError(f"{names} shows no nucleus by which stains are measured: name another picture of the slide.")
    return {**known, **{one.port.key: found for one in stained}}


def _files(pictures: Sequence[str | Path]) -> list[Path]:
    found: list[Path] = []
    for path in map(Path, pictures):
        if not path.is_dir() or is_image(path):
            found.append(path)
            continue
        try:
            inside = sorted(one for one in path.iterdir() if is_image(one))
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror or error}): check who may read it.") from error
        if not inside:
            raise InputError(f"{path} holds no picture: name a slide, or a folder of pictures cut from one.")
        found += inside
    return found


def _open(path: Path, mpp: float) -> Scan:
    scan = open_input(path)
    if not (isinstance(scan, Scan) and scan.rgb and scan.dtype == "uint8"):
        raise InputError(f"{scan.name} is no 8-bit colour picture: stains are measured on H&E.")
    opened = scan if scan.mpp is not None else open_input(path, mpp=mpp)
    assert isinstance(opened, Scan)
    return opened
