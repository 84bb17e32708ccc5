"""open_scan: from a path to a Scan, whatever the format."""

from __future__ import annotations

import math
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.fingerprint import fingerprint, fingerprint_of
from diffuscope.scans.formats.libraries import check_libraries
from diffuscope.scans.formats.remote import read_remote
from diffuscope.scans.formats.table import SLIDES, find_format, first_bytes, listed
from diffuscope.scans.guards.places import address_of, check_there
from diffuscope.scans.physical import check_given_mpp, isotropic
from diffuscope.scans.scan import Scan
from diffuscope.scans.source import COARSEST_SIDE, Cache, Halved, Levels, Source

# How far a level's height may miss what its width says, besides whole px: some scanners pad levels to tiles.
_PROPORTIONS = 0.05


def open_scan(path: str | Path, *, mpp: float | None = None) -> Scan:
    """Open a slide or picture lazily: no pixel is decoded before it is asked for.

    Read are the slides and pictures of docs/formats.md. The content decides,
    not the name. A pyramid that ends above 1024 px is continued by levels made on demand, each the mean of 2×2 pixels.

    Parameters
    ----------
    path : str or Path
        A file, a folder of an OME-Zarr or of a DICOM slide, or the address of an OME-Zarr (``https://…``, ``s3://…``).
    mpp : float, optional
        µm per level-0 pixel, where the file does not tell it or is wrong.

    Returns
    -------
    Scan

    Raises
    ------
    InputError
        When the path is missing or cannot be read, when the file is truncated or of a kind that is not read, when its
        pixels are not square, or when `mpp` is no positive number.
    """
    path = Path(path)
    check_given_mpp(mpp)
    try:
        contents = _contents(path)
        print_of = contents.fingerprint or (
            fingerprint_of(contents.files) if contents.files else fingerprint(path, *contents.beside)
        )
    except OSError as error:
        raise InputError(f"{path.name} cannot be read ({error.strerror or error}).") from error
    notices = contents.notices
    # What is given is used whatever the file says, also where the file's own value would be refused.
    if mpp is not None and contents.mpp is not None:
        y, x = contents.mpp
        found = f"{x:.4g}" if math.isclose(x, y, rel_tol=1e-3) else f"{x:.4g} × {y:.4g}"
        notices += (f"{path.name} says {found} µm/px; {mpp:.4g} µm/px is used, as given.",)
    elif mpp is not None:
        notices += (f"{path.name} does not say its µm/px; {mpp:.4g} µm/px is used, as given.",)
    kept = [level for level in contents.levels if _is_smaller(level, contents.levels[0])]
    if not kept:
        raise InputError(f"{path.name} has no pixel; copy or download it again.")
    if left := len(contents.levels) - len(kept):
        notices += (f"{path.name} has {left} level(s) that are no smaller copy of the finest: they are left out.",)
    levels = _continued(kept)
    try:
        stated = isotropic(contents.mpp, path.name)
    except InputError:
        if mpp is None:
            raise
        stated = None
    return Scan(
        path=path,
        name=path.name,
        format=contents.format,
        levels=Levels(levels),
        downsamples=tuple(_downsample(levels[0], level) for level in levels),
        mpp=float(mpp) if mpp is not None else stated,
        stated_mpp=stated,
        notices=notices,
        channels=_channels(contents),
        rgb=contents.rgb,
        associated={key: source.to_dask() for key, source in contents.associated.items()},
        fingerprint=print_of,
        sources=tuple(levels),
        has_twin=contents.has_twin,
    )


def _contents(path: Path) -> Contents:
    address = address_of(path)
    if address:
        return read_remote(address)
    check_there(path)
    found = find_format(path, SLIDES)
    if found is not None:
        check_libraries(path.name, "a slide", found.libraries, found.extra)
        return found.open(path)
    if path.is_dir():
        folders = listed(row.name for row in SLIDES if row.is_folder)
        raise InputError(f"{path.name} is a folder, but no {folders} image; give a file, or a folder of {folders}.")
    reason = "its content is none of these" if first_bytes(path) else "it is empty"
    raise InputError(f"{path.name} is no {listed(row.name for row in SLIDES if row.magic)} file: {reason}.")


def _is_smaller(level: Source, finest: Source) -> bool:
    """Whether a level can be the finest one with fewer px: of its channels and type, and of its proportions."""
    if level.shape[2] != finest.shape[2] or level.dtype != finest.dtype or 0 in level.shape:
        return False
    down, across = (fine / coarse for fine, coarse in zip(finest.shape[:2], level.shape[:2], strict=True))
    # A last row or column may be dropped, or be there twice.
    return abs(down / across - 1) <= _PROPORTIONS + 2 / min(level.shape[:2])


def _continued(levels: list[Source]) -> list[Source]:
    """Add coarser levels until the longer side is at most 1024 px."""
    levels = list(levels)
    cache = Cache()
    while max(levels[-1].shape[:2]) > COARSEST_SIDE:
        levels.append(Halved(levels[-1], cache))
    return levels


def _downsample(finest: Source, level: Source) -> float:
    """Level-0 pixels per pixel of a level.

    Scanners reduce by a whole number and drop or pad what does not fill a last pixel: 4443 px become 2221 at exactly 2,
    not at 4443/2221 (measured on TCGA-CR-7395 at the far corner: 0.01 px off against 0.5 px). So a whole number
    that explains both sides is taken, else the mean of the two ratios.
    """
    ratios = [fine / coarse for fine, coarse in zip(finest.shape[:2], level.shape[:2], strict=True)]
    whole = round(sum(ratios) / 2)
    sides = zip(finest.shape[:2], level.shape[:2], strict=True)
    if all(abs(fine - whole * coarse) < whole for fine, coarse in sides):
        return float(whole)
    return sum(ratios) / 2


def _channels(contents: Contents) -> tuple[str, ...]:
    if contents.channels:
        return contents.channels
    count = contents.levels[0].shape[2]
    if contents.rgb:
        return ("red", "green", "blue")
    return ("intensity",) if count == 1 else tuple(f"channel {i + 1}" for i in range(count))
