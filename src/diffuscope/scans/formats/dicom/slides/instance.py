"""What one file of a DICOM slide says of itself: which image it holds, how it is cut and where its tiles lie."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.files import name_of
from diffuscope.scans.formats.dicom.slides.elements import Elements, Head, read_head
from diffuscope.scans.formats.dicom.slides.frames import COMPRESSED, NATIVE, Frames, find_frames
from diffuscope.scans.guards.sizes import check_piece, check_planes, check_size

#: Whole-slide images, by their class, in the first bytes of a file; one more digit is another class.
WHOLE_SLIDE = b"1.2.840.10008.5.1.4.1.1.77.1.6"

_IMAGE_TYPE, _MODALITY, _SERIES, _DESCRIPTION = 0x00080008, 0x00080060, 0x0020000E, 0x0008103E
_DERIVATION = 0x00082111
_CONCATENATION, _FIRST_FRAME, _ORGANIZATION = 0x00209161, 0x00209228, 0x00209311
_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
_ROWS, _COLUMNS, _BITS, _SIGNED, _SPACING = 0x00280010, 0x00280011, 0x00280100, 0x00280103, 0x00280030
_ICC = 0x00282000
_VOLUME_WIDTH, _VOLUME_HEIGHT = 0x00480001, 0x00480002
_ALL_COLUMNS, _ALL_ROWS, _FOCAL_PLANES = 0x00480006, 0x00480007, 0x00480303
_PATHS, _PATH, _PATH_NAME = 0x00480105, 0x00480106, 0x00480107
_SHARED, _EACH, _MEASURES = 0x52009229, 0x52009230, 0x00289110
_COLUMN_POSITION, _ROW_POSITION, _DEPTH = 0x0048021E, 0x0048021F, 0x0040074A
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


@dataclass(frozen=True, eq=False, kw_only=True)
class Instance:
    """One file of a slide.

    Attributes
    ----------
    path : Path
        Of the file.
    series, concatenation : str
        UID of the series, and of the files that hold one image together; empty where it is whole.
    flavour : str
        ``"VOLUME"`` of the slide itself, ``"LABEL"``, ``"OVERVIEW"``, ``"THUMBNAIL"`` or another picture.
    is_reduced : bool
        Whether it was made of a finer one.
    shape, tile : tuple of int
        (height, width) of the image and of a tile, px.
    samples, bits : int
        Of a px: values, and bits of each.
    photometric, syntax : str
        How colours are stored, and the UID of the compression.
    is_planar : bool
        Whether each colour lies by itself, of a tile that is not compressed.
    spacing : tuple of float or None
        (y, x) mm.
    paths : tuple of str
        Names of the optical paths; one at least.
    about : str
        How the image was made, where it is derived.
    icc : bytes
        Its colour profile; empty where it has none.
    first : int
        Number of its first frame among those of its concatenation.
    frames : Frames
        Where they lie.
    places : ndarray of int, (frames, 3), or None
        (optical path, row, column) of each in px; None where all follow each other. -1 of one that is not used.
    focal_planes : int
        How many there are.
    """

    path: Path
    series: str
    concatenation: str
    flavour: str
    is_reduced: bool
    shape: tuple[int, int]
    tile: tuple[int, int]
    samples: int
    bits: int
    photometric: str
    syntax: str
    is_planar: bool
    spacing: tuple[float, float] | None
    paths: tuple[str, ...]
    about: str
    icc: bytes
    first: int
    frames: Frames
    places: NDArray[np.int64] | None
    focal_planes: int


def begins_as_slide(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a DICOM whole-slide image, by the class in its head."""
    at = start.find(WHOLE_SLIDE)
    return (
        start[128:132] == b"DICM"
        and at > 0
        and start[at + len(WHOLE_SLIDE) : at + len(WHOLE_SLIDE) + 1] not in {bytes([one]) for one in b".0123456789"}
    )


def read_instance(path: Path) -> Instance:
    """Read the head of a file.

    Raises
    ------
    InputError
        It is damaged, lacks what must be known, or is of a kind that is not read.
    """
    head = read_head(path)
    try:
        return _instance(path, head)
    except (struct.error, ValueError, OverflowError) as error:
        raise InputError(f"{path.name} is a damaged DICOM slide ({type(error).__name__}): copy it again.") from error


def _instance(path: Path, head: Head) -> Instance:
    said, name = head.elements, path.name
    kind = (*said.texts(_IMAGE_TYPE), "", "", "", "")
    rows, columns = (_needed(said, tag, "H", name) for tag in (_ROWS, _COLUMNS))
    height, width = (said.whole(tag, "I") or side for tag, side in ((_ALL_ROWS, rows), (_ALL_COLUMNS, columns)))
    samples, bits = (_needed(said, tag, "H", name) for tag in (_SAMPLES, _BITS))
    photometric = said.text(_PHOTOMETRIC)
    check_size(name, height, width)
    check_piece(name, (rows, columns, samples), max(bits // 8, 1), "tile")
    is_colour = samples == 3 and photometric in _COLOURS and bits == 8
    is_grey = samples == 1 and photometric == "MONOCHROME2" and bits in (8, 16) and not said.whole(_SIGNED, "H")
    if not (is_colour or is_grey):
        raise InputError(
            f"{name} stores {samples} sample(s) of {bits} bits as {photometric or 'nothing that it says'}, which is "
            "not read: export it as RGB of 8 bits, or as greys."
        )
    if head.syntax not in {*NATIVE, *COMPRESSED} or (head.syntax in NATIVE and photometric == "YBR_FULL_422"):
        raise InputError(f"{name} is compressed as {name_of(head.syntax)}, which is not read: export it otherwise.")
    count = int(said.text(_FRAMES) or 1)
    check_planes(name, len(list(said.items(_PATHS))))
    paths = tuple(item.text(_PATH_NAME) or item.text(_PATH) for item in said.items(_PATHS)) or ("",)
    shared = next(said.items(_SHARED), None)
    places = None
    if said.text(_ORGANIZATION) != "TILED_FULL" and _EACH in said.places:
        known = tuple(item.text(_PATH) for item in said.items(_PATHS)) or ("",)
        places = _places(said, count, known, name)
    return Instance(
        path=path,
        series=said.text(_SERIES),
        concatenation=said.text(_CONCATENATION),
        flavour=kind[2],
        is_reduced=kind[3] == "RESAMPLED",
        shape=(height, width),
        tile=(rows, columns),
        samples=samples,
        bits=bits,
        photometric=photometric,
        syntax=head.syntax,
        is_planar=bool(said.whole(_PLANAR, "H")),
        spacing=_spacing(said, shared, (height, width)),
        paths=paths,
        about=said.value(_DERIVATION)[:1024].decode("latin-1"),
        icc=next((item.value(_ICC) for item in said.items(_PATHS)), b""),
        first=said.whole(_FIRST_FRAME, "I") or 0,
        frames=find_frames(path, head, count, rows * columns * samples * bits // 8),
        places=places,
        focal_planes=said.whole(_FOCAL_PLANES, "I") or 1,
    )


def _needed(said: Elements, tag: int, kind: str, name: str) -> int:
    value = said.whole(tag, kind)
    if not value:
        raise InputError(f"{name} does not say its rows, columns, samples or bits: export the slide again.")
    return value


def _spacing(said: Elements, shared: Elements | None, shape: tuple[int, int]) -> tuple[float, float] | None:
    """Return (y, x) mm a px: as the frames state it, else by the size of what was imaged."""
    for measures in shared.items(_MEASURES) if shared is not None else ():
        stated = measures.texts(_SPACING)
        if len(stated) == 2:
            return float(stated[0]), float(stated[1])
    sides = []
    for tag, px in ((_VOLUME_HEIGHT, shape[0]), (_VOLUME_WIDTH, shape[1])):
        value = said.value(tag)
        if len(value) != 4:
            return None
        sides.append(float(struct.unpack("<f", value)[0]) / px)
    return sides[0], sides[1]


def _places(said: Elements, count: int, known: tuple[str, ...], name: str) -> NDArray[np.int64]:
    """Return where frames lie that say so, of several focal planes those in the middle; -1 of all others."""
    each, skip = said.value(_EACH), 2 if said.is_explicit else 4

    def found(tag: int, vr: bytes) -> list[bytes]:
        """Return all values of an element: sequences of a hundred thousand items are not walked through one by one."""
        mark = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + (vr if said.is_explicit else b"")
        starts = (match.end() for match in re.finditer(re.escape(mark), each))
        return [each[at + skip : at + skip + int.from_bytes(each[at : at + skip], "little")] for at in starts]

    columns, rows = (found(tag, b"SL") for tag in (_COLUMN_POSITION, _ROW_POSITION))
    if not len(rows) == len(columns) == count:
        raise InputError(f"{name} does not say where each of its {count} tiles lies: export the slide again.")
    out = np.zeros((count, 3), np.int64)
    out[:, 1] = np.frombuffer(b"".join(rows), "<i4") - 1
    out[:, 2] = np.frombuffer(b"".join(columns), "<i4") - 1
    paths = [value.strip(b" \0").decode("latin-1") for value in found(_PATH, b"SH")]
    if len(known) > 1:
        if len(paths) != count or not set(paths) <= set(known):
            raise InputError(f"{name} does not say to which channel each tile belongs: export the slide again.")
        out[:, 0] = [known.index(one) for one in paths]
    depths = found(_DEPTH, b"DS")
    if len(depths) == count:
        heights = np.array([float(one) for one in depths])
        planes = np.unique(heights)
        out[heights != planes[len(planes) // 2]] = -1
    return out
