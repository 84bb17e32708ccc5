"""NRRD: the header is read here, since what reads it for others crashes on some, and leaves units out."""

from __future__ import annotations

import re
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
        "signed char|int8|int8_t": "i1",
        "uchar|unsigned char|uint8|uint8_t": "u1",
        "short|short int|signed short|signed short int|int16|int16_t": "i2",
        "ushort|unsigned short|unsigned short int|uint16|uint16_t": "u2",
        "int|signed int|int32|int32_t": "i4",
        "uint|unsigned int|uint32|uint32_t": "u4",
        "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t": "i8",
        "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t": "u8",
        "float": "f4",
        "double": "f8",
    }
)
_PACKINGS: dict[str, Packing] = {
    "raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2",
    "ascii": "text", "txt": "text", "text": "text",
}  # fmt: skip
# To the patient's left, back and head, by the first letters of the space's words.
_SPACES = {"lps": (1.0, 1.0, 1.0), "ras": (-1.0, -1.0, 1.0), "las": (1.0, -1.0, 1.0)}
# Of axes along which a voxel's values lie, not places.
_DOMAIN = {"", "?", "???", "none", "domain", "space"}


def read_nrrd(path: Path) -> VolumeContents:
    """Contents of an NRRD file, or of a header (``.nhdr``) beside whose voxels lie; voxels when they are asked for.

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
    for key in ("type", "dimension", "sizes", "encoding"):
        if key not in header:
            raise header.damaged(f"does not state its {key}")
    size, keep = _size(header)
    dtype, packing = _dtype(header)
    pieces = _pieces(header, listed, start, size, dtype, packing)
    stored = Stored(name=path.name, pieces=pieces, packing=packing, shape=(size[2], size[1], size[0]), dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # what comes out of that is refused next
        affine, notices = _affine(header, keep)
    lattice, odd = lattice_of(path.name, affine, size)
    return stored.contents("NRRD", path, lattice, notices=(*odd, *notices))


def _read(header: Header, file: BinaryIO) -> list[str]:
    """Read the fields up to the empty line, or to a list of files, which is returned."""
    lines = header_lines(file, header.name)
    if not re.fullmatch(r"NRRD000[1-6]", next(lines, "").strip()):
        raise InputError(
            f"{header.name} cannot be read as a volume: it does not begin as an NRRD file does; copy it again."
        )
    for line in lines:
        if not line:
            break
        key, mark, text = line.partition(":")
        if line.startswith("#") or text.startswith("="):  # a remark, or a note of its maker's
            continue
        if not mark:
            raise header.damaged(f"has a line that is no field ({shown(line)})")
        key = key.strip().lower().replace(" ", "")
        header.add({"centers": "centerings", "datafile": "data file"}.get(key, key), text.strip())
        if key == "datafile" and is_list(text.strip()):
            return [line.strip() for line in lines if line.strip()]
    return []


def _size(header: Header) -> tuple[tuple[int, int, int], list[int]]:
    """Return the voxels along x, y and z, and which of the header's axes these are."""
    count = header.one("dimension")
    sizes = header.whole("sizes")
    if len(sizes) != count:
        raise header.damaged(f"says it has {count} axes, and sizes of {len(sizes)}")
    check_size(header.name, sizes)
    if count < 3:
        raise InputError(f"{header.name} is one plane and no volume; save it as TIFF or PNG to open it.")
    if count > 4:
        raise InputError(f"{header.name} has {count} axes and a volume has three; save one volume of it as a file.")
    keep = list(range(count))
    if count == 4:
        kinds = [kind.lower() for kind in header.get("kinds", "").split()] or [""] * 4
        along = _vectors(header)
        other = [
            axis
            for axis in range(4)
            if (along is not None and axis < len(along) and along[axis] is None)
            or (axis < len(kinds) and kinds[axis] not in _DOMAIN)
        ]
        extra = other[0] if other else 3
        if sizes[extra] > 1 and extra < 3:
            raise InputError(f"{header.name} holds {sizes[extra]} value(s) a voxel; save one value a voxel.")
        if sizes[extra] > 1:
            raise InputError(
                f"{header.name} holds {sizes[extra]} volumes, one after the other (4D); save one of them as a file."
            )
        keep.remove(extra)
    elif wrong := [kind for kind in header.get("kinds", "").lower().split() if kind not in _DOMAIN]:
        number = header["kinds"].lower().split().index(wrong[0])
        raise InputError(
            f"{header.name} holds {sizes[number] if number < 3 else 1} value(s) a voxel ({shown(wrong[0])}); "
            "save one value a voxel of a volume."
        )
    x, y, z = (sizes[axis] for axis in keep)
    return (x, y, z), keep


def _dtype(header: Header) -> tuple[np.dtype, Packing]:
    kind, encoding = (header[key].lower() for key in ("type", "encoding"))
    if kind not in _TYPES:
        raise InputError(f"{header.name} holds voxels of type {shown(kind)}, which is not read; save them as short.")
    if encoding not in _PACKINGS:
        raise InputError(f"{header.name} is packed as {shown(encoding)}, which is not read; save it as raw or gzip.")
    dtype, packing, endian = _TYPES[kind], _PACKINGS[encoding], header.get("endian", "").lower()
    if dtype.itemsize > 1 and packing != "text":
        if endian not in ("little", "big"):
            raise header.damaged("does not state its endian, little or big")
        dtype = dtype.newbyteorder("<" if endian == "little" else ">")
    return dtype, packing


def _pieces(
    header: Header, listed: list[str], start: int, size: tuple[int, int, int], dtype: np.dtype, packing: Packing
) -> tuple[Piece, ...]:
    """Return where the voxels lie."""
    named = header.get("data file")
    skip, lines = header.one("byteskip", 0), header.one("lineskip", 0)
    if skip < -1 or lines < 0 or (skip < 0 and packing != "raw"):
        raise header.damaged("skips an odd number of bytes or lines")
    if named is None:
        files = [header.path]
    elif listed or is_list(named):
        files, start = [file_beside(header.path, name) for name in listed[: size[2] + 1]], 0
        if len(files) > size[2] or not files:
            raise header.damaged(f"lists {len(listed)} files for {size[2]} slices")
    elif "%" in named:
        pattern, *numbers = named.split()
        files, start = files_of_pattern(header.path, pattern, numbers[:3], size[2]), 0
    else:
        files, start = [file_beside(header.path, named)], 0
    found = []
    for file in files:
        begin = _after_lines(file, start, lines, header.name)
        if skip < 0:  # the voxels are the last of the file
            need = size[0] * size[1] * size[2] * dtype.itemsize // len(files)
            found.append(Piece(path=file, start=max(begin, file.stat().st_size - need)))
        else:
            found.append(Piece(path=file, start=begin, skip=skip))
    return tuple(found)


def _after_lines(file: Path, start: int, count: int, name: str) -> int:
    with file.open("rb") as opened:
        opened.seek(start)
        lines = header_lines(opened, name)
        for _ in range(count):
            next(lines, None)
        return opened.tell()


def _vectors(header: Header) -> list[NDArray[np.float64] | None] | None:
    """Return the step along each axis in the space, None of one that is no place; None where they are not stated."""
    text = header.get("spacedirections")
    if text is None:
        return None
    words = re.findall(r"none|\([^()]*\)", text, re.IGNORECASE)
    return [None if word.lower() == "none" else header.parse(word, "space directions", 3) for word in words]


def _affine(header: Header, keep: list[int]) -> tuple[NDArray[np.float64], list[str]]:
    """Return the affine from voxel numbers (x, y, z) to LPS in mm, and what is odd."""
    notices = []
    space = header.get("space", "").lower()
    letters = "".join(word[:1] for word in space.split("-")[:3]) if "-" in space else space[:3]
    signs = _SPACES.get(letters)
    affine, along = np.eye(4), _vectors(header)
    if along is not None:
        steps = [along[axis] if axis < len(along) else None for axis in keep]
        if any(step is None for step in steps):
            raise header.damaged("does not state its space directions of three axes")
        affine[:3, :3] = np.array(steps).T
        units = re.findall(r'"[^"]*"', header.get("spaceunits", "")) or ['""'] * 3
        scale = np.array([header.millimetres(unit) or 1.0 for unit in units[:3]])
        if len(units) < 3:
            raise header.damaged(f"states {len(units)} space units of three")
    elif "spacings" in header:
        count = header.one("dimension")
        affine[:3, :3] = np.diag(header.parse(header["spacings"], "spacings", count)[keep])
        units = re.findall(r'"[^"]*"', header.get("units", "")) or ['""'] * count
        scale = np.ones(3)
        affine[:3, :3] *= [header.millimetres(units[axis] if axis < len(units) else "") or 1.0 for axis in keep]
    else:
        raise InputError(f"{header.name} does not say how large its voxels are: add its space directions, or spacings.")
    origin = header.numbers("spaceorigin", 3)
    affine[:3, 3] = 0.0 if origin is None else origin
    affine[:3] *= scale[:, None]
    if signs is None or along is None:
        notices.append(
            f"{header.name} does not say how the patient lies (its space is {shown(space) if space else 'not stated'}"
            f"{', without directions' if along is None else ''}): it is taken as running to the left, the back and the "
            "head; check left and right."
        )
    elif origin is None:
        notices.append(f"{header.name} does not say where its first voxel lies: 0, 0, 0 is taken.")
    if along is not None:
        affine[:3] *= np.array(signs or (1.0, 1.0, 1.0))[:, None]
    return affine, notices
