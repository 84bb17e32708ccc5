"""Mask: labels on the lattice of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Mask:
    """Labels, one byte a pixel, on the lattice of a raster; a system gets them as uint8.

    Attributes
    ----------
    name, key : str
        As of `Raster`.
    on : str
        Key of the raster on whose lattice it lies.
    roles : tuple of str
        What the labels 1, 2, … are, e.g. ``("tumour", "node")``; 0 is what is none of them.
    required : bool
        Whether a system cannot do without.
    """

    kind: ClassVar[str] = "mask"
    name: str
    key: str
    on: str
    roles: tuple[str, ...]
    required: bool = True
