"""One level of a TIFF file, decoded tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile

from diffuscope.errors import InputError
from diffuscope.scans.formats.tiff_checks import check_segments
from diffuscope.scans.source import CHUNK_SIDE, Cache, Source, over_white, paste

Page = tifffile.TiffPage | tifffile.TiffFrame

# PhotometricInterpretation
_GREY, _RGB, _YCBCR = 1, 2, 6
# ExtraSamples
_PREMULTIPLIED, _STRAIGHT = 1, 2


class TiffLevel(Source):
    """Pages of one size, one plane or more, as one (y, x, c) level.

    The file is opened anew for each read (about 20 µs): there is no shared position to lock and nothing to close.

    Parameters
    ----------
    pages : sequence of TiffPage or TiffFrame
        The planes in the order of their channels, each with one or more samples.
    cache : Cache
        Where decoded tiles are kept.
    name : str
        For messages.

    Raises
    ------
    InputError
        When the kind of image is not supported, or when not all its tiles are in the file.
    """

    def __init__(self, pages: Sequence[Page], cache: Cache, name: str) -> None:
        key = pages[0].keyframe
        assert key is not None  # tifffile: a page is its own, a frame always has one
        dtype = _check_kind(key, name)
        self._key = key
        # Built here because tifffile looks into the file for it, which is closed later.
        self._decoder = key.decode
        # Only Hamamatsu's files have one, and only JPEG decoders take it.
        self._header = {} if key.jpegheader is None else {"jpegheader": key.jpegheader}
        self._cache = cache
        self._name = name
        self._planes = []
        for page in pages:
            handle = page.parent.filehandle
            check_segments([page], handle.size, name)
            self._planes.append((Path(handle.path), page.dataoffsets, page.databytecounts, page.jpegtables))
        self._samples = key.samplesperpixel
        self._separate = key.planarconfig == 2 and self._samples > 1
        self._alpha = _alpha(key)
        height, width = key.imagelength, key.imagewidth
        # tifffile lists a contiguous page as one segment.
        whole = key.is_contiguous and len(pages[0].dataoffsets) == 1
        self._raw = whole
        if key.is_tiled and not whole:
            self._segment = (key.tilelength, key.tilewidth)
        else:
            # Of uncompressed pixels in one piece any rows can be read.
            self._segment = (1 if whole else min(key.rowsperstrip, height), width)
        # Thin strips are read several at a time.
        self._group = 1 if key.is_tiled and not whole else max(1, CHUNK_SIDE // 2 // self._segment[0])
        chunks = (self._segment[0] * self._group, self._segment[1])
        kept = _kept(self._samples, self._alpha, rgb=is_rgb(key))
        self._kept = kept
        self.dropped = self._samples - kept - (self._alpha is not None)
        super().__init__((height, width, kept * len(pages)), dtype, chunks)

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        out = np.empty((y1 - y0, x1 - x0, self.shape[2]), dtype=self.dtype)
        height, width = self._segment[0] * self._group, self._segment[1]
        for top in range(y0 // height * height, y1, height):
            for left in range(x0 // width * width, x1, width):
                piece = self._cache.get((id(self), top, left), partial(self._chunk, top, left))
                paste(out, piece, top - y0, left - x0)
        return out

    def channel(self, number: int, cache: Cache) -> Source:
        """As in `Source`: a channel with a plane of its own is read alone."""
        if self._kept != 1:
            return super().channel(number, cache)
        one = copy(self)
        one._planes, one._cache = [self._planes[number]], cache  # noqa: SLF001  a copy of its own
        one.shape = (*self.shape[:2], 1)
        return one

    def _chunk(self, top: int, left: int) -> np.ndarray:
        """One tile, or one group of strips, of all planes."""
        height = min(self._segment[0] * self._group, self.shape[0] - top)
        width = min(self._segment[1], self.shape[1] - left)
        out = np.empty((height, width, self.shape[2]), dtype=self.dtype)
        across = -(-self.shape[1] // self._segment[1])
        for number in range(len(self._planes)):
            if self._raw:
                pixels = self._rows(number, top, height)
            else:
                pixels = np.empty((height, width, self._samples), dtype=self.dtype)
                for offset in range(0, height, self._segment[0]):
                    index = (top + offset) // self._segment[0] * across + left // self._segment[1]
                    paste(pixels, self._decode(number, index), offset, 0)
            if self._alpha is not None:
                pixels = over_white(pixels[..., [*range(self._kept), -1]], premultiplied=self._alpha == _PREMULTIPLIED)
            out[..., number * self._kept : (number + 1) * self._kept] = pixels[..., : self._kept]
        return out

    def _decode(self, plane: int, index: int) -> np.ndarray:
        """Segment `index` of a plane with all its samples, (h, w, samples)."""
        path, offsets, counts, tables = self._planes[plane]
        try:
            with path.open("rb") as file:
                if not self._separate:
                    return self._segment_of(file, offsets[index], counts[index], index, tables)
                each = len(offsets) // self._samples
                numbers = [index + each * sample for sample in range(self._samples)]
                return np.concatenate(
                    [self._segment_of(file, offsets[n], counts[n], n, tables) for n in numbers], axis=2
                )
        except InputError:
            raise
        except Exception as error:  # decoders of a dozen compressions raise what they like on a damaged tile
            raise InputError(
                f"{self._name} has a tile that cannot be read ({type(error).__name__}); copy or download it again."
            ) from error

    def _rows(self, plane: int, top: int, height: int) -> np.ndarray:
        """Rows of a plane whose pixels lie uncompressed in one piece, (height, w, samples)."""
        path, offsets, _, _ = self._planes[plane]
        dtype = self.dtype.newbyteorder(self._key.parent.byteorder)
        width = self.shape[1]
        row = width * dtype.itemsize * (1 if self._separate else self._samples)
        pieces = []
        with path.open("rb") as file:
            for sample in range(self._samples if self._separate else 1):
                file.seek(offsets[0] + row * (sample * self.shape[0] + top))
                data = np.frombuffer(file.read(row * height), dtype=dtype)
                pieces.append(data.reshape(height, width, -1))
        return np.concatenate(pieces, axis=2)

    def _segment_of(self, file: BinaryIO, offset: int, count: int, index: int, tables: bytes | None) -> np.ndarray:
        if count == 0:
            # A tile that was never scanned: white is what glass looks like.
            fill = np.iinfo(self.dtype).max if is_rgb(self._key) else 0
            return np.full((*self._segment, 1 if self._separate else self._samples), fill, dtype=self.dtype)
        file.seek(offset)
        data, _, _ = self._decoder(file.read(count), index, jpegtables=tables, **self._header)
        return np.asarray(data)[0]


def is_rgb(page: tifffile.TiffPage) -> bool:
    """Whether the samples of a page are red, green and blue (however they are compressed)."""
    return page.photometric in (_RGB, _YCBCR) and page.samplesperpixel >= 3


def _check_kind(page: tifffile.TiffPage, name: str) -> np.dtype:
    if page.photometric not in (_GREY, _RGB, _YCBCR):
        kind = getattr(page.photometric, "name", str(page.photometric)).lower()
        raise InputError(f"{name} stores its colours as {kind}, which cannot be read; save it as RGB or greyscale.")
    if page.dtype is None or page.dtype.kind not in "uif" or page.bitspersample < 8:
        raise InputError(f"{name} has {page.bitspersample}-bit pixels; save it with 8 or 16 bits per channel.")
    if page.imagedepth > 1:
        raise InputError(f"{name} is a stack of {page.imagedepth} planes; save one plane as a file of its own.")
    return page.dtype


def _alpha(page: tifffile.TiffPage) -> int | None:
    """Kind of alpha channel, where the last sample is one."""
    extra = tuple(page.extrasamples)
    return int(extra[-1]) if extra and extra[-1] in (_PREMULTIPLIED, _STRAIGHT) else None


def _kept(samples: int, alpha: int | None, *, rgb: bool) -> int:
    """How many of a page's samples are channels; of a colour image only red, green and blue."""
    return 3 if rgb else samples - (alpha is not None)
