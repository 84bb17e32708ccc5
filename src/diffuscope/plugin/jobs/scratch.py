"""Pixels that exist in memory only, written to a file for the time of a run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.files.room import check_room
from diffuscope.plugin.layers.inputs.lies import Lies

_TILE = 256
#: Bytes of an image that is read at once, and rows that are read at a time of a larger one.
_AT_ONCE, _BAND = 2**30, 4 * _TILE
#: Where the codes of qform and sform lie in the header of a NIfTI file, two bytes each.
_CODES = 252


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
    import SimpleITK as sitk

    assert lies.lattice is not None  # the form refuses to run without
    lattice = lies.lattice
    voxels = lies.storage.show(_writable(np.asarray(data), name, rgb=False))
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
    image.SetSpacing(lattice.spacing[::-1])
    image.SetOrigin(lattice.origin)
    image.SetDirection(np.array(lattice.directions[::-1]).T.ravel().tolist())
    with _new_file(name, ".nii") as path:
        check_room(path, voxels.nbytes)
        # ITK has its own mind of names like a.nii.nii
        plain = path.with_name("voxels.nii")
        sitk.WriteImage(image, str(plain))
        if not lies.placed:
            _unplace(plain)
        plain.rename(path)
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
        return np.rint(pixels * 255).astype(np.uint8)
    if kind not in "buif" or (rgb and pixels.dtype not in (np.uint8, np.uint16)):
        raise InputError(f"“{name}” holds values of type {pixels.dtype}, which is no picture: convert it first.")
    other = {"b1": np.uint8, "f2": np.float32, "f16": np.float64, "i8": np.float64, "u8": np.float64}
    return pixels.astype(other.get(f"{kind}{pixels.itemsize}", pixels.dtype.newbyteorder("=")), copy=False)


def _unplace(path: Path) -> None:
    """Take out of a NIfTI file that its axes are a scanner's: codes 0 of qform and sform."""
    with path.open("r+b") as file:
        file.seek(_CODES)
        file.write(bytes(4))


@contextmanager
def _new_file(name: str, ending: str) -> Iterator[Path]:
    """Yield a file to write in a new temporary folder, which goes where it cannot be written."""
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="diffuscope-"))
        yield folder / scratch_name(name, ending)
    except InputError:
        _drop(folder)
        raise
    # SimpleITK raises RuntimeError for whatever went wrong
    except (OSError, RuntimeError) as error:
        _drop(folder)
        why = getattr(error, "strerror", None) or "the disk may be full"
        raise InputError(f"“{name}” could not be written to a temporary file: {why}.") from error


def _drop(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
