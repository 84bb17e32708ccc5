"""Pictures that are one picture: hashes of thumbnails, alike under any turn, flip, file format or rescaling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diffuscope.scans import Scan, read_region

# Side of the thumbnail whose neighbouring px are compared: 2 · 16 · 17 bits.
_SIDE = 17
_READ = 256
# A thumbnail whose neighbouring px mostly differ by less (grey levels) is glass: noise decides its bits.
_FLAT = 1.0

ALIKE = 0.1
"""Share of bits in which two hashes of one picture may differ; those of two fields differ in about half of theirs."""


def hashes(scan: Scan) -> NDArray[np.uint8] | None:
    """Hash a picture's thumbnail, whichever way round: each bit says which of two neighbouring px is brighter.

    Parameters
    ----------
    scan : Scan
        Any picture.

    Returns
    -------
    ndarray of shape (8, 68), or None
        uint8, one row a turn and flip, the picture as it is first; None where the thumbnail shows nothing.
    """
    factor = max(max(scan.shape) / _READ, 1.0)
    height, width = (max(int(side / factor), 1) for side in scan.shape)
    grey = read_region(scan, y=0, x=0, height=height, width=width, factor=factor).mean(axis=2, dtype=np.float32)
    thumbnail = np.asarray(Image.fromarray(grey).resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    if scan.dtype.kind in "ui":
        thumbnail *= 255 / np.iinfo(scan.dtype).max
    if np.median(np.abs(np.diff(thumbnail))) < _FLAT:
        return None
    return np.stack([_bits(np.rot90(way, turn)) for way in (thumbnail, thumbnail.T) for turn in range(4)])


def alike(first: NDArray[np.uint8], many: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which pictures are one and the same as the first.

    Parameters
    ----------
    first : ndarray of shape (8, 68)
        From `hashes`.
    many : ndarray of shape (n, 68)
        The first rows of other pictures' hashes.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    apart = np.stack([np.bitwise_count(way ^ many).sum(axis=1) for way in first]).min(axis=0)
    return np.asarray(apart <= ALIKE * 2 * _SIDE * (_SIDE - 1))


def _bits(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.packbits(np.concatenate([(np.diff(image, axis=axis) > 0).ravel() for axis in (0, 1)]))
