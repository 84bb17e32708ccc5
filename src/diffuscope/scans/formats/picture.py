"""PNG and JPEG: one level, decoded as a whole on first use."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.guards.codestreams import jpeg_frame
from diffuscope.scans.guards.sizes import PICTURE, check_size
from diffuscope.scans.guards.tiff_directories import truncated
from diffuscope.scans.source import CHUNK_SIDE, Source, over_white

# Bytes in which a JPEG's frame begins: after its colour profile and a small picture of itself.
_HEAD = 2**24
# Bytes of names, profiles and the like that a file has besides its pixels.
_BESIDE = 2**26
# Of a PNG: samples by colour type. 3 is a palette, of which red, green and blue become.
_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
# Of a PNG: bits of what a sample becomes by those it has.
_BITS = {1: 8, 2: 8, 4: 8, 8: 8, 16: 16}
#: Told of a colour picture with a profile.
IGNORED_PROFILE = "{} has an ICC colour profile, which is not applied: its colours are taken as they are stored."

#: Told of a picture that is stored otherwise than it is to be shown, with the number that says how.
TURNED = "{} says that it is to be shown turned (orientation {}); it is taken as it is stored."
# In EXIF, which is a TIFF: the tag of it, of two bytes.
_ORIENTATION, _SHORT = 274, 3
_EXIF, _EXIF_READ = b"Exif\0\0", 2**16


@dataclass(frozen=True)
class _Head:
    """Head of a picture: size in px, samples with alpha, bits of each, a profile, how it is turned, a palette."""

    height: int
    width: int
    samples: int
    bits: int
    profile: bool
    orientation: int
    palette: bool = False


class Picture(Source):
    """A PNG or JPEG file; these formats have no tiles, so the first window read decodes all of it."""

    def __init__(self, path: Path, head: _Head, decode: Callable[[bytes], Any]) -> None:
        channels = 1 if head.samples <= 2 else 3
        super().__init__((head.height, head.width, channels), f"uint{head.bits}", (CHUNK_SIDE, CHUNK_SIDE))
        self._path = path
        self._head = head
        self._decoder = decode
        self._pixels: np.ndarray | None = None
        self._lock = threading.Lock()

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        with self._lock:
            if self._pixels is None:
                self._pixels = self._decode()
        return self._pixels[y0:y1, x0:x1].copy()  # nobody may change the one that is kept

    def _decode(self) -> np.ndarray:
        head = self._head
        shape = (head.height, head.width, head.samples)
        try:
            with self._path.open("rb") as file:
                data = file.read(2 * head.height * head.width * head.samples * self.dtype.itemsize + _BESIDE)
            return self._made(np.asarray(self._decoder(data)).reshape(shape), data)
        except Exception as error:  # decoders raise what they like on damaged data
            told = " ".join(str(error).split())
            raise InputError(f"{self._path.name} cannot be decoded ({told}); it may be damaged.") from error

    def _made(self, pixels: np.ndarray, _data: bytes) -> np.ndarray:
        return over_white(pixels) if self._head.samples in (2, 4) else pixels

    def labels(self) -> Source:
        """As in `Source`."""
        return _Labels(self._path, self._head, self._decoder)


class _Labels(Picture):
    """A picture as a mask has it."""

    def _made(self, pixels: np.ndarray, data: bytes) -> np.ndarray:
        head = self._head
        clear = head.samples in (2, 4)
        values = _palette_numbers(data)[..., np.newaxis] if head.palette else pixels[..., : head.samples - clear]
        inside = (values != 0).any(axis=-1, keepdims=True)
        if clear:
            painted = pixels[..., -1:] != 0
            inside &= painted
            if not head.palette and not inside.any() and not painted.all():
                inside = painted  # black on nothing: what is painted is meant
        return np.broadcast_to(inside, self.shape).astype(self.dtype)


def read_picture(path: Path, kind: str) -> Contents:
    """Contents of a PNG or JPEG file (`kind`).

    µm/px is None always: the density in such a file is a screen's or a page's.

    Raises
    ------
    InputError
        When the file is truncated, damaged, too large for a format without tiles, or of inks.
    """
    from imagecodecs import jpeg8_decode

    decode = _png_pixels if kind == "PNG" else jpeg8_decode
    try:
        head = _png_head(path) if kind == "PNG" else _jpeg_head(path)
    except (struct.error, KeyError, IndexError) as error:
        raise InputError(f"{path.name} is no {kind} file that can be read; save it again.") from error
    check_size(path.name, head.height, head.width)
    needed = head.height * head.width * head.samples * (2 if head.bits == 16 else 1)
    if needed > PICTURE:
        raise InputError(
            f"{path.name} ({head.width} × {head.height} px) is too large for {kind}, which has no tiles: it needs "
            f"{needed / 1e6:.0f} MB at once, and at most {PICTURE / 1e6:.0f} MB are read; save it as a pyramidal TIFF."
        )
    told = [IGNORED_PROFILE.format(path.name)] if head.profile else []
    if 1 < head.orientation <= 8:
        told.append(TURNED.format(path.name, head.orientation))
    return Contents(
        format=kind,
        levels=[Picture(path, head, decode)],
        mpp=None,
        rgb=head.samples > 2,
        notices=tuple(told),
    )


def _png_pixels(data: bytes) -> Any:
    """Decode a PNG whose chunks are as they were written: of some damage the library only warns, on the terminal."""
    from imagecodecs import png_decode

    for kind, chunk in _png_chunks(data):
        if zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
            raise ValueError(f"the checksum of {kind.decode('latin1')} is wrong")
    return png_decode(data)


def _palette_numbers(data: bytes) -> Any:
    """Decode a PNG with a palette as greys, (h, w): of n bits the numbers of its colours times 255 / (2ⁿ - 1)."""
    from imagecodecs import png_decode

    header = bytearray(data[12:29])  # of IHDR the name and what it holds, which every PNG begins with
    header[13] = 0  # the colour type, behind the name, both sides and the bits
    pixels = b"".join(chunk for kind, chunk in _png_chunks(data) if kind in (b"IDAT", b"IEND"))
    return png_decode(data[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + pixels)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and bytes of each chunk, its length and checksum with it, up to IEND."""
    position, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        yield kind, memoryview(data)[position:end]
        position = end


def _png_head(path: Path) -> _Head:
    """Read a PNG's header, and refuse one whose chunks do not reach IEND; only their headers are read."""
    size = path.stat().st_size
    seen: set[bytes] = set()
    orientation = 1
    with path.open("rb") as file:
        file.seek(16)
        width, height, bits, colour = struct.unpack(">IIBB", file.read(10))
        position = 8
        while b"IEND" not in seen:
            file.seek(position)
            start = file.read(8)
            if len(start) < 8:
                raise truncated(path.name)
            length, kind = struct.unpack(">I4s", start)
            position += 12 + length
            if position > size:
                raise truncated(path.name)
            seen.add(kind)
            if kind == b"eXIf":
                orientation = _orientation(file.read(min(length, _EXIF_READ)))
    transparent = b"tRNS" in seen and colour in (0, 2, 3)
    if bits == 16 and transparent:
        raise InputError(f"{path.name} is a 16-bit PNG with one transparent colour; save it without transparency.")
    profile = b"iCCP" in seen
    return _Head(height, width, _SAMPLES[colour] + transparent, _BITS[bits], profile, orientation, colour == 3)


def _jpeg_head(path: Path) -> _Head:
    """Read a JPEG's frame header, and refuse one without its end marker; some writers add bytes after it."""
    with path.open("rb") as file:
        start = file.read(_HEAD)
        size = file.seek(0, 2)
        file.seek(max(0, size - 65536))
        if b"\xff\xd9" not in file.read():
            raise truncated(path.name)
    frame = jpeg_frame(start)
    if frame is None:
        raise InputError(f"{path.name} is no JPEG file that can be read: no picture begins in it; save it again.")
    bits, height, width, components = frame
    if bits != 8 or components not in (1, 3):
        what = "inks (CMYK)" if components == 4 else f"{components} components of {bits} bits"
        raise InputError(f"{path.name} stores its colours as {what}, which is not read; save it as 8-bit RGB.")
    _, mark, exif = start.partition(_EXIF)
    orientation = _orientation(exif[:_EXIF_READ]) if mark else 1
    return _Head(height, width, components, bits, b"ICC_PROFILE\0" in start, orientation)


def _orientation(exif: bytes) -> int:
    """Return how a picture is to be turned; 1, which is not at all, where its EXIF does not say it or is damaged."""
    order = ">" if exif[:2] == b"MM" else "<"
    try:
        (first,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, first)
        for number in range(count):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, first + 2 + 12 * number)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                return int(value)
    except struct.error:
        pass
    return 1
