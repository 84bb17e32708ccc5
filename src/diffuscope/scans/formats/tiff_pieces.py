"""The tiles and strips of a TIFF as they are stored: read, looked at, unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.tiff_checks import Page, check_segments, is_raw
from diffuscope.scans.formats.tiff_colour import subsampling_of, unpack_units, ycbcr_to_rgb
from diffuscope.scans.guards.codestreams import (
    APERIO_YCBCR,
    JPEG,
    JPEG_2000,
    PICTURES,
    jpeg_2000_size,
    mixes_components,
    values_of,
)
from diffuscope.scans.guards.sizes import PIECE

_YCBCR = 6
_LEAST_BITS_FIRST = 2


@dataclass(frozen=True, eq=False)
class Plane:
    """Where the pieces of one plane of a page lie.

    Attributes
    ----------
    path : Path
        Of the file, which is opened anew for each piece: no shared position to lock, and nothing to close.
    offsets, counts : ndarray of uint64
        Of each piece, bytes. A count of 0 is a piece that was never written.
    tables : bytes or None
        Of JPEG, shared by all pieces.
    """

    path: Path
    offsets: NDArray[np.uint64]
    counts: NDArray[np.uint64]
    tables: bytes | None


def plane_of(page: Page, name: str) -> Plane:
    """Return where the pieces of a page lie.

    Raises
    ------
    InputError
        When not all of them are in the file.
    """
    check_segments([page], name)
    offsets, counts = (np.asarray(numbers, np.uint64) for numbers in (page.dataoffsets, page.databytecounts))
    return Plane(Path(page.parent.filehandle.path), offsets, counts, page.jpegtables)


class Pieces:
    """What unpacks the pieces of pages that are all of one kind.

    Attributes
    ----------
    shape : tuple of int
        (height, width) of a piece, px; the last ones of strips are lower.
    is_raw : bool
        Whether all lies in one piece as it is, of which any rows can be read.
    """

    def __init__(self, page: tifffile.TiffPage, name: str, dtype: np.dtype) -> None:
        self._name = name
        # Built here because tifffile looks into the file for it, which is closed later.
        self._decoder = page.decode
        # Only Hamamatsu's files have one, and only JPEG decoders take it.
        self._header = {} if page.jpegheader is None else {"jpegheader": page.jpegheader}
        self._compression = int(page.compression)
        self._samples = page.samplesperpixel
        self._separate = page.planarconfig == 2 and self._samples > 1
        self._stored = dtype.newbyteorder(page.parent.byteorder)
        self._dtype = dtype
        self._subsampling = subsampling_of(page)
        self._is_turned = page.fillorder == _LEAST_BITS_FIRST
        self._is_ycbcr = page.photometric == _YCBCR or self._compression == APERIO_YCBCR
        self._height, self._width = page.imagelength, page.imagewidth
        self.is_raw = is_raw(page)
        if self.is_raw:
            self.shape = (1, self._width)
        elif page.is_tiled:
            self.shape = (page.tilelength, page.tilewidth)
        else:
            self.shape = (min(page.rowsperstrip, self._height), self._width)

    def is_there(self, plane: Plane) -> NDArray[np.bool_]:
        """Return which pieces were written, (rows, columns) of a grid that may lack its last ones."""
        down, across = (-(-side // piece) for side, piece in zip((self._height, self._width), self.shape, strict=True))
        if self.is_raw:
            return np.ones((down, across), bool)
        counts = plane.counts[: down * across * (self._samples if self._separate else 1)]
        return np.asarray((counts.reshape(-1, down, across) > 0).any(axis=0))

    def read(self, plane: Plane, index: int) -> NDArray[np.generic] | None:
        """Return piece `index` with all its samples, (h, w, samples); None where it was never written.

        Raises
        ------
        InputError
            It cannot be unpacked, or is another picture than the file says.
        """
        numbers = [index]
        if self._separate:
            each = len(plane.offsets) // self._samples
            numbers = [index + each * sample for sample in range(self._samples)]
        if not plane.counts[numbers].any():
            return None
        with plane.path.open("rb") as file:
            try:
                parts = [self._piece(file, plane, number) for number in numbers]
                pixels = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
            except InputError:
                raise
            except Exception as error:  # decoders of a dozen compressions raise what they like on a damaged tile
                raise self._damaged(type(error).__name__) from error
        height, width = self._needed(index)
        if pixels.ndim != 3 or pixels.shape[0] < height or pixels.shape[1] < width or pixels.shape[2] != self._samples:
            raise self._damaged("it is of another size")
        return pixels

    def _needed(self, index: int) -> tuple[int, int]:
        """Return the (height, width) of a piece that lies on the image."""
        height, width = self.shape
        row, column = divmod(index, -(-self._width // width))
        return min(height, self._height - row * height), min(width, self._width - column * width)

    def rows(self, plane: Plane, top: int, height: int) -> NDArray[np.generic]:
        """Return rows of a plane that lies as it is, in one piece, (height, width, samples).

        Raises
        ------
        InputError
            The file has become shorter since it was opened.
        """
        row = self._width * self._dtype.itemsize * (1 if self._separate else self._samples)
        pieces = []
        with plane.path.open("rb") as file:
            for sample in range(self._samples if self._separate else 1):
                file.seek(int(plane.offsets[0]) + row * (sample * self._height + top))
                data = file.read(row * height)
                if len(data) < row * height:
                    raise self._damaged("its end is missing")
                pieces.append(np.frombuffer(data, self._stored).reshape(height, self._width, -1))
        return np.concatenate(pieces, axis=2)

    def _piece(self, file: BinaryIO, plane: Plane, number: int) -> NDArray[np.generic]:
        count = int(plane.counts[number])
        if count > 2 * PIECE:
            raise self._damaged(f"{count / 1e6:.0f} MB in one piece")
        file.seek(int(plane.offsets[number]))
        data = file.read(count)
        if self._compression in PICTURES and not self._header:
            self._check_picture(data)
        if self._subsampling != (1, 1):
            return self._units(data, number)
        if self._is_ycbcr and self._compression in JPEG_2000:
            # tifffile takes none whose px share a colour.
            return _from_jpeg_2000(tifffile.TIFF.DECOMPRESSORS[self._compression](data), data)
        pixels, _, _ = self._decoder(data, number, jpegtables=plane.tables, **self._header)
        return np.asarray(pixels)[0]

    def _check_picture(self, data: bytes) -> None:
        values = values_of(self._compression, data)
        if values is None or values * self._dtype.itemsize > PIECE:
            raise self._damaged("no picture" if values is None else f"a picture of {values} values")
        # libjpeg fills up with grey what is not there, and says nothing.
        if self._compression in JPEG and data.rfind(b"\xff\xd9") < 0:
            raise self._damaged("its end is missing")

    def _units(self, data: bytes, number: int) -> NDArray[np.uint8]:
        height, width = self.shape
        across, down = self._subsampling
        rows = -(-height // down)
        size = rows * -(-width // across) * (across * down + 2)
        if self._is_turned:
            from imagecodecs import bitorder_decode  # takes 0.1 s to import, for the rarest of files

            data = bytes(bitorder_decode(data))
        if self._compression != 1:
            data = bytes(tifffile.TIFF.DECOMPRESSORS[self._compression](data, out=size))
        strips = -(-self._height // height)
        if width == self._width and number % strips == strips - 1:
            # The last strip may be lower than the others, or filled up to their height.
            height = min(height, self._height - (strips - 1) * height)
        return unpack_units(data, height, width, self._subsampling)

    def _damaged(self, why: str) -> InputError:
        return InputError(f"{self._name} has a tile that cannot be read ({why}); copy or download it again.")


def _from_jpeg_2000(pixels: NDArray[np.generic], data: bytes) -> NDArray[np.generic]:
    """Return RGB of what a JPEG 2000 of YCbCr unpacks to: its decoder converts it only where px share a colour."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError("no colours")
    size = jpeg_2000_size(data)
    if mixes_components(data) or (size is not None and len(set(size[2])) > 1):
        return pixels
    return ycbcr_to_rgb(pixels)
