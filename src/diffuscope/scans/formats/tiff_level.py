"""One level of a TIFF file, decoded tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property, partial

import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans.formats.tiff_checks import Page, check_kind, is_rgb
from diffuscope.scans.formats.tiff_colour import alpha_of, channels_of, check_subsampling, converter, label_converter
from diffuscope.scans.formats.tiff_pieces import Pieces, plane_of
from diffuscope.scans.guards.sizes import check_piece, check_planes
from diffuscope.scans.source import CHUNK_SIDE, Blank, Cache, Source, paste

# Thin strips are read several at a time, up to so many bytes.
_GROUP = 2**25


class TiffLevel(Source):
    """Pages of one size, one plane or more, as one (y, x, c) level.

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
        stored = check_kind(key, name)
        check_subsampling(key, name)
        self._kept = kept = channels_of(key)
        check_planes(name, kept * len(pages))
        self._convert, self._convert_labels = converter(key, name), label_converter(key)
        self._planes = [plane_of(page, name) for page in pages]
        self._pieces = Pieces(key, name, stored.newbyteorder("="))
        if not self._pieces.is_raw and len({len(plane.offsets) for plane in self._planes}) > 1:
            raise InputError(f"{name} is damaged: its channels are not of the same number of tiles; copy it again.")
        self._cache = cache
        height, width = key.imagelength, key.imagewidth
        rows, columns = self._pieces.shape
        # Of uncompressed pixels in one piece any rows can be read, of strips whole ones.
        row = columns * stored.itemsize * key.samplesperpixel * len(pages)
        several = max(1, min(CHUNK_SIDE // 2, _GROUP // row) // rows)
        self._group = several if columns == width and not (key.is_tiled and not self._pieces.is_raw) else 1
        check_piece(name, (rows * self._group, columns, kept * len(pages)), stored.itemsize, "tile")
        # A tile that was never scanned: white is what glass looks like.
        white = is_rgb(key) or alpha_of(key) is not None
        self._empty = (float(np.iinfo(stored).max) if stored.kind in "ui" else 1.0) if white else 0.0
        self.dropped = max(0, key.samplesperpixel - kept - (alpha_of(key) is not None))
        dtype = np.uint8 if is_rgb(key) and stored.itemsize == 1 else stored
        super().__init__((height, width, kept * len(pages)), dtype, (rows * self._group, columns))

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        out = np.empty((y1 - y0, x1 - x0, self.shape[2]), dtype=self.dtype)
        height, width = self._pieces.shape[0] * self._group, self._pieces.shape[1]
        for top in range(y0 // height * height, y1, height):
            for left in range(x0 // width * width, x1, width):
                piece = self._cache.get((id(self), top, left), partial(self._chunk, top, left))
                paste(out, piece, top - y0, left - x0)
        return out

    def blank(self, y0: int, y1: int, x0: int, x1: int) -> float | None:
        """As in `Source`: pieces that were never written."""
        return self._empty if self._blank.is_blank(y0, y1, x0, x1) else None

    def channel(self, number: int, cache: Cache) -> Source:
        """As in `Source`: a channel with a plane of its own is read alone."""
        if self._kept != 1:
            return super().channel(number, cache)
        one = copy(self)
        one._planes, one._cache = [self._planes[number]], cache  # noqa: SLF001  a copy of its own
        one.__dict__.pop("_blank", None)
        one.shape = (*self.shape[:2], 1)
        return one

    def labels(self) -> Source:
        """As in `Source`; of a tile that was never written nothing is inside."""
        one = copy(self)
        one._convert, one._cache, one._empty = self._convert_labels or self._convert, Cache(), 0.0  # noqa: SLF001
        return one

    @cached_property
    def _blank(self) -> Blank:
        there = np.logical_or.reduce([self._pieces.is_there(plane) for plane in self._planes])
        return Blank(there, self._pieces.shape)

    def _chunk(self, top: int, left: int) -> np.ndarray:
        """One tile, or one group of strips, of all planes."""
        rows, columns = self._pieces.shape
        height = min(rows * self._group, self.shape[0] - top)
        width = min(columns, self.shape[1] - left)
        out = np.full((height, width, self.shape[2]), self._empty, dtype=self.dtype)
        across = -(-self.shape[1] // columns)
        for number, plane in enumerate(self._planes):
            part = out[..., number * self._kept : (number + 1) * self._kept]
            if self._pieces.is_raw:
                part[...] = self._convert(self._pieces.rows(plane, top, height))
                continue
            for offset in range(0, height, rows):
                index = (top + offset) // rows * across + left // columns
                stored = self._pieces.read(plane, index)
                if stored is not None:
                    paste(part, self._convert(stored), offset, 0)
        return out
