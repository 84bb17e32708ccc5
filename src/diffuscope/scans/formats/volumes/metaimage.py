"""MetaImage: the header is read here, since what reads it for others leaves its unit and its scaling out."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.contents import VolumeContents
from diffuscope.scans.formats.volumes.axes import check_size, lattice_of
from diffuscope.scans.formats.volumes.beside import file_beside, files_of_pattern, shown
from diffuscope.scans.formats.volumes.packing import Packing
from diffuscope.scans.formats.volumes.stored import Piece, Stored
from diffuscope.scans.formats.volumes.text_header import Header, by_name, header_lines, is_list

_TYPES = by_name(
    {
        "MET_CHAR": "i1",
        "MET_UCHAR": "u1",
        "MET_SHORT": "i2",
        "MET_USHORT": "u2",
        # A long has four bytes here, whatever the machine.
        "MET_INT|MET_LONG": "i4",
        "MET_UINT|MET_ULONG": "u4",
        "MET_LONG_LONG": "i8",
        "MET_ULONG_LONG": "u8",
        "MET_FLOAT": "f4",
        "MET_DOUBLE": "f8",
    }
)
# Names that mean the same; the first is used here.
_NAMES = {
    "Position": "Offset", "Origin": "Offset", "Rotation": "TransformMatrix", "Orientation": "TransformMatrix",
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
}  # fmt: skip
# The letters of AnatomicalOrientation say from where an axis comes: to the left, the back and the head.
_FROM = ("RL", "AP", "IS")


def read_metaimage(path: Path) -> VolumeContents:
    """Contents of a MetaImage, or of a header (``.mhd``) beside whose voxels lie; voxels when they are asked for.

    Raises
    ------
    InputError
        It is damaged or lost its end, no volume, a time series, holds several values a voxel, does not say how large
        these are, or names files outside its folder.
    """
    header = Header(path)
    with path.open("rb") as file:
        listed = _read(header, file)
        start = file.tell()
    for key in ("NDims", "DimSize", "ElementType"):
        if key not in header:
            raise header.damaged(f"does not state its {key}")
    size = _size(header)
    dtype, packing = _dtype(header)
    pieces = _pieces(header, listed, start, size, dtype, packing)
    slope, intercept = (
        float(header.parse(header.get(f"ElementToIntensityFunction{key}", default), key, 1)[0])
        for key, default in (("Slope", "1"), ("Offset", "0"))
    )
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise header.damaged(f"scales its values by {slope:g} and {intercept:g}, which gives none")
    stored = Stored(
        name=path.name, pieces=pieces, packing=packing, shape=(size[2], size[1], size[0]), dtype=dtype,
        slope=slope, intercept=intercept,
    )  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):  # what comes out of that is refused next
        affine, notices = _affine(header)
    lattice, odd = lattice_of(path.name, affine, size)
    return stored.contents("MetaImage", path, lattice, notices=(*odd, *notices))


def _read(header: Header, file: BinaryIO) -> list[str]:
    """Read the fields up to the one that says where the voxels lie; return the files that it lists."""
    lines = header_lines(file, header.name)
    for line in lines:
        if not line.strip():
            continue
        key, mark, text = (part.strip() for part in line.partition("="))
        if not mark or (not header and key not in ("ObjectType", "NDims", "Comment", "ID")):
            raise InputError(
                f"{header.name} cannot be read as a volume: it does not begin as a MetaImage does; copy it again."
            )
        header.add(_NAMES.get(key, key), text)
        if key == "ElementDataFile":
            return [line.strip() for line in lines if line.strip()] if is_list(text) else []
    raise header.damaged("does not say where its voxels lie (ElementDataFile)")


def _size(header: Header) -> tuple[int, int, int]:
    count, sides = header.one("NDims"), header.whole("DimSize")
    if header.get("ObjectType", "Image") != "Image":
        raise InputError(f"{header.name} is a {shown(header['ObjectType'])} and no volume.")
    if len(sides) != count:
        raise header.damaged(f"says it has {count} axes, and sizes of {len(sides)}")
    check_size(header.name, sides)
    channels = header.one("ElementNumberOfChannels", 1)
    if channels != 1:
        raise InputError(f"{header.name} holds {channels} value(s) a voxel; save one value a voxel.")
    if count < 3:
        raise InputError(f"{header.name} is one plane and no volume; save it as TIFF or PNG to open it.")
    if count > 4:
        raise InputError(f"{header.name} has {count} axes and a volume has three; save one volume of it as a file.")
    if count == 4 and sides[3] > 1:
        raise InputError(
            f"{header.name} holds {sides[3]} volumes, one after the other (4D); save one of them as a file."
        )
    return sides[0], sides[1], sides[2]


def _dtype(header: Header) -> tuple[np.dtype, Packing]:
    kind = header["ElementType"]
    if kind not in _TYPES:
        raise InputError(f"{header.name} holds voxels of type {shown(kind)}, which is not read; save it as MET_SHORT.")
    msb = _is_true(header, "BinaryDataByteOrderMSB")
    packing: Packing = "raw" if _is_true(header, "BinaryData", "True") else "text"
    if _is_true(header, "CompressedData"):
        if packing == "text":
            raise header.damaged("says that its numbers are written out, and packed")
        packing = "zlib"
    return _TYPES[kind].newbyteorder(">" if msb else "<"), packing


def _is_true(header: Header, key: str, otherwise: str = "False") -> bool:
    text = header.get(key, otherwise).lower()
    if text[:1] not in ("t", "f", "1", "0"):
        raise header.damaged(f"has a {key} that is neither True nor False: {shown(text)}")
    return text[:1] in ("t", "1")


def _pieces(
    header: Header, listed: list[str], start: int, size: tuple[int, int, int], dtype: np.dtype, packing: Packing
) -> tuple[Piece, ...]:
    """Return where the voxels lie."""
    named, skip = header["ElementDataFile"], header.one("HeaderSize", 0)
    pattern, *numbers = named.split()[:4] or [""]
    if named.upper() == "LOCAL":
        files, skip = [header.path], start
    elif is_list(named):
        files = [file_beside(header.path, name) for name in listed[: size[2] + 1]]
        if not 1 <= len(files) <= size[2]:
            raise header.damaged(f"lists {len(listed)} files for {size[2]} slices")
    elif "%" in pattern:
        files = files_of_pattern(header.path, pattern, (numbers + ["1"] * 3)[:3], size[2])
    else:
        files = [file_beside(header.path, named)]
    if skip < -1 or (skip < 0 and packing != "raw"):
        raise header.damaged(f"has a HeaderSize of {skip}")
    packed = header.one("CompressedDataSize", 0) if packing == "zlib" else 0
    if packed > files[0].stat().st_size - skip:
        raise InputError(f"{files[0].name} lost its end: its header speaks of {packed:,} bytes; copy it again.")
    need = size[0] * size[1] * size[2] * dtype.itemsize // len(files)
    return tuple(Piece(path=file, start=max(0, file.stat().st_size - need) if skip < 0 else skip) for file in files)


def _affine(header: Header) -> tuple[NDArray[np.float64], list[str]]:
    """Return the affine from voxel numbers (x, y, z) to LPS in mm, and what is odd."""
    count, notices = header.one("NDims"), []
    spacing = header.numbers("ElementSpacing", count)
    spacing = header.numbers("ElementSize", count) if spacing is None else spacing
    if spacing is None:
        raise InputError(
            f"{header.name} does not say how large its voxels are: add a line ElementSpacing = x y z, in mm, to "
            "its header."
        )
    scale = header.millimetres(header.get("DistanceUnits", "")) or 1.0
    turn = header.numbers("TransformMatrix", count * count)
    offset = header.numbers("Offset", count)
    affine = np.eye(4)
    if turn is not None:
        # Each row is the direction of an axis.
        affine[:3, :3] = turn.reshape(count, count)[:3, :3].T
        notices += _contradiction(header, affine[:3, :3])
    else:
        notices.append(
            f"{header.name} does not say how the patient lies (it has no TransformMatrix): it is taken as running "
            "to the left, the back and the head; check left and right."
        )
    affine[:3, :3] *= np.abs(spacing[:3])
    if (spacing[:3] < 0).any():
        notices.append(f"{header.name} states a negative size of a voxel: it is taken as positive.")
    if offset is None:
        notices.append(f"{header.name} does not say where its first voxel lies: 0, 0, 0 is taken.")
    affine[:3, 3] = 0.0 if offset is None else offset[:3]
    affine[:3] *= scale
    return affine, notices


def _contradiction(header: Header, turn: NDArray[np.float64]) -> list[str]:
    """Tell of letters that say other than the matrix; of an oblique volume they say what is nearest."""
    letters = header.get("AnatomicalOrientation", "").upper()
    if len(letters) != 3 or set(letters) - set("RLAPIS") or np.sort(np.abs(turn), axis=0)[1].max() > 0.6:
        return []
    found = ""
    for column in turn.T:
        axis = int(np.argmax(np.abs(column)))
        found += _FROM[axis][0 if column[axis] > 0 else 1]
    if found == letters:
        return []
    told = f"says that its axes run as {letters}, and by its TransformMatrix they run as {found}"
    return [f"{header.name} {told}: the matrix is used; check left and right."]
