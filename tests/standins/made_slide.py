"""DICOM whole-slide images written by pydicom, of any kind: what a reader must take, and what it must refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_UID = "1.2.840.10008.1.2."
#: How a frame is compressed, by the UID of the transfer syntax: all of them lossless here.
ENCODERS: dict[str, Callable[[np.ndarray], bytes]] = {
    f"{_UID}4.80": lambda frame: imagecodecs.jpegls_encode(frame, out=4 * frame.nbytes),  # noise becomes longer
    f"{_UID}4.90": lambda frame: imagecodecs.jpeg2k_encode(frame, level=0, reversible=True, codecformat="j2k"),
}
JPEG = UID(f"{_UID}4.50")
NATIVE = {"1.2.840.10008.1.2", ExplicitVRLittleEndian}


def cut(pixels: np.ndarray, tile: tuple[int, int], fill: int = 255) -> list[np.ndarray]:
    """Cut (y, x, c) into whole tiles, row by row."""
    height, width = tile
    down, across = (-(-side // piece) for side, piece in zip(pixels.shape[:2], tile, strict=True))
    full = np.full((down * height, across * width, pixels.shape[2]), fill, pixels.dtype)
    full[: pixels.shape[0], : pixels.shape[1]] = pixels
    return [
        full[y : y + height, x : x + width] for y in range(0, len(full), height) for x in range(0, full.shape[1], width)
    ]


def write_slide(
    path: Path,
    frames: Sequence[np.ndarray | bytes],
    shape: tuple[int, int],
    *,
    tile: tuple[int, int] = (64, 48),
    syntax: str = ExplicitVRLittleEndian,
    series: str = "1.2.3.4",
    flavour: str = "VOLUME",
    table: str = "basic",
    places: Sequence[tuple[int, int]] | None = None,
    mpp: float = 0.5,
    paths: Sequence[str] = ("",),
    path_of: Sequence[int] | None = None,
    depths: Sequence[float] | None = None,
    **elements: Any,
) -> Path:
    """Write frames as one file of a slide; bytes are taken as they are, arrays are compressed without loss.

    Parameters
    ----------
    places : sequence of (y, x), optional
        Px of each frame, which makes the file TILED_SPARSE.
    table : str
        ``"basic"``, ``"extended"`` or ``"none"``: how the file says where its frames begin.
    paths, path_of : sequence
        Names of the optical paths, and of each frame its own.
    depths : sequence of float, optional
        Of each frame, µm.
    **elements
        By their keywords; None takes one out.
    """
    first = frames[0] if isinstance(frames[0], np.ndarray) else np.empty((*tile, 3), np.uint8)
    samples = first.shape[2]
    one = FileDataset(str(path), {}, file_meta=FileMetaDataset(), preamble=bytes(128))
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID = SLIDE
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID = generate_uid()
    one.file_meta.TransferSyntaxUID = UID(syntax)
    one.ImageType = ["ORIGINAL", "PRIMARY", flavour, "NONE"]
    one.Modality, one.SeriesInstanceUID = "SM", series
    one.PatientName, one.PatientID = "Somebody^Real", "1234"
    one.Rows, one.Columns = tile
    one.TotalPixelMatrixRows, one.TotalPixelMatrixColumns = shape
    one.SamplesPerPixel, one.NumberOfFrames = samples, len(frames)
    one.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"
    if samples == 3:
        one.PlanarConfiguration = 0
    bits = 8 * first.dtype.itemsize
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = bits, bits, bits - 1, 0
    one.DimensionOrganizationType = "TILED_FULL" if places is None else "TILED_SPARSE"
    one.NumberOfOpticalPaths = len(paths)
    one.OpticalPathSequence = Items(
        [_item(OpticalPathIdentifier=str(n), OpticalPathDescription=name) for n, name in enumerate(paths)]
    )
    one.SharedFunctionalGroupsSequence = Items(
        [_item(PixelMeasuresSequence=Items([_item(PixelSpacing=[mpp / 1000] * 2)]))]
    )
    if places is not None:
        one.PerFrameFunctionalGroupsSequence = Items(
            [_placed(n, place, path_of, depths) for n, place in enumerate(places)]
        )
    _hold(one, frames, table)
    for name, value in elements.items():
        if value is None:
            delattr(one, name)
        else:
            setattr(one, name, value)
    path.parent.mkdir(exist_ok=True)
    pydicom.dcmwrite(path, one, enforce_file_format=True)
    return path


def _hold(one: Dataset, frames: Sequence[np.ndarray | bytes], table: str) -> None:
    syntax = one.file_meta.TransferSyntaxUID
    if syntax in NATIVE:
        held = b"".join(frame if isinstance(frame, bytes) else frame.tobytes() for frame in frames)
        one.PixelData = held + bytes(len(held) % 2)
        one["PixelData"].VR = "OW" if one.BitsAllocated > 8 else "OB"
        return
    packed = [frame if isinstance(frame, bytes) else ENCODERS[syntax](frame) for frame in frames]
    if table == "extended":
        one.PixelData, one.ExtendedOffsetTable, one.ExtendedOffsetTableLengths = encapsulate_extended(packed)
    else:
        one.PixelData = encapsulate(packed, has_bot=table == "basic")
    one["PixelData"].VR, one["PixelData"].is_undefined_length = "OB", True


def _placed(
    number: int, place: tuple[int, int], path_of: Sequence[int] | None, depths: Sequence[float] | None
) -> Dataset:
    y, x = place
    at = _item(ColumnPositionInTotalImagePixelMatrix=x + 1, RowPositionInTotalImagePixelMatrix=y + 1)
    if depths is not None:
        at.ZOffsetInSlideCoordinateSystem = depths[number]
    frame = _item(PlanePositionSlideSequence=Items([at]))
    if path_of is not None:
        frame.OpticalPathIdentificationSequence = Items([_item(OpticalPathIdentifier=str(path_of[number]))])
    return frame


def _item(**elements: Any) -> Dataset:
    one = Dataset()
    for name, value in elements.items():
        setattr(one, name, value)
    return one
