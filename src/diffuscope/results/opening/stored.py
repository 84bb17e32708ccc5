"""An image of a result as it is read: piece by piece, and nothing but what lies in the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dask.array as da
import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.results.chunks import read_box
from diffuscope.results.layout import level_shapes, open_images
from diffuscope.tiling.boxes import chunk_shape

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster


class Stored:
    """A level as dask reads it.

    Parameters
    ----------
    array : zarr.Array
        (c, …, y, x), as `diffuscope.results.layout.create_images` makes it.
    """

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._array = array
        self.shape, self.dtype, self.ndim, self.chunks = array.shape, array.dtype, array.ndim, array.chunks

    def __getitem__(self, window: tuple[slice, ...]) -> NDArray[np.generic]:
        """Return a window, by a slice of step 1 an axis; whoever asks gets the sentence of what cannot be read."""
        first, *rest = (one.indices(size)[:2] for one, size in zip(window, self.shape, strict=True))
        starts, stops = zip(*rest, strict=True)
        block = read_box(self._array, (*starts, *(b - a for a, b in zip(starts, stops, strict=True))))
        return block[slice(*first)]


def lazy(array: zarr.Array[Any]) -> da.Array:
    """Return (c, …, y, x) on disk as lazy (…, y, x, c)."""
    # A name of its own each time: dask and napari must not take a canvas that grew for the one they know.
    read = da.from_array(Stored(array), chunks=array.chunks, name=False, asarray=True)
    moved: da.Array = da.moveaxis(read, 0, -1)
    return moved


def open_checked(
    root: zarr.Group, ports: Sequence[Raster], lengths: Sequence[int], name: str
) -> dict[str, list[zarr.Array[Any]]]:
    """Open the pyramids of all outputs (see `open_images`), and refuse one that is not as a run makes it.

    Parameters
    ----------
    root : zarr.Group
        A result.
    ports : sequence of Raster
        Its images.
    lengths : sequence of int
        Of the canvas along its axes.
    name : str
        The result's.

    Raises
    ------
    InputError
        Names what is another.
    KeyError, ValueError
        It is not there, or cannot be read at all.
    """
    images = open_images(root, ports)
    for port in ports:
        channels, levels = len(port.channels), images[port.key]
        shapes = [(channels, *shape) for shape in level_shapes(tuple(lengths))]
        alike = [_is_as_made(level, shape, port) for level, shape in zip(levels, shapes, strict=False)]
        if not levels or len(levels) > len(shapes) or not all(alike):
            raise InputError(f"{name} is damaged: the levels of {port.name} are not as a run makes them; run it again.")
    return images


def _is_as_made(level: zarr.Array[Any], shape: tuple[int, ...], port: Raster) -> bool:
    metadata: Any = level.metadata
    return (
        level.shape == shape
        and level.chunks == (shape[0], *chunk_shape(len(shape) - 1))
        and level.dtype == np.dtype(port.dtype)
        and isinstance(metadata.compressor, numcodecs.Blosc)
        and _is_usable(metadata.compressor)
        and not metadata.filters
        and metadata.order == "C"
        and metadata.dimension_separator == "/"
    )


def _is_usable(codec: Any) -> bool:
    """Whether a codec has only settings that its library takes; it says so where it is used, and not before."""
    numbers = ((codec.clevel, 0, 9), (codec.shuffle, -1, 2), (codec.blocksize, 0, 2**30))
    return codec.cname in numcodecs.blosc.list_compressors() and all(
        type(number) is int and low <= number <= high for number, low, high in numbers
    )
