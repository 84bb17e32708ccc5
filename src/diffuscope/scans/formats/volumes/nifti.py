"""NIfTI-1 and NIfTI-2: the header is read here, so that nothing in it is left out or guessed without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans.contents import VolumeContents
from diffuscope.scans.formats.generated import generated_notice
from diffuscope.scans.formats.volumes.axes import check_size
from diffuscope.scans.formats.volumes.beside import file_beside
from diffuscope.scans.formats.volumes.nifti_forms import MILLIMETRES, Forms, choose
from diffuscope.scans.formats.volumes.nifti_header import NIFTI_1, NIFTI_2, OTHERS, PAIR, SINGLE, TYPES
from diffuscope.scans.formats.volumes.packing import Packing, damage_in_words, unpack
from diffuscope.scans.formats.volumes.stored import Piece, Stored

_PACKED = b"\x1f\x8b"
_ORDERS: tuple[Literal["little", "big"], ...] = ("little", "big")
# A voxel's size by both pixdim and sform may differ by this part.
_SAME_SIZE = 0.01


def read_nifti(path: Path) -> VolumeContents:
    """Contents of a NIfTI file: its header now, its voxels when they are asked for.

    Parameters
    ----------
    path : Path
        A file of header and voxels, packed by gzip or not, whatever it is called; or a header (``.hdr``) beside whose
        voxels lie (``.img``).

    Raises
    ------
    InputError
        It is damaged or lost its end, no volume, a time series, holds several values a voxel, or does not say where it
        lies or how large its voxels are.
    """
    header, is_pair = _header(path)
    notices = [*generated_notice(header["descrip"].item().decode("latin-1"), path.name)]
    size = _size(path.name, header)
    dtype = _dtype(path.name, header)
    start = _start(path.name, header, is_pair=is_pair)
    data = _voxels_of(path) if is_pair else path
    slope, intercept = _scaling(path.name, header, notices)
    width, height, depth = size
    stored = Stored(
        name=path.name,
        pieces=(Piece(path=data, skip=start),),
        packing=_packing(data),
        shape=(depth, height, width),
        dtype=dtype,
        slope=slope,
        intercept=intercept,
    )
    forms = _forms(path.name, header, notices)
    lattice, odd = choose(path.name, forms, size)
    if forms.sform_code > 0 and forms.qform_code <= 0:
        said = np.abs(forms.pixdim[1:]) * MILLIMETRES[forms.units & 7]
        if not np.allclose(said, lattice.spacing[::-1], rtol=_SAME_SIZE):
            notices.append(
                f"{path.name} has voxels of {_by(lattice.spacing[::-1])} mm by its sform and of {_by(said)} mm by its "
                "pixdim: the sform is used."
            )
    return stored.contents("NIfTI", path, lattice, notices=(*odd, *notices), forms=forms)


def _header(path: Path) -> tuple[Any, bool]:
    """Return the header, and whether the voxels lie in a file of their own."""
    with damage_in_words(path.name), path.open("rb") as file:
        data = unpack(file, _packing(path)).read(NIFTI_2.itemsize)
    for layout, (single, pair) in zip((NIFTI_1, NIFTI_2), zip(SINGLE, PAIR, strict=True), strict=True):
        for order in _ORDERS:
            if len(data) < layout.itemsize or int.from_bytes(data[:4], order) != layout.itemsize:
                continue
            header = np.frombuffer(data, layout.newbyteorder(order), 1)[0]
            if bytes(header["magic"]) in (single, pair):
                return header, bytes(header["magic"]) == pair
            if layout is NIFTI_1:
                raise InputError(
                    f"{path.name} is an ANALYZE file, which does not say where left and right are: save it as NIfTI."
                )
    raise InputError(f"{path.name} cannot be read as a volume: it does not begin as a NIfTI file does; copy it again.")


def _size(name: str, header: Any) -> tuple[int, int, int]:
    count, *sides = (int(one) for one in header["dim"])
    if not 1 <= count <= 7:
        raise InputError(f"{name} says it has {count} axes, and NIfTI knows 1 to 7: its header is damaged.")
    sides = sides[:count]
    check_size(name, tuple(sides))
    several = sides[4:] if count > 4 else []
    if any(side > 1 for side in several):
        raise InputError(f"{name} holds {max(several)} value(s) a voxel; save one value a voxel.")
    if count > 3 and sides[3] > 1:
        raise InputError(f"{name} holds {sides[3]} volumes, one after the other (4D); save one of them as a file.")
    if count < 3:
        raise InputError(f"{name} is one plane and no volume; save it as TIFF or PNG to open it.")
    return sides[0], sides[1], sides[2]


def _dtype(name: str, header: Any) -> np.dtype[Any]:
    number, bits = int(header["datatype"]), int(header["bitpix"])
    if number in OTHERS:
        raise InputError(f"{name} holds {OTHERS[number]}; save one value a voxel.")
    if number not in TYPES:
        raise InputError(f"{name} holds voxels of a type that NIfTI does not know ({number}): its header is damaged.")
    dtype = TYPES[number]
    if bits not in (0, 8 * dtype.itemsize):
        raise InputError(f"{name} says it holds {dtype.name}, and that a voxel has {bits} bits: its header is damaged.")
    return dtype.newbyteorder(header.dtype["dim"].base.byteorder)


def _start(name: str, header: Any, *, is_pair: bool) -> int:
    """Return the byte at which the voxels begin."""
    start = float(header["vox_offset"])
    least = 0 if is_pair else header.dtype.itemsize + 4
    if not (start.is_integer() and least <= start < 2**40):
        raise InputError(f"{name} says its voxels begin at byte {start:g}, which cannot be: its header is damaged.")
    return int(start)


def _scaling(name: str, header: Any, notices: list[str]) -> tuple[float, float]:
    """Return slope and intercept; a slope of 0 means by NIfTI that there is none."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope):
        if intercept not in (0.0, float(slope)) and not np.isnan(intercept):
            notices.append(
                f"{name} states an intercept of {intercept:g} and a slope of {slope:g}, by which nothing is scaled: "
                "its values are taken as they are stored."
            )
        return 1.0, 0.0
    if not np.isfinite([slope, intercept]).all():
        raise InputError(
            f"{name} scales its values by slope {slope:g} and intercept {intercept:g}, which gives none: save it again."
        )
    return slope, intercept


def _forms(name: str, header: Any, notices: list[str]) -> Forms:
    units = int(header["xyzt_units"])
    if units & 7 not in MILLIMETRES:
        raise InputError(f"{name} measures its voxels in a unit that NIfTI does not know ({units & 7}): save it again.")
    pixdim = tuple(float(one) for one in header["pixdim"][:4])
    if not np.isfinite(pixdim).all():
        raise InputError(f"{name} states sizes of a voxel that are no numbers ({_by(pixdim[1:])}): save it again.")
    if min(pixdim[1:]) < 0:
        notices.append(f"{name} states a negative size of a voxel ({_by(pixdim[1:])}): it is taken as positive.")
    codes = _codes(name, header, notices)
    return Forms(
        units=units,
        pixdim=pixdim,
        qform_code=codes["qform"],
        sform_code=codes["sform"],
        quatern=_known(header["quatern"]),
        qoffset=_known(header["qoffset"]),
        srow=tuple(_known(row) for row in header["srow"]),
    )


def _codes(name: str, header: Any, notices: list[str]) -> dict[str, int]:
    """Return the codes of both forms, 0 of one of which a number is none."""
    codes = {form: int(header[f"{form}_code"]) for form in ("qform", "sform")}
    numbers = {"qform": (*header["quatern"], *header["qoffset"]), "sform": header["srow"]}
    for form, other in (("qform", "sform"), ("sform", "qform")):
        if codes[form] > 0 and not np.isfinite(numbers[form]).all():
            if codes[other] <= 0:
                raise InputError(f"{name} has a {form} with numbers that are none (NaN or infinite): save it again.")
            notices.append(f"{name} has a {form} with numbers that are none (NaN or infinite): its {other} is used.")
            codes[form] = 0
    return codes


def _known(numbers: Any) -> tuple[float, ...]:
    return tuple(float(one) for one in np.nan_to_num(numbers.astype(float), nan=0.0, posinf=0.0, neginf=0.0))


def _voxels_of(path: Path) -> Path:
    """Return the file of the voxels that belong to a header."""
    name = path.name.removesuffix(".gz")
    stem = name[:-4] if name.lower().endswith((".hdr", ".nii")) else name
    there = [path.with_name(f"{stem}{end}") for end in (".img", ".img.gz", ".IMG")]
    return file_beside(path, next((one for one in there if one.exists()), there[0]).name)


def _packing(path: Path) -> Packing:
    with path.open("rb") as file:
        return "gzip" if file.read(2) == _PACKED else "raw"


def _by(numbers: Any) -> str:
    return " x ".join(f"{number:.4g}" for number in numbers)
