"""Whether a file is opened as the image that QuPath shows of it."""

from __future__ import annotations

from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.scans.open_volume import open_input
from diffuscope.scans.scan import Scan

_WAY_OUT = "Export the image from QuPath as OME-TIFF."


def check_size(name: str, path: Path, shape: tuple[int, int] | None) -> None:
    """Hold an image of QuPath's against its file, of which the largest image is opened and QuPath shows any.

    Parameters
    ----------
    name : str
        As QuPath lists it.
    path : Path
        Its file.
    shape : tuple of int or None
        (height, width) in QuPath; None where it does not say.

    Raises
    ------
    InputError
        The file cannot be read, has another size than QuPath shows, or several images of this one.
    """
    scan = open_input(path)
    if not isinstance(scan, Scan):
        return
    if shape is not None and scan.shape != shape:
        sizes = " and not ".join(f"{width} × {height} px" for height, width in (shape, scan.shape))
        raise InputError(
            f"QuPath shows {name} with {sizes} as {path.name} has: its outlines would lie elsewhere. {_WAY_OUT}"
        )
    if scan.has_twin:
        raise InputError(
            f"{path.name} holds several images of one size, and which of them QuPath shows as {name} is not known. "
            + _WAY_OUT
        )
