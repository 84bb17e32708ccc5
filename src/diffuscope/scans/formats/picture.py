"""PNG and JPEG: one level, decoded as a whole on first use."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import numpy as np
from PIL import Image

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.guards.tiff_directories import truncated
from diffuscope.scans.source import CHUNK_SIDE, Source, over_white

_SIXTEEN_BIT = {0: "grey", 2: "rgb", 4: "grey+alpha", 6: "rgb+alpha"}


class Picture(Source):
    """A PNG or JPEG file; these formats have no tiles, so the first window read decodes all of it."""

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: str, mode: str | None) -> None:
        super().__init__(shape, dtype, (CHUNK_SIDE, CHUNK_SIDE))
        self._path = path
        self._mode = mode
        self._pixels: np.ndarray | None = None
        self._lock = threading.Lock()

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        """As in `Source`."""
        with self._lock:
            if self._pixels is None:
                self._pixels = self._decode()
        return self._pixels[y0:y1, x0:x1].copy()  # nobody may change the one that is kept

    def _decode(self) -> np.ndarray:
        try:
            if self._mode is None:
                # Pillow would reduce 16-bit colour to 8 bits without a word.
                from imagecodecs import png_decode

                pixels = png_decode(self._path.read_bytes())
            else:
                with Image.open(self._path) as image:
                    pixels = np.asarray(image.convert(self._mode))
        except Exception as error:  # decoders raise SyntaxError, OSError, their own … on damaged data
            raise InputError(f"{self._path.name} cannot be decoded ({error}); it may be damaged.") from error
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        return over_white(pixels) if pixels.shape[2] in (2, 4) else pixels


def read_picture(path: Path, kind: str) -> Contents:
    """Contents of a PNG or JPEG file (`kind`).

    µm/px is None always: the density in such a file is a screen's or a page's.

    Raises
    ------
    InputError
        When the file is truncated, damaged or too large for its format.
    """
    if kind == "PNG":
        _check_png(path)
    else:
        _check_jpeg(path)
    try:
        with Image.open(path) as image:
            width, height = image.size
            mode, transparent = image.mode, "transparency" in image.info
    except Image.DecompressionBombError:
        raise InputError(f"{path.name} is too large for {kind}; save it as a pyramidal TIFF.") from None
    except OSError as error:
        raise InputError(f"{path.name} is no {kind} file that can be read ({error}).") from error
    sixteen = kind == "PNG" and _sixteen_bit(path)
    grey = mode in ("1", "L", "LA", "La", "I", "I;16", "I;16B") and not (sixteen and sixteen.startswith("rgb"))
    alpha = "A" if transparent or mode in ("LA", "RGBA", "PA") else ""
    if sixteen and transparent and not sixteen.endswith("alpha"):
        raise InputError(f"{path.name} is a 16-bit PNG with one transparent colour; save it without transparency.")
    level = Picture(
        path,
        (height, width, 1 if grey else 3),
        "uint16" if sixteen else "uint8",
        None if sixteen else ("L" if grey else "RGB") + alpha,
    )
    return Contents(format=kind, levels=[level], mpp=None, rgb=not grey)


def _sixteen_bit(path: Path) -> str | None:
    """What a 16-bit PNG holds; None for 8 bits and fewer."""
    with path.open("rb") as file:
        header = file.read(26)
    return _SIXTEEN_BIT.get(header[25]) if header[24] == 16 else None


def _check_png(path: Path) -> None:
    """Refuse a PNG whose chunks do not reach IEND; only their headers are read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 8
        while True:
            file.seek(position)
            head = file.read(8)
            if len(head) < 8:
                raise truncated(path.name)
            length, kind = struct.unpack(">I4s", head)
            position += 12 + length
            if position > size:
                raise truncated(path.name)
            if kind == b"IEND":
                return


def _check_jpeg(path: Path) -> None:
    """Refuse a JPEG without its end marker; some writers add bytes after it."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 65536))
        if b"\xff\xd9" not in file.read():
            raise truncated(path.name)
