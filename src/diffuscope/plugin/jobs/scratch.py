"""Pixels that exist in memory only, written to a file for the time of a run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.exports.nifti import write_nifti
from diffuscope.files.room import check_room
from diffuscope.plugin.layers.inputs.lies import Lies
from diffuscope.plugin.layers.inputs.pixels import stored_dtype
from diffuscope.scans.formats.volumes.nifti_forms import forms_of

_TILE = 256
#: Bytes of an image that is read at once, and rows that are read at a time of a larger one.
_AT_ONCE, _BAND = 2**30, 4 * _TILE


def write_scratch(data: Any, *, name: str, mpp: float | None) -> Path:
    """Write an image as tiled OME-TIFF into a new temporary folder.

    Parameters
    ----------
    data : array-like (y, x) or (y, x, 3 or 4)
        Finest level; a lazy array is computed here, in bands, so call this off the main thread. Colour is of 8 or 16
        bits, or a fraction from 0 to 1 as napari shows it, which is written in 8 bits.
    name : str
        Becomes the file's name, and so what messages and the run record call the input.
    mpp : float or None
        µm per pixel.

    Returns
    -------
    Path
        The file; remove its folder with `shutil.rmtree(path.parent)`.

    Raises
    ------
    InputError
        It could not be written, or holds what no image file does; nothing is left behind.
    """
    rgb, shape = len(data.shape) == 3, tuple(int(side) for side in data.shape)
    first = _writable(np.asarray(data[:1, :1]), name, rgb=rgb)
    about: dict[str, Any] = {"axes": "YXS" if rgb else "YX", "Channel": {"Name": name}}
    if mpp is not None:
        about |= {"PhysicalSizeX": mpp, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": mpp, "PhysicalSizeYUnit": "µm"}
    size = prod(shape) * first.itemsize
    with _new_file(name, ".ome.tif") as path:
        check_room(path, size)
        tifffile.imwrite(
            path,
            _tiles(data, name, rgb=rgb, size=size),
            shape=shape,
            dtype=first.dtype,
            tile=(_TILE, _TILE),
            photometric="rgb" if rgb else "minisblack",
            bigtiff=size > 2**31,
            metadata=about,
        )
    return path


def write_scratch_volume(data: Any, *, name: str, lies: Lies) -> Path:
    """Write a volume as NIfTI into a new temporary folder, upright.

    Parameters
    ----------
    data : array-like
        Voxels as the layer keeps them.
    name : str
        As of `write_scratch`.
    lies : Lies
        How the layer lies in the patient; where nobody says at which place, neither does the file.

    Returns
    -------
    Path
        As of `write_scratch`.

    Raises
    ------
    InputError
        As of `write_scratch`.
    """
    assert lies.lattice is not None  # the form refuses to run without
    lattice = lies.lattice
    voxels = lies.storage.show(_writable(np.asarray(data), name, rgb=False))
    forms = forms_of(lattice)
    if not lies.placed:
        forms = replace(forms, qform_code=0, sform_code=0)
    with _new_file(name, ".nii") as path:
        check_room(path, voxels.nbytes)
        write_nifti(path, voxels, forms)
    return path


def scratch_name(name: str, ending: str = ".ome.tif") -> str:
    """Return the name of the file that an image of a name is written to."""
    stem = "".join(c if c.isalnum() or c in "-_. " else "_" for c in name) or "image"
    return f"{stem}{ending}"


def _tiles(data: Any, name: str, *, rgb: bool, size: int) -> Iterator[NDArray[np.generic]]:
    """Yield the tiles of an image, row by row; what is small is read at once, whatever its chunks are."""
    height, width = data.shape[:2]
    band = height if size <= _AT_ONCE else _BAND
    for top in range(0, height, band):
        rows = _writable(np.asarray(data[top : top + band]), name, rgb=rgb)
        for y in range(0, len(rows), _TILE):
            for x in range(0, width, _TILE):
                yield rows[y : y + _TILE, x : x + _TILE]


def _writable(pixels: NDArray[np.generic], name: str, *, rgb: bool) -> NDArray[np.generic]:
    """Return pixels in a type that image files have, with the same meaning.

    Raises
    ------
    InputError
        There is none.
    """
    kind = pixels.dtype.kind
    if rgb and kind == "f":
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise InputError(
                f"“{name}” holds colour beyond 0 to 1, which napari cuts: bring it into 0 to 1, or 8 bits."
            )
        return np.rint(pixels * 255).astype(stored_dtype(pixels.dtype, rgb=True))
    if kind not in "buif" or (rgb and pixels.dtype not in (np.uint8, np.uint16)):
        raise InputError(f"“{name}” holds values of type {pixels.dtype}, which is no picture: convert it first.")
    return pixels.astype(stored_dtype(pixels.dtype, rgb=rgb), copy=False)


@contextmanager
def _new_file(name: str, ending: str) -> Iterator[Path]:
    """Yield a file to write in a new temporary folder, which goes where it cannot be written."""
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="diffuscope-"))
        yield folder / scratch_name(name, ending)
    except BaseException as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        why = error.strerror or "the disk may be full"
        raise InputError(f"“{name}” could not be written to a temporary file: {why}.") from error
