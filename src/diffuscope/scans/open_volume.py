"""open_volume and open_input: from a path to a Volume, or to whatever the path is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.scans.fingerprint import add, fingerprint
from diffuscope.scans.formats import dicom, itk
from diffuscope.scans.formats.ome_zarr import is_zarr
from diffuscope.scans.lattice import upright
from diffuscope.scans.open import open_scan
from diffuscope.scans.scan import Scan, Volume

FORMATS = {
    ".nii": "NIfTI",
    ".nii.gz": "NIfTI",
    ".nrrd": "NRRD",
    ".nhdr": "NRRD",
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
}


def open_input(path: str | Path, *, mpp: float | None = None) -> Scan | Volume:
    """Open whatever a model can take: a slide or picture (see `open_scan`) or a volume (see `open_volume`).

    Raises
    ------
    InputError
        As those two do; or µm/px are given for a volume.
    """
    if not is_volume(Path(path)):
        return open_scan(path, mpp=mpp)
    if mpp is not None:
        raise InputError(f"{Path(path).name} is a volume, which states its spacing: leave out --mpp.")
    return open_volume(path)


def is_volume(path: Path) -> bool:
    """Whether a path is a volume by its ending, or by holding DICOM slices; it may still turn out to be damaged."""
    if path.is_dir():
        return not is_zarr(path) and dicom.holds_dicom(path)
    return path.is_file() and (_format(path) is not None or dicom.is_dicom(path))


def open_volume(path: str | Path) -> Volume:
    """Open a volume: only headers are read, the voxels when they are first asked for.

    Read are NIfTI (``.nii``, ``.nii.gz``), NRRD, MetaImage, and DICOM series of one file a slice, as a folder or as
    any one of their files. CT comes in HU: the header's slope and intercept are applied. The axes are turned so that
    slices go from the feet up, rows from the front to the back and columns from the patient's right to the left.

    Raises
    ------
    InputError
        When the path is missing, damaged, no volume, a time series (4D), or a folder with no series, several, or one
        whose slices are not all there.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path.name} does not exist; check the path.")
    if not is_volume(path):
        endings = ", ".join(FORMATS)
        raise InputError(f"{path.name} is no volume: give {endings} or a folder with a DICOM series.")
    itk.check_libraries(path.name)
    try:
        return _open_file(path) if path.is_file() and _format(path) is not None else _open_series(path)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror or error}).") from error


def _open_file(path: Path) -> Volume:
    stored, dtype = itk.read_header(path)
    lattice, storage = upright(stored)
    return Volume(
        path=path,
        name=path.name,
        format=_format(path) or "",
        voxels=itk.Voxels(lambda: itk.read_voxels(path), lattice, storage, dtype, path.name),
        lattice=lattice,
        storage=storage,
        channels=("intensity",),
        notices=(),
        fingerprint=fingerprint(path),
    )


def _open_series(path: Path) -> Volume:
    series = dicom.read_series(path)
    lattice, storage = upright(series.lattice)
    digest = hashlib.blake2b(digest_size=16)
    for file in series.files:
        add(digest, file)
    dtype = itk.series_dtype(series.files[0], exact=series.exact)

    def load() -> itk.Loaded:
        return itk.read_series(series.files, exact=series.exact)

    return Volume(
        path=path,
        name=path.name,
        format=f"DICOM {series.modality}".strip(),
        voxels=itk.Voxels(load, lattice, storage, dtype, path.name),
        lattice=lattice,
        storage=storage,
        channels=(series.description or series.modality or "intensity",),
        notices=(),
        fingerprint=digest.hexdigest(),
        series=series,
    )


def _format(path: Path) -> str | None:
    name = path.name.lower()
    return next((kind for ending, kind in FORMATS.items() if name.endswith(ending)), None)
