"""Elements of a DICOM header as checked values: what is empty, of the wrong kind or no number is one sentence."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.files import quiet, read_elements

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataelem import DataElement, RawDataElement
    from pydicom.tag import BaseTag

#: What is read of every file of a folder. Nothing behind the last is looked at, so that a structure set whose
#: outlines are damaged still says what it is.
TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "DerivationDescription",
    "SeriesDescription",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "FrameOfReferenceUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "ModalityLUTSequence",
)

# Kinds of values by their two letters; all others are no text and no number.
_TEXT = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
_BINARY = {"US": "H", "SS": "h", "US or SS": "H", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
# As a sentence quotes what stands in a file.
_QUOTED, _LONGEST = 24, 64


@dataclass(frozen=True, eq=False)
class Header:
    """The header of one file.

    Attributes
    ----------
    path : Path
        Of the file.
    elements : pydicom.Dataset
        Not yet decoded.
    syntax : str
        UID of the transfer syntax; empty where the file does not say.
    """

    path: Path
    elements: Dataset
    syntax: str

    def has(self, tag: str) -> bool:
        """Whether an element is there and not empty."""
        return bool(self.parts(tag))

    def text(self, tag: str) -> str:
        """Return an element as text, of several values the first; empty where it is not there, or no text."""
        try:
            parts = self.parts(tag)
        except InputError:
            return ""
        return printable(str(parts[0])) if parts else ""

    def prose(self, tag: str) -> str:
        """Return an element as text of any length, not to be shown; empty where it is not there, or no text."""
        try:
            return "\\".join(map(str, self.parts(tag)))
        except InputError:
            return ""

    def words(self, tag: str) -> str:
        """Return an element as text in the file's character set; empty where it is not there, or no text."""
        with quiet():
            try:
                return printable(str(self.elements.get(tag) or ""))
            except Exception:  # noqa: BLE001  pydicom raises what it likes on text of no known character set
                return self.text(tag)

    def numbers(self, tag: str, count: int) -> tuple[float, ...] | None:
        """Return an element of `count` numbers; None where it is not there, or empty.

        Raises
        ------
        InputError
            It has another count, or what stands there is no finite number.
        """
        parts = self.parts(tag)
        if not parts:
            return None
        numbers = []
        for part in parts:
            try:
                number = float(part)
            except (TypeError, ValueError):
                number = math.nan
            if not math.isfinite(number) or "_" in str(part):
                shown = printable(str(part)[:_QUOTED])
                raise InputError(
                    f'{self.path.name} has "{shown}" in its {tag}, where a number belongs: export the series again.'
                )
            numbers.append(number)
        if len(numbers) != count:
            raise InputError(
                f"{self.path.name} has {len(numbers)} number(s) in its {tag}, where {count} belong(s): export the "
                "series again."
            )
        return tuple(numbers)

    def number(self, tag: str) -> float | None:
        """Return an element of one number; None where it is not there, or empty (see `numbers`)."""
        found = self.numbers(tag, 1)
        return None if found is None else found[0]

    def needed(self, tag: str, count: int) -> tuple[float, ...]:
        """Return an element of numbers that must be there (see `numbers`)."""
        found = self.numbers(tag, count)
        if found is None:
            raise self.without(tag)
        return found

    def whole(self, tag: str, low: int, high: int) -> int:
        """Return an element that must be one whole number from `low` to `high`."""
        [number] = self.needed(tag, 1)
        if not number.is_integer() or not low <= number <= high:
            raise InputError(
                f"{self.path.name} has {number:g} in its {tag}, where a whole number from {low} to {high} belongs: "
                "export the series again."
            )
        return int(number)

    def without(self, tag: str) -> InputError:
        """Return the refusal of a file that lacks an element."""
        return InputError(f"{self.path.name} does not say its {tag}: export the series again.")

    def parts(self, tag: str) -> list[str | float]:
        """Return the values of an element, text without the blanks around; none where it is empty or not there.

        Raises
        ------
        InputError
            It is no text and no number.
        """
        try:
            number = _number(tag)
            return _values(self.elements.get_item(number), tag) if number in self.elements else []
        except Exception as error:  # pydicom raises what it likes on a kind that does not exist
            raise InputError(
                f"{self.path.name} has a {tag} that is of no kind that belongs there: export the series again."
            ) from error


def printable(text: str) -> str:
    """Return text as a sentence can hold it: what cannot be shown is a mark, and no element of interest is longer."""
    text = text[:_LONGEST]
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def read_header(path: Path) -> Header:
    """Read the `TAGS` of a file.

    Raises
    ------
    InputError
        It is damaged.
    """
    elements, syntax = read_elements(path, [_number(tag) for tag in TAGS])
    return Header(path, elements, syntax)


def signed(header: Header, tag: str, *, is_signed: bool) -> int | None:
    """Return 16 bits with a sign where the pixels have one, whatever their own kind says; None where they are empty."""
    number = header.number(tag)
    if number is None:
        return None
    bits = int(number) & 0xFFFF
    return bits - 0x10000 if is_signed and bits >= 0x8000 else bits


def _values(element: DataElement | RawDataElement, tag: str) -> list[str | float]:
    vr, value = element.VR or "UN", element.value
    if not value and value != 0:
        return []
    if not isinstance(value, bytes):  # a sequence, which pydicom has parsed
        return list(map(str, value)) if vr == "SQ" else list(np.ravel(value))
    if vr == "UN":
        vr = _vr(tag)
    if vr == "SQ":
        return ["sequence"]
    if vr in _BINARY:
        order = "<" if getattr(element, "is_little_endian", True) else ">"
        return [number for (number,) in struct.iter_unpack(order + _BINARY[vr], value)]
    if vr not in _TEXT:
        raise ValueError(vr)
    text = value.decode("latin-1").strip(" \0")
    return [part.strip(" \0") for part in text.split("\\")] if text else []


@cache
def _number(tag: str) -> BaseTag:
    """Return a tag as pydicom keeps it: from a name it takes long to make one, and of a series it makes many."""
    from pydicom.tag import Tag

    return Tag(tag)


@cache
def _vr(tag: str) -> str:
    from pydicom.datadict import dictionary_VR

    return dictionary_VR(_number(tag))
