"""Which file an array is of: only what our own reader made, and only while nobody has changed it.

A layer's metadata and its source survive whatever is done to its data, and go along with copies. So the reader
remembers the arrays themselves, by identity; whatever else a layer shows is pixels in memory.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import ref

import dask.array as da
import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans import open_scan


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where an array comes from.

    Attributes
    ----------
    path : Path
        The file, or the folder of a series.
    channel : int or None
        Number of the channel; None where it is all of the file.
    channels : tuple of str
        Names of all channels of a slide.
    """

    path: Path
    channel: int | None = None
    channels: tuple[str, ...] = ()


# By the array's identity: the array, held so that it may go, its origin, and what tells whether it was changed.
_made: dict[int, tuple[ref[Any], Origin, object]] = {}


def remember(data: Any, origin: Origin) -> None:
    """Keep where an array comes from, as long as it lives; of several levels, the finest.

    Parameters
    ----------
    data : array or list of array
        As a layer gets it.
    origin : Origin
        Its file.
    """
    finest = data[0] if isinstance(data, list) else data
    key = id(finest)
    _made[key] = ref(finest, lambda _: _made.pop(key, None)), origin, _state(finest)


def origin_of(layer: Any) -> Origin | None:
    """Return the file of what a layer shows; None where it shows anything but what the reader made of one."""
    finest = layer.data[0] if layer.multiscale else layer.data
    held, origin, state = _made.get(id(finest), (None, None, None))
    if held is None or held() is not finest or _state(finest) != state:
        return None
    return origin


def file_behind(layer: Any) -> tuple[Path | None, float | None]:
    """Return the file from which another reader made a slide's layer, and its µm/px; None where it has other px.

    The file is None where only their number along the axes is that of the layer.
    """
    if layer.source.path is None:
        return None, None
    path, shown = Path(layer.source.path), layer.data[0] if layer.multiscale else layer.data
    try:
        about = path.stat()
        shape, dtype, mpp = _behind(path, about.st_mtime_ns, about.st_size)
    except (InputError, OSError):
        return None, None
    if tuple(shown.shape[:2]) != shape[:2]:
        return None, None
    is_same = np.dtype(shown.dtype) == dtype and shape[2] == (3 if layer.rgb else 1)
    return (path if is_same else None), mpp


def _state(array: Any) -> object:
    """Return what changes with the content of an array: dask's name is another after an assignment."""
    if isinstance(array, np.ndarray):
        lies = _as_it_lies(array)
        return array.shape, array.dtype.str, zlib.crc32(np.ascontiguousarray(lies).view(np.uint8).reshape(-1).data)
    return array.name if isinstance(array, da.Array) else None


def _as_it_lies(array: np.ndarray) -> np.ndarray:
    """Return an array with its axes as memory has them: of a volume that was turned and mirrored no copy is needed."""
    forward = array[tuple(slice(None, None, -1 if step < 0 else 1) for step in array.strides)]
    return forward.transpose(sorted(range(array.ndim), key=lambda axis: -forward.strides[axis]))


@lru_cache
def _behind(path: Path, _changed: int, _size: int) -> tuple[tuple[int, ...], np.dtype[Any], float | None]:
    """Return shape, type and µm/px of a slide's file: it is asked for at each look at a layer."""
    scan = open_scan(path)
    return (*scan.shape, len(scan.channels)), scan.dtype, scan.mpp
