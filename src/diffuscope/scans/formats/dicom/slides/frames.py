"""Where the frames of a DICOM file lie, and what one of them unpacks to."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.codestreams import frame_shape
from diffuscope.scans.formats.dicom.slides.elements import Head
from diffuscope.scans.formats.tiff_colour import ycbcr_to_rgb
from diffuscope.scans.guards.codestreams import jpeg_2000_size, jpeg_frame, values_of
from diffuscope.scans.guards.sizes import PIECE

_UID = "1.2.840.10008.1.2."
#: Pixels as they are.
NATIVE = ("1.2.840.10008.1.2", f"{_UID}1")
#: What else is read, by the UID of the transfer syntax.
COMPRESSED = {
    **{f"{_UID}4.{one}": "JPEG" for one in (50, 51, 57, 70)},
    **{f"{_UID}4.{one}": "JPEG-LS" for one in (80, 81)},
    **{f"{_UID}4.{one}": "JPEG 2000" for one in (90, 91, 201, 202, 203)},
    **{f"{_UID}4.{one}": "JPEG XL" for one in (110, 111, 112)},
}
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002
_ITEM = 0xFFFEE000
_JPEG_XL = 50002  # as TIFF calls it


@dataclass(frozen=True, eq=False)
class Frames:
    """Where the frames of a file lie.

    Attributes
    ----------
    path : Path
        Of the file, which is opened anew for each frame: no shared position to lock, and nothing to close.
    starts, counts : ndarray of int64
        Of each, bytes. What is compressed begins with the mark of its first fragment.
    """

    path: Path
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]


def find_frames(path: Path, head: Head, count: int, size: int) -> Frames:
    """Find the frames of a file.

    Parameters
    ----------
    path, head : Path, Head
        Of the file.
    count : int
        Of the frames, as it says.
    size : int
        Of a frame that is not compressed, bytes.

    Raises
    ------
    InputError
        They are not all in the file.
    """
    end, name = path.stat().st_size, path.name
    if not 0 < count <= 2**24:
        raise InputError(f"{name} claims {count} tiles, which no slide has: copy it again.")
    if head.length is not None:
        if head.length < count * size or head.pixels + count * size > end:
            raise _cut_off(name)
        return Frames(path, head.pixels + size * np.arange(count, dtype=np.int64), np.full(count, size, np.int64))
    with path.open("rb") as file:
        file.seek(head.pixels)
        tag, length = _mark(file)
        if tag != _ITEM or length > 4 * count:
            raise InputError(f"{name} is damaged where its tiles begin: copy it again.")
        table = np.frombuffer(file.read(length), "<u4").astype(np.int64)
        begin = head.pixels + 8 + length
        stated = [np.frombuffer(head.elements.value(one), "<u8") for one in (_OFFSETS, _LENGTHS)]
        if all(len(one) == count for one in stated):
            offsets, lengths = (np.minimum(one, 2**62).astype(np.int64) for one in stated)
            starts, counts = begin + offsets, 8 + lengths + lengths % 2
        elif len(table) == count:
            starts = begin + table
            counts = np.diff(starts, append=min(end, int(starts[-1]) + PIECE))
        else:
            starts, counts = _walked(file, begin, count, name)
    if (counts < 8).any() or (starts < begin).any() or (starts > end - np.minimum(counts, end)).any():
        raise _cut_off(name)
    return Frames(path, starts, counts)


def _walked(file: BinaryIO, begin: int, count: int, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where fragments lie that no table lists, one a frame; of one frame it may be several."""
    starts: list[int] = []
    counts: list[int] = []
    at = begin
    while len(starts) <= max(count, 2**16):
        file.seek(at)
        tag, length = _mark(file)
        if tag != _ITEM:
            break
        starts.append(at)
        counts.append(8 + length)
        at += 8 + length
    if count == 1 and starts:
        return np.array(starts[:1]), np.array([sum(counts)])
    if len(starts) != count:
        raise InputError(f"{name} has {len(starts)} pieces of {count} tiles and no list of them: export it again.")
    return np.array(starts), np.array(counts)


def _mark(file: BinaryIO) -> tuple[int, int]:
    data = file.read(8)
    if len(data) < 8:
        return 0, 0
    group, element, length = struct.unpack("<HHI", data)
    return group << 16 | element, length


def _cut_off(name: str) -> InputError:
    return InputError(f"{name} is cut off: not all of its tiles are there; copy it again.")


def read_frame(frames: Frames, number: int, *, is_native: bool) -> bytes:
    """Return a frame as it is stored, its fragments joined; empty where it is.

    Raises
    ------
    ValueError
        It is damaged, or so large that it is no tile.
    """
    count = int(frames.counts[number])
    if count > 2 * PIECE:
        raise ValueError("too large")
    with frames.path.open("rb") as file:
        file.seek(int(frames.starts[number]))
        data = file.read(count)
    if is_native:
        return data
    parts, at = [], 0
    while at + 8 <= len(data):
        group, element, length = struct.unpack_from("<HHI", data, at)
        if group << 16 | element != _ITEM:
            break
        if at + 8 + length > len(data):
            raise ValueError("cut off")
        parts.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return parts[0] if len(parts) == 1 else b"".join(parts)


def unpack(data: bytes, shape: tuple[int, int, int], bits: int, syntax: str, photometric: str) -> NDArray[Any]:
    """Return what a compressed frame holds, (rows, columns, samples); looked at before it is decoded.

    Raises
    ------
    ValueError
        It holds another picture than the file says. Decoders raise what they like besides.
    """
    import imagecodecs

    kind = COMPRESSED[syntax]
    if _claimed(kind, data, shape) != shape:
        raise ValueError("another size")
    if kind == "JPEG":
        if data.rfind(b"\xff\xd9") < 0:  # libjpeg fills up with grey what is not there, and says nothing
            raise ValueError("its end is missing")
        # What Adobe's marker says of the colours goes before what the file says, as all decoders have it.
        is_marked = b"Adobe" in data[:4096]
        colours = "RGB" if photometric == "RGB" else "YCBCR"
        options: dict[str, Any] = {"outcolorspace": "RGB"} if shape[2] == 3 else {}
        if shape[2] == 3 and not is_marked:
            options["colorspace"] = colours
        pixels = imagecodecs.jpeg_decode(data, **options)
    else:
        decoders = {"JPEG-LS": "jpegls_decode", "JPEG 2000": "jpeg2k_decode", "JPEG XL": "jpegxl_decode"}
        pixels = getattr(imagecodecs, decoders[kind])(data)
        if shape[2] == 3 and photometric.startswith("YBR_FULL"):
            pixels = ycbcr_to_rgb(pixels)
    pixels = np.asarray(pixels).reshape(shape)
    if pixels.dtype.kind != "u" or pixels.dtype.itemsize * 8 > bits:
        raise ValueError("other bits")
    return pixels


def _claimed(kind: str, data: bytes, shape: tuple[int, int, int]) -> tuple[int, ...] | None:
    """Return the shape that a codestream begins with; None where it begins with none."""
    if kind == "JPEG":
        frame = jpeg_frame(data)
        return None if frame is None else frame[1:]
    if kind == "JPEG 2000":
        size = jpeg_2000_size(data)
        return None if size is None else (size[0], size[1], len(size[2]))
    if kind == "JPEG XL":  # of which its header tells height by width, times four
        return shape if values_of(_JPEG_XL, data) == 4 * shape[0] * shape[1] else None
    found = frame_shape(data)
    return None if found is None else (*found, shape[2])
