"""Pixels that exist in memory only, written to a file for the time of a run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from diffuscope.errors import InputError


def write_scratch(data: Any, *, name: str, mpp: float | None) -> Path:
    """Write an image as tiled OME-TIFF into a new temporary folder.

    Parameters
    ----------
    data : array-like (y, x) or (y, x, 3 or 4)
        Finest level; a lazy array is computed here, so call this off the main thread.
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
        It could not be written; nothing is left behind.
    """
    pixels = np.asarray(data)
    about: dict[str, Any] = {"axes": "YXS" if pixels.ndim == 3 else "YX"}
    if mpp is not None:
        about |= {"PhysicalSizeX": mpp, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": mpp, "PhysicalSizeYUnit": "µm"}
    with _new_file(name, ".ome.tif") as path:
        tifffile.imwrite(
            path,
            pixels,
            tile=(256, 256),
            photometric="rgb" if pixels.ndim == 3 else "minisblack",
            bigtiff=pixels.nbytes > 2**31,
            metadata=about,
        )
    return path


def write_scratch_volume(data: Any, *, name: str, spacing: tuple[float, float, float]) -> Path:
    """Write a volume as NIfTI into a new temporary folder, its axes taken as those of a patient lying straight.

    Parameters
    ----------
    data : array-like (z, y, x)
        Voxels, slices from the feet up, rows from the front, columns from the right, as a volume's layer shows them.
    name : str
        As of `write_scratch`.
    spacing : tuple of float
        (z, y, x) mm.

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

    voxels = np.asarray(data)
    # NIfTI has neither
    if voxels.dtype in (np.dtype(bool), np.dtype(np.float16)):
        voxels = voxels.astype(np.float32)
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
    image.SetSpacing(spacing[::-1])
    with _new_file(name, ".nii.gz") as path:
        sitk.WriteImage(image, str(path))
    return path


def scratch_name(name: str, ending: str = ".ome.tif") -> str:
    """Return the name of the file that an image of a name is written to."""
    stem = "".join(c if c.isalnum() or c in "-_. " else "_" for c in name) or "image"
    return f"{stem}{ending}"


@contextmanager
def _new_file(name: str, ending: str) -> Iterator[Path]:
    """Yield a file to write in a new temporary folder, which goes where it cannot be written."""
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix="diffuscope-"))
        yield folder / scratch_name(name, ending)
    # SimpleITK raises RuntimeError for whatever went wrong
    except (OSError, RuntimeError) as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        why = getattr(error, "strerror", None) or "the disk may be full"
        raise InputError(f"“{name}” could not be written to a temporary file: {why}.") from error
