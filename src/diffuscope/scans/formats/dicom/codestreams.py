"""Compressed pixels: looked at before they are decoded, so that a file makes no larger picture than it declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.files import quiet

if TYPE_CHECKING:
    from collections.abc import Callable

_UID = "1.2.840.10008.1.2."
#: What is read besides pixels that are not compressed, by the UID of the transfer syntax.
NAMES = {
    f"{_UID}4.50": "JPEG",
    f"{_UID}4.51": "JPEG",
    f"{_UID}4.57": "JPEG",
    f"{_UID}4.70": "JPEG",
    f"{_UID}4.80": "JPEG-LS",
    f"{_UID}4.81": "JPEG-LS",
    f"{_UID}4.90": "JPEG 2000",
    f"{_UID}4.91": "JPEG 2000",
    f"{_UID}5": "RLE",
}
# Markers of a JPEG that begin a frame; C4, C8 and CC are none. F7 is that of JPEG-LS.
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
_SIZ = b"\xff\x4f\xff\x51"


def decode(name: str, syntax: str, held: bytes, shape: tuple[int, int], allocated: int) -> NDArray[Any]:
    """Decode the one frame of a file.

    Parameters
    ----------
    name, syntax : str
        Of the file, and of its compression.
    held : bytes
        Its pixels, encapsulated.
    shape : tuple of int
        Rows and columns that the header declares.
    allocated : int
        Bits of a pixel that it declares.

    Returns
    -------
    ndarray (y, x)
        Unsigned numbers of all the bits.

    Raises
    ------
    InputError
        The frame is damaged, or of another size.
    """
    with quiet():
        return _decode(name, syntax, held, shape, allocated)


def _decode(name: str, syntax: str, held: bytes, shape: tuple[int, int], allocated: int) -> NDArray[Any]:
    from pydicom.encaps import generate_frames

    try:
        is_rle = NAMES[syntax] == "RLE"  # which states no size, and is checked by the number of its bytes
        frame = b"" if is_rle else next(generate_frames(held, number_of_frames=1))
        if is_rle or frame_shape(frame) == shape:
            pixels = _rle(held, shape, allocated) if is_rle else _decoder(syntax)(frame)
            if pixels.shape == shape and pixels.dtype.itemsize * 8 <= allocated:
                return pixels.astype(f"{pixels.dtype.kind}{allocated // 8}").view(f"u{allocated // 8}")
    except InputError:
        raise
    except Exception as error:  # each decoder has exceptions of its own
        raise InputError(
            f"{name} holds damaged {NAMES[syntax]} pixels ({type(error).__name__}): copy it again."
        ) from error
    raise InputError(f"{name} holds {NAMES[syntax]} pixels of another size than its header declares: copy it again.")


def frame_shape(frame: bytes) -> tuple[int, int] | None:
    """Return height and width that a JPEG, JPEG-LS or JPEG 2000 codestream begins with; None where it does not."""
    if frame.startswith(_SIZ):  # SIZ: length, capabilities, then width, height and the offsets of both
        width, height, left, top = (int.from_bytes(frame[i : i + 4], "big") for i in (8, 12, 16, 20))
        return height - top, width - left
    place = 2
    while frame[:2] == b"\xff\xd8" and place + 9 < len(frame) and frame[place] == 0xFF:
        marker, length = frame[place + 1], int.from_bytes(frame[place + 2 : place + 4], "big")
        if marker in _FRAMES:
            return int.from_bytes(frame[place + 5 : place + 7], "big"), int.from_bytes(
                frame[place + 7 : place + 9], "big"
            )
        place += 1 if marker == 0xFF else 2 + length
    return None


def _decoder(syntax: str) -> Callable[[bytes], NDArray[Any]]:
    import imagecodecs

    by_name = {
        "JPEG": imagecodecs.jpeg_decode,
        "JPEG-LS": imagecodecs.jpegls_decode,
        "JPEG 2000": imagecodecs.jpeg2k_decode,
    }
    decoder: Callable[[bytes], NDArray[Any]] = by_name[NAMES[syntax]]
    return decoder


def _rle(held: bytes, shape: tuple[int, int], allocated: int) -> NDArray[Any]:
    """Decode runs of bytes."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import RLELossless

    options: dict[str, Any] = {
        "rows": shape[0],
        "columns": shape[1],
        "bits_allocated": allocated,
        "bits_stored": allocated,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "pixel_representation": 0,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_keyword": "PixelData",
    }
    pixels, _ = get_decoder(RLELossless).as_array(held, index=0, raw=True, **options)
    return pixels
