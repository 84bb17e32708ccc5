"""What goes into the ports of a model: which file, which channel of it, which of its values are the port's range."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.jobs.drawn.copied import LayerCopy, copies_among
from diffuscope.jobs.port_checks import check_port
from diffuscope.ports.matching import guess_channels
from diffuscope.ports.raster import Raster
from diffuscope.scans import Image, open_input
from diffuscope.scans.intensity import to_range
from diffuscope.stains import StainStatistics, normalise
from diffuscope.tiling.plan import Tile

#: One file for all ports, or by port key a file each, ``"path"`` or ``"path#channel"`` (name or number from 0), or the
#: `LayerCopy` of a layer; of a mask one or several (see `diffuscope.jobs.masks.GivenMask`), of a table a row
#: (`diffuscope.jobs.given.GivenRow`).
Source = str | Path | Mapping[str, Any]
Values = tuple[float, float]

_HOW = "say --input {key}=FILE#CHANNEL for each"


@dataclass(frozen=True)
class Input:
    """A file as a worker must find it: under the same path, with the same content; and what of it is taken."""

    path: Path
    fingerprint: str
    mpp: float | None
    channel: int | None = None
    values: Values | None = None
    stains: StainStatistics | None = None


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The part of an input that a tile is computed from.

    Attributes
    ----------
    shape : tuple of int
        Of a tile, model px: (y, x) or (z, y, x).
    factors : tuple of float
        Input px per model px along the same axes.
    context : int
        Slices read before and after those of a volume's tile.
    """

    shape: tuple[int, ...]
    factors: tuple[float, ...]
    context: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class PortInput:
    """An opened file at a port.

    Attributes
    ----------
    port : Raster
        Which.
    scan : Image
        What is read; where a channel was chosen, this channel alone.
    channel : int or None
        Its number in the file; None where the file is taken whole.
    values : tuple of float or None
        Values of the file that become the ends of the port's range; None where they are taken as stored.
    stains : StainStatistics or None
        Of an H&E that is normalised, those of the whole slide; None where it is taken as stored.
    """

    port: Raster
    scan: Image
    channel: int | None = None
    values: Values | None = None
    stains: StainStatistics | None = None

    @property
    def address(self) -> Input:
        """What a worker opens it by."""
        scan = self.scan
        return Input(scan.path.resolve(), scan.fingerprint, scan.mpp, self.channel, self.values, self.stains)

    @property
    def is_float(self) -> bool:
        """Whether values are brought to the port's range; else pixels go in as they are stored."""
        return self.port.dtype == "float32" or self.port.scale == "percentile"

    def read(self, tile: Tile, frame: Frame) -> NDArray[np.generic]:
        """Return what a tile is computed from, (h, w, c) or (depth + 2·context, h, w, c), in the port's range."""
        first, *start = tile.corner
        depth, *shape = frame.shape
        # Slices before and after lie along the first axis; of a slide, which has none, the context is 0.
        window = (first - frame.context, *start), (depth + 2 * frame.context, *shape)
        return self.scaled(self.scan.read(*window, factors=frame.factors, fill=self.outside))

    def gaps(self, tile: Tile, frame: Frame) -> NDArray[np.bool_]:
        """Return where the file has no number of a tile, (h, w) or (d, h, w); what lies beside the file is none."""
        pixels = self.scan.read(tile.corner, frame.shape, factors=frame.factors, fill=self.outside)
        return np.isnan(pixels).any(axis=-1)

    @property
    def outside(self) -> float:
        """Value of the file that stands for what lies beside it: the one that becomes the port's `fill`."""
        low, high = self.port.range
        fill = min(max(self.port.fill, low), high)
        if self.is_float and self.values is not None:
            bottom, top = self.values
            fill = bottom + (fill - low) * (top - bottom) / (high - low)
        return _floor(fill, self.scan.dtype)

    def scaled(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return pixels of the file as those of the port."""
        if self.stains is not None:
            return normalise(pixels, self.stains)
        if not self.is_float:
            return pixels
        # A system that takes an image as it comes is told where it has no value.
        as_it_comes = self.port.spacing is not None and set(self.port.spacing) == {None}
        return to_range(pixels, self.values or self.port.range, self.port.range, keep_nan=as_it_comes)

    def to_json(self) -> dict[str, Any]:
        """Return what the run record tells of it."""
        about = self.scan.to_json()
        if self.channel is not None:
            about |= {"channel": self.scan.channels[0], "channel_number": self.channel}
        about |= {"values": list(self.values)} if self.values else {}
        return about | ({"stains": self.stains.to_json()} if self.stains else {})


def open_inputs(source: Source, ports: Sequence[Raster], model: str, *, mpp: float | None) -> list[PortInput]:
    """Open what goes into every port, and see that it fits the port and lies where the others lie.

    Parameters
    ----------
    source : str, Path or mapping
        One file, whose channels are matched to the ports by their names where there are several; or a file by port
        key. After ``#`` stands a channel's name or number.
    ports : sequence of Raster
        The system's inputs.
    model : str
        Its name, for messages.
    mpp : float or None
        µm/px that the user gave.

    Returns
    -------
    list of PortInput
        In the order of the ports, without `values` and `stains`.

    Raises
    ------
    InputError
        A port has no file or no channel, a file does not fit, or two do not lie on one lattice.
    """
    by_key = _by_key(source, ports, model)
    copies = copies_among(source)
    opener = partial(open_input, mpp=mpp)
    paths = dict.fromkeys(path for path, _ in by_key)
    opened = {path: copies[path].open(opener) if path in copies else opener(path) for path in paths}
    if len(ports) > 1 and not isinstance(source, Mapping):
        [scan] = opened.values()
        found = _guessed(scan, ports, model)
    else:
        pairs = zip(ports, by_key, strict=True)
        found = [_at_port(opened[path], port, request) for port, (path, request) in pairs]
    for one in found:
        check_port(one.scan, one.port, model)
    for one in found[1:]:
        check_lattice(found[0], one)
    return found


def open_again(given: Input, port: Raster) -> PortInput:
    """Open on a worker what `PortInput.address` names.

    Raises
    ------
    InputError
        Another file, or none, lies there.
    """
    scan = open_input(given.path, mpp=given.mpp)
    if scan.fingerprint != given.fingerprint:
        raise InputError(f"a worker finds another file under {given.path}: give one that all workers share.")
    if given.channel is not None:
        scan = scan.channel(given.channel)
    return PortInput(port=port, scan=scan, channel=given.channel, values=given.values, stains=given.stains)


def gaps_of(inputs: Sequence[PortInput], frame: Frame) -> Callable[[Tile], NDArray[np.bool_]] | None:
    """Return what tells where some image of a tile has no number; None where all have, as whole numbers always are."""
    may = [one for one in inputs if one.scan.dtype.kind == "f"]
    return (lambda tile: np.any([one.gaps(tile, frame) for one in may], axis=0)) if may else None


def read_tile(inputs: Sequence[PortInput], tile: Tile, frame: Frame) -> dict[str, NDArray[np.generic]]:
    """Return the inputs of a tile by port key."""
    return {one.port.key: one.read(tile, frame) for one in inputs}


def paths_of(source: Source) -> list[Path]:
    """Return the files that a source names."""
    files = source.values() if isinstance(source, Mapping) else [source]
    return [split_channel(one)[0] for one in files]


def split_channel(text: str | Path | LayerCopy) -> tuple[Path, str | None]:
    """Return path and channel of ``"path#channel"``; a file whose own name has a # is taken whole, as a copy is."""
    if isinstance(text, LayerCopy):
        return text.path, None
    head, mark, tail = str(text).rpartition("#")
    if not mark or Path(text).exists():
        return Path(text), None
    return Path(head), tail


def _by_key(source: Source, ports: Sequence[Raster], model: str) -> list[tuple[Path, str | None]]:
    """Return path and channel for every port."""
    names = ", ".join(f"{port.key} ({port.name})" for port in ports)
    if isinstance(source, Mapping):
        if unknown := [key for key in source if key not in {port.key for port in ports}]:
            raise InputError(f"model {model} has no input “{unknown[0]}”: its inputs are {names}.")
        if missing := [port for port in ports if port.key not in source]:
            raise InputError(
                f"model {model} needs {names}, but {missing[0].key} is not given: say --input {missing[0].key}=FILE."
            )
        return [split_channel(source[port.key]) for port in ports]
    path, channel = split_channel(source)
    if channel is not None and len(ports) > 1:
        raise InputError(f"model {model} needs {len(ports)} inputs ({names}): {_HOW.format(key=ports[0].key)}.")
    return [(path, channel)] * len(ports)


def _at_port(scan: Image, port: Raster, request: str | None) -> PortInput:
    """Put a file, or the channel of it that was asked for or that its name tells, at a port."""
    if port.kind == "rgb" or len(port.channels) > 1:
        if request is not None:
            raise InputError(f"{port.name} takes a picture with all its channels: leave out #{request}.")
        return PortInput(port=port, scan=scan)
    if request is not None:
        number = scan.find_channel(request)
    elif len(scan.channels) == 1 or scan.rgb:
        return PortInput(port=port, scan=scan)
    else:
        guessed = guess_channels(scan.channels, [port])
        if guessed is None:
            # Perhaps all ports together tell more; if not, this is asked then.
            return PortInput(port=port, scan=scan)
        number = guessed[port.key]
    if len(scan.channels) == 1:
        return PortInput(port=port, scan=scan)
    return PortInput(port=port, scan=scan.channel(number), channel=number)


def _guessed(scan: Image, ports: Sequence[Raster], model: str) -> list[PortInput]:
    """Match the channels of one file to several ports."""
    names = ", ".join(port.name for port in ports)
    how = f"say --input {ports[0].key}=FILE#CHANNEL and so on, the channel by name or number"
    if scan.rgb or len(scan.channels) < len(ports):
        raise InputError(f"model {model} needs {len(ports)} inputs ({names}), but {scan.name} is {scan.kind}: {how}.")
    found = guess_channels(scan.channels, ports)
    if found is None:
        listed = ", ".join(f"{number} {channel}" for number, channel in enumerate(scan.channels))
        raise InputError(f"which channels of {scan.name} ({listed}) are {names} cannot be told by their names: {how}.")
    return [PortInput(port=port, scan=scan.channel(found[port.key]), channel=found[port.key]) for port in ports]


def check_lattice(first: PortInput, other: PortInput) -> None:
    """Refuse two inputs whose pixels are not at the same places."""
    if not first.scan.is_on_grid_of(other.scan):
        a, b = (f"{one.port.name} ({one.scan.name}, {one.scan.size})" for one in (first, other))
        raise InputError(f"{a} and {b} do not lie on one lattice: bring them to the same pixels first.")


def _floor(value: float, dtype: np.dtype[Any]) -> float:
    """Return a value that a type holds, not above the request one unless it must be."""
    if dtype.kind not in "ui":
        return value
    limits = np.iinfo(dtype)
    return float(min(max(math.floor(value), limits.min), limits.max))
