"""open_volume and open_input: from a path to a Volume, or to whatever the path is."""

from __future__ import annotations

from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.scans.fingerprint import fingerprint_of
from diffuscope.scans.formats.libraries import check_libraries
from diffuscope.scans.formats.table import SLIDES, VOLUMES, find_format
from diffuscope.scans.formats.volumes.voxels import Voxels
from diffuscope.scans.guards.places import check_there
from diffuscope.scans.lattice import upright
from diffuscope.scans.open import open_scan
from diffuscope.scans.physical import check_volume_size
from diffuscope.scans.scan import Scan
from diffuscope.scans.volume import Volume


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
    return find_format(path, VOLUMES) is not None


def is_image(path: Path) -> bool:
    """Whether a file or folder is in one of the formats that are read; it may still turn out to be damaged."""
    return find_format(path, SLIDES) is not None or is_volume(path)


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
    check_there(path)
    found = find_format(path, VOLUMES)
    if found is None:
        endings = ", ".join(ending for row in VOLUMES if not row.is_series for ending in row.endings)
        series = " or ".join(row.name for row in VOLUMES if row.is_series)
        raise InputError(f"{path.name} is no volume: give {endings} or a folder with a {series} series.")
    check_libraries(path.name, "a volume", found.libraries, found.extra)
    try:
        contents = found.open(path)
        print_of = fingerprint_of(contents.files)
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror or error}).") from error
    check_volume_size(path.name, contents.lattice.spacing, contents.lattice.shape)
    lattice, storage = upright(contents.lattice)
    return Volume(
        path=path,
        name=path.name,
        format=contents.format,
        voxels=Voxels(contents.load, lattice, storage, contents.dtype, path.name),
        lattice=lattice,
        storage=storage,
        channels=(contents.channel,),
        stated=contents.notices,
        fingerprint=print_of,
        series=contents.series,
        forms=contents.forms,
    )
