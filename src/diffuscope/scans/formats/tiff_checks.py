"""Whether what a TIFF holds can be read as it says: its tiles are there, its colours and compression are known ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tifffile

from diffuscope.errors import InputError
from diffuscope.scans.guards.codestreams import BOUNDED, PICTURES
from diffuscope.scans.guards.sizes import check_piece, check_size
from diffuscope.scans.guards.tiff_directories import truncated

Page = tifffile.TiffPage | tifffile.TiffFrame

# PhotometricInterpretation
WHITE_IS_ZERO, GREY, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
_SAVED = "save it as RGB or greyscale"


def is_rgb(page: tifffile.TiffPage) -> bool:
    """Whether the samples of a page are red, green and blue, or become that (however they are stored)."""
    return page.photometric == PALETTE or (page.photometric in (RGB, YCBCR) and page.samplesperpixel >= 3)


def check_kind(page: tifffile.TiffPage, name: str) -> np.dtype:
    """Refuse a kind of image that would be read wrongly, or for which no memory would do.

    Returns
    -------
    numpy.dtype
        Of the values as they are stored.

    Raises
    ------
    InputError
        One sentence on what it is.
    """
    check_size(name, page.imagelength, page.imagewidth)
    if page.imagedepth > 1:
        raise InputError(f"{name} is a stack of {page.imagedepth} planes; save one plane as a file of its own.")
    _check_bits(page, name)
    _check_colours(page, name)
    if page.compression not in BOUNDED | PICTURES:
        kind = getattr(page.compression, "name", str(page.compression))
        raise InputError(f"{name} is compressed as {kind}, which is not read; save it with LZW, Deflate or JPEG.")
    assert page.dtype is not None  # _check_bits refuses a page without
    if not is_raw(page):
        samples = page.samplesperpixel
        shape = (page.tilelength, page.tilewidth) if page.is_tiled else (_rows(page), page.imagewidth)
        check_piece(name, (*shape, samples), page.dtype.itemsize, "tile" if page.is_tiled else "strip")
    return page.dtype


def is_raw(page: Page) -> bool:
    """Whether all pixels of a page lie as they are, in one piece, so that any rows can be read."""
    key = page.keyframe
    assert key is not None  # tifffile: a page is its own, a frame always has one
    as_they_are = key.is_contiguous and key.fillorder == 1 and not key.is_subsampled
    return bool(as_they_are and len(page.dataoffsets) == 1 and page.databytecounts[0] > 0)


def _rows(page: tifffile.TiffPage) -> int:
    return min(page.rowsperstrip, page.imagelength)


def _check_bits(page: tifffile.TiffPage, name: str) -> None:
    bits = page.bitspersample
    if isinstance(bits, tuple):
        raise InputError(f"{name} has channels of {', '.join(map(str, bits))} bits; save it with 8 or 16 bits each.")
    if page.dtype is None or page.dtype.kind not in "uif" or bits < 8:
        raise InputError(f"{name} has {bits}-bit pixels; save it with 8 or 16 bits per channel.")
    if page.photometric not in (GREY, RGB) and page.dtype.kind != "u":
        raise InputError(f"{name} has colours or inverted greys as signed or floating-point numbers; {_SAVED}.")
    if is_rgb(page) and (page.dtype.kind != "u" or bits not in (8, 16)):
        kind = {"u": "whole", "i": "signed", "f": "floating-point"}[page.dtype.kind]
        raise InputError(
            f"{name} has colours as {kind} numbers of {bits} bits, of which nobody says what is white; save it as RGB "
            "of 8 bits, or its channels as greyscale."
        )


def _check_colours(page: tifffile.TiffPage, name: str) -> None:
    if page.photometric not in (WHITE_IS_ZERO, GREY, RGB, PALETTE, YCBCR):
        kind = {5: "inks (CMYK)", 8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*"}.get(
            page.photometric, getattr(page.photometric, "name", str(page.photometric)).lower()
        )
        raise InputError(f"{name} stores its colours as {kind}, which cannot be read; {_SAVED}.")
    if page.photometric == YCBCR and (page.samplesperpixel != 3 or page.bitspersample != 8):
        raise InputError(
            f"{name} stores YCbCr in {page.samplesperpixel} samples of {page.bitspersample} bits, which is not read; "
            f"{_SAVED}."
        )
    if page.photometric == PALETTE:
        table = None if page.bitspersample != 8 or page.samplesperpixel != 1 else page.colormap
        if table is None or table.shape != (3, 256):
            raise InputError(f"{name} has a palette that is none of 256 colours, which is not read; {_SAVED}.")


def check_segments(pages: Iterable[Page], name: str) -> None:
    """Refuse a page whose tiles or strips are not all there.

    Raises
    ------
    InputError
        When a tile reaches beyond the file's end, or when the page lists too few.
    """
    for page in pages:
        size = page.parent.filehandle.size
        offsets, counts = (np.asarray(numbers, np.uint64) for numbers in (page.dataoffsets, page.databytecounts))
        listed = min(len(offsets), len(counts))
        # In numbers that cannot wrap round.
        if listed and (offsets[:listed] > size - np.minimum(counts[:listed], size)).any():
            raise truncated(name)
        if (counts[:listed] > size).any():
            raise truncated(name)
        expected = 1
        for sides in page.chunked:
            expected *= sides
        if is_raw(page):
            # A contiguous page is listed as one segment, however many strips it is made of, and read row by row.
            if int(offsets[0]) + page.nbytes > size:
                raise truncated(name)
        elif not len(offsets) == len(counts) >= expected:
            raise InputError(f"{name} is damaged: it lists {len(offsets)} of the {expected} tiles of an image.")
