"""One slice of a series: what its header says of its place and its values, checked file by file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.header import Header, signed

# Cosines are written with six digits and more; what is further off is no direction.
_COSINE = 1e-3
# No scanner makes a larger slice.
_LARGEST = 8192
# Nor are values further apart, or further from nought.
_STEEPEST = 1e12
#: Whose values have a meaning of their own, whatever is shown as white.
QUANTITIES = ("CT", "PT")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """How a file keeps its pixels.

    Attributes
    ----------
    syntax : str
        UID of the transfer syntax; empty where the file does not say, and then its pixels are not compressed.
    allocated, bits, high : int
        Bits of a pixel, those of them that are its value, and the highest of these, from 0.
    is_signed : bool
        Whether the highest is the sign.
    padding : tuple of int or None
        Lowest and highest number that marks a pixel where nothing was measured.
    """

    syntax: str
    allocated: int
    bits: int
    high: int
    is_signed: bool
    padding: tuple[int, int] | None

    @property
    def range(self) -> tuple[int, int]:
        """Lowest and highest number that fits."""
        return (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.is_signed else (0, 2**self.bits - 1)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One image of a series.

    Attributes
    ----------
    path : Path
        Of its file.
    instance : str
        SOPInstanceUID; empty where the file does not say.
    frame : str
        FrameOfReferenceUID, likewise.
    shape : tuple of int
        Rows and columns.
    corner : tuple of float
        Centre of the first pixel, LPS (x, y, z) mm.
    along : tuple of float
        Direction in which columns count up, then that of rows, LPS.
    spacing : tuple of float
        Distance of rows, then of columns, mm.
    thickness : float or None
        Of the slice, mm.
    slope, intercept : float or None
        From stored numbers to values; None where the file does not say.
    unit : str
        Of the values, as the file says.
    stored : Stored
        How its pixels lie in the file.
    """

    path: Path
    instance: str
    frame: str
    shape: tuple[int, int]
    corner: tuple[float, ...]
    along: tuple[float, ...]
    spacing: tuple[float, ...]
    thickness: float | None
    slope: float | None
    intercept: float | None
    unit: str
    stored: Stored

    @property
    def rescaling(self) -> tuple[float, float]:
        """Slope and intercept; 1 and 0 where the file has none."""
        return (1.0 if self.slope is None else self.slope, 0.0 if self.intercept is None else self.intercept)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """`along` as (2, 3)."""
        return np.array(self.along).reshape(2, 3)


def read_slice(header: Header) -> Slice:
    """Check what a header says of its slice.

    Raises
    ------
    InputError
        Something that must be known is not there, empty, no number, or makes no sense; the pixels are colours, or are
        mapped by a table.
    """
    name, modality = header.path.name, header.text("Modality")
    if header.whole("SamplesPerPixel", 1, 4) > 1:
        raise InputError(f"{name} is a colour image, which no volume model reads: keep the slices alone.")
    shown = header.text("PhotometricInterpretation")
    if not shown:
        raise header.without("PhotometricInterpretation")
    if shown not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(f"{name} is stored as {shown}, not as grey values: keep the slices alone.")
    if shown == "MONOCHROME1" and modality not in QUANTITIES:
        raise InputError(f"{name} is stored inverted (MONOCHROME1: low is bright): convert the series to MONOCHROME2.")
    if header.has("ModalityLUTSequence"):
        raise InputError(f"{name} maps its values by a table (ModalityLUTSequence), which is not read.")
    rows, columns = header.whole("Rows", 1, _LARGEST), header.whole("Columns", 1, _LARGEST)
    return Slice(
        path=header.path,
        instance=header.text("SOPInstanceUID"),
        frame=header.text("FrameOfReferenceUID"),
        shape=(rows, columns),
        corner=header.needed("ImagePositionPatient", 3),
        along=_directions(header),
        spacing=_spacing(header),
        thickness=_positive(header, "SliceThickness"),
        **_rescaling(header),
        unit=header.text("RescaleType"),
        stored=_stored(header),
    )


def _directions(header: Header) -> tuple[float, ...]:
    along = header.needed("ImageOrientationPatient", 6)
    products = np.array(along).reshape(2, 3) @ np.array(along).reshape(2, 3).T
    if np.abs(products - np.eye(2)).max() > _COSINE:
        raise InputError(
            f"{header.path.name} has no two directions at a right angle in its ImageOrientationPatient: export the "
            "series again."
        )
    return along


def _spacing(header: Header) -> tuple[float, ...]:
    spacing = header.numbers("PixelSpacing", 2)
    if spacing is None:
        raise header.without("PixelSpacing")
    if min(spacing) <= 0:
        raise InputError(
            f"{header.path.name} has a PixelSpacing of {spacing[0]:g} x {spacing[1]:g} mm: export it again."
        )
    return spacing


def _positive(header: Header, tag: str) -> float | None:
    """Return a length; None where the file does not say, which a length of zero means as well."""
    length = header.number(tag)
    if length is not None and length < 0:
        raise InputError(f"{header.path.name} has a {tag} of {length:g} mm: export the series again.")
    return length or None


def _rescaling(header: Header) -> dict[str, float | None]:
    found = {"slope": header.number("RescaleSlope"), "intercept": header.number("RescaleIntercept")}
    is_ct = header.text("Modality") == "CT"
    for tag, key in (("RescaleSlope", "slope"), ("RescaleIntercept", "intercept")):
        if found[key] is None and (is_ct or any(number is not None for number in found.values())):
            why = "without which a CT is not in HU" if is_ct else "but says the other number by which it is rescaled"
            raise InputError(f"{header.path.name} does not say its {tag}, {why}: export the series again.")
    for tag, key in (("RescaleSlope", "slope"), ("RescaleIntercept", "intercept")):
        if abs(found[key] or 0) > _STEEPEST:
            raise InputError(f"{header.path.name} has a {tag} of {found[key]:g}, which no scanner writes.")
    if found["slope"] == 0:
        raise InputError(f"{header.path.name} has a RescaleSlope of 0, which makes all values one: export it again.")
    return found


def _stored(header: Header) -> Stored:
    allocated = header.whole("BitsAllocated", 1, 64)
    if allocated not in (8, 16, 32):
        raise InputError(f"{header.path.name} has {allocated} bits a pixel (BitsAllocated); 8, 16 and 32 are read.")
    bits = header.whole("BitsStored", 1, allocated)
    high = header.whole("HighBit", bits - 1, allocated - 1)
    is_signed = bool(header.whole("PixelRepresentation", 0, 1))
    first = signed(header, "PixelPaddingValue", is_signed=is_signed)
    other = signed(header, "PixelPaddingRangeLimit", is_signed=is_signed)
    other = first if other is None else other
    padding = None if first is None or other is None else (min(first, other), max(first, other))
    return Stored(syntax=header.syntax, allocated=allocated, bits=bits, high=high, is_signed=is_signed, padding=padding)
