"""Whether a TIFF file is whole: every directory, tag value and tile must lie inside it."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import tifffile

from diffuscope.errors import InputError


def truncated(name: str) -> InputError:
    """The error for a file that ends too early."""
    return InputError(f"{name} is truncated: it ends before its last tile; copy or download it again.")


def check_directories(tif: tifffile.TiffFile, name: str) -> None:
    """Walk all directories (IFDs and SubIFDs) and refuse a file that ends before one of them or its tag values.

    tifffile itself stops at the first directory that is missing and shows the rest, so that a truncated file would
    open with fewer levels.

    Raises
    ------
    InputError
        When the file is truncated.
    """
    size = tif.filehandle.size
    todo = [_unpack(tif, tif.tiff.offsetformat, 8 if tif.tiff.offsetsize == 8 else 4, name)]
    seen = set()
    while todo:
        offset = todo.pop()
        if offset == 0 or offset in seen:
            continue
        seen.add(offset)
        if offset >= size:
            raise truncated(name)
        tags = _unpack(tif, tif.tiff.tagnoformat, offset, name)
        start = offset + tif.tiff.tagnosize
        for position in range(start, start + tags * tif.tiff.tagsize, tif.tiff.tagsize):
            todo += _check_tag(tif, position, size, name)
        todo.append(_unpack(tif, tif.tiff.offsetformat, start + tags * tif.tiff.tagsize, name))


def _check_tag(tif: tifffile.TiffFile, position: int, size: int, name: str) -> list[int]:
    """Check one tag's value and return the offsets in it when it is the SubIFDs tag."""
    order, width = tif.byteorder, tif.tiff.offsetsize
    code = _unpack(tif, order + "H", position, name)
    kind = _unpack(tif, order + "H", position + 2, name)
    count = _unpack(tif, tif.tiff.offsetformat, position + 4, name)
    if kind not in tifffile.TIFF.DATA_FORMATS:
        return []
    length = count * struct.calcsize("=" + tifffile.TIFF.DATA_FORMATS[kind])
    place = position + 4 + width
    if length > width:
        place = _unpack(tif, tif.tiff.offsetformat, place, name)
        if place + length > size:
            raise truncated(name)
    if code != 330:  # SubIFDs
        return []
    each = length // max(count, 1)
    return [_unpack(tif, order + ("Q" if each == 8 else "I"), place + each * i, name) for i in range(count)]


def _unpack(tif: tifffile.TiffFile, form: str, offset: int, name: str) -> int:
    length = struct.calcsize(form)
    tif.filehandle.seek(offset)
    data = tif.filehandle.read(length)
    if len(data) < length:
        raise truncated(name)
    return int(struct.unpack(form, data)[0])


def check_segments(pages: Iterable[tifffile.TiffPage | tifffile.TiffFrame], size: int, name: str) -> None:
    """Refuse a page whose tiles or strips are not all there.

    Raises
    ------
    InputError
        When a tile reaches beyond `size`, the file's length in bytes, or when the page lists too few.
    """
    for page in pages:
        offsets, counts = page.dataoffsets, page.databytecounts
        if any(offset + count > size for offset, count in zip(offsets, counts, strict=False)):
            raise truncated(name)
        expected = 1
        for sides in page.chunked:
            expected *= sides
        # A contiguous page is listed as one segment, however many strips it is made of.
        if not page.is_contiguous and not len(offsets) == len(counts) >= expected:
            raise InputError(f"{name} is damaged: it lists {len(offsets)} of the {expected} tiles of an image.")
