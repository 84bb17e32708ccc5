"""Which files are DICOM, and what stands in their headers: bounded, whatever a file declares, and without a warning."""

from __future__ import annotations

import logging
import os
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from diffuscope.errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

#: What a file has after so many bytes of its maker's.
MAGIC, PREAMBLE = b"DICM", 128

# A folder that someone drops into the window is not searched for minutes.
_LOOKED_AT = 2000
# A header, inflated, is smaller than this; what it is inflated from is, too.
_HEADER = 16 * 2**20

_DEFLATED = "1.2.840.10008.1.2.1.99"
# The first elements that files without the preamble begin with: of group 2 or 8, in a small range.
_FIRST = {b"\x02\0": 0x0102, b"\x08\0": 0x0018}
_TEXT_LENGTH = 256


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do, with the preamble or without."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            return begins_as_dicom(file.read(PREAMBLE + len(MAGIC)))
    except OSError:
        return False


def begins_as_dicom(start: bytes) -> bool:
    """Whether the first bytes of a file, `PREAMBLE` + 4 or more, are those of DICOM, with the preamble or without."""
    if start[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC:
        return True
    group, element, kind, length = start[:2], start[2:4], start[4:6], start[6:8]
    if len(start) < PREAMBLE or int.from_bytes(element, "little") > _FIRST.get(group, -1):
        return False
    if kind in (b"CS", b"UI", b"UL", b"DA", b"TM", b"OB"):  # written out, or left out: then it is a length of 32 bits
        return int.from_bytes(length, "little") <= _TEXT_LENGTH
    return int.from_bytes(start[4:8], "little") <= _TEXT_LENGTH


def holds_dicom(folder: Path) -> bool:
    """Whether a folder, or one inside it, has a DICOM file; of a very large one only the first files are looked at."""
    return any(is_dicom(file) for file in islice(files_in(folder), _LOOKED_AT))


def files_in(folder: Path, *, deep: bool = True) -> Iterator[Path]:
    """Yield the files of a folder in order of their names; hidden ones are not looked at."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith(".")) if deep else []
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom from telling the terminal what it thinks of a file: what matters is told as a sentence."""
    logger = logging.getLogger("pydicom")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def read_elements(path: Path, tags: Collection[int], *, limit: int = _HEADER) -> tuple[Dataset, str]:
    """Read some elements of a DICOM file, those up to the last of `tags` in the order of the file.

    Nothing behind them is read, and of a deflated file at most `limit` bytes are inflated.

    Parameters
    ----------
    path : Path
        With the preamble or without.
    tags : collection of int
        Numbers of the elements.
    limit : int
        In bytes.

    Returns
    -------
    pydicom.Dataset, str
        The elements, not yet decoded, and the UID of the transfer syntax; empty where the file does not say.

    Raises
    ------
    InputError
        The file is damaged, or inflates to more than `limit`.
    """
    from pydicom.filereader import read_partial

    last = max(tags)
    try:
        with quiet(), path.open("rb") as file:
            stream, syntax = _stream(file, path.name, limit)
            found = read_partial(
                stream,
                stop_when=lambda tag, _vr, _length: tag > last,
                defer_size=limit,
                force=True,
                specific_tags=[*tags],
            )
            return found, syntax or str(found.file_meta.get("TransferSyntaxUID", "") or "")
    except (InputError, OSError):
        raise
    except Exception as error:  # pydicom raises what it likes on a damaged file
        raise InputError(
            f"{path.name} is a damaged DICOM file ({type(error).__name__}): copy it again, or take it "
            "out of the folder."
        ) from error


def class_of(path: Path) -> str:
    """Return the class that a file's meta information states, even where the rest is damaged; empty without."""
    from pydicom.filereader import read_file_meta_info

    try:
        with quiet():
            return str(read_file_meta_info(path).get("MediaStorageSOPClassUID", ""))
    except Exception:  # noqa: BLE001  as above; then nobody knows
        return ""


def name_of(uid: str) -> str:
    """Return what the standard calls a UID; the UID where it does not know it."""
    from pydicom._uid_dict import UID_dictionary

    return UID_dictionary[uid][0] if uid in UID_dictionary else uid


def is_image(uid: str) -> bool:
    """Whether the UID is that of a class of images."""
    return name_of(uid).endswith("Image Storage")


def _stream(file: BinaryIO, name: str, limit: int) -> tuple[BinaryIO, str]:
    """Return what is to be parsed, and the transfer syntax where it was looked at: inflated, where it is deflated."""
    start = file.read(2048)
    file.seek(0)
    if _DEFLATED.encode() not in start:
        return file, ""
    from pydicom.filereader import read_dataset, read_preamble

    read_preamble(file, True)
    meta: Any = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
    if str(meta.get("TransferSyntaxUID", "")) != _DEFLATED:
        file.seek(0)
        return file, ""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = inflater.decompress(file.read(max(limit, _HEADER)), limit)
    if limit > _HEADER and not inflater.eof:
        raise InputError(f"{name} inflates to more than its header declares, or is cut off: copy it again.")
    # A file without meta information begins with its elements; pydicom sees by the first that it is explicit VR.
    return BytesIO(plain), _DEFLATED
