"""Small valid volumes, one of each format that is read, and outlines drawn on one, made from nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_SHAPE = (6, 24, 28)
_UID = "1.2.826.0.1.3680043.8.498.77"
_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"


def voxels() -> np.ndarray:
    """Return (z, y, x) int16: a disc of 40 in air of −1000."""
    z, y, x = np.mgrid[: _SHAPE[0], : _SHAPE[1], : _SHAPE[2]]
    inside = (x - 14) ** 2 / 121 + (y - 12) ** 2 / 81 < 1
    return np.where(inside, 40 + z, -1000).astype(np.int16)


def by_itk(name: str, *, compress: bool = False) -> Callable[[Path], Path]:
    """Return what writes a file of this name in a folder."""

    def write(folder: Path) -> Path:
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(voxels())
        image.SetSpacing((1.0, 1.0, 3.0))
        sitk.WriteImage(image, str(folder / name), useCompression=compress)
        return folder / name

    return write


def detached(header: str) -> Callable[[Path], Path]:
    """Return what writes a folder with a header of this name and the file of its voxels."""

    def write(folder: Path) -> Path:
        (folder / "volume").mkdir()
        return by_itk(header)(folder / "volume").parent

    return write


def _dataset(kind: str, number: int) -> Any:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    storage = CTImageStorage if kind == "CT" else _STRUCTURES
    one = FileDataset("", {}, preamble=b"\0" * 128, file_meta=FileMetaDataset())
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = storage
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"{_UID}.9.{number}"
    one.PatientName, one.PatientID, one.Modality = "Made^Up", "X", kind
    one.StudyInstanceUID, one.SeriesInstanceUID = f"{_UID}.1", f"{_UID}.{2 if kind == 'CT' else 3}"
    one.FrameOfReferenceUID = f"{_UID}.4"
    return one


def _slice(k: int) -> Any:
    one = _dataset("CT", k)
    one.InstanceNumber, one.Rows, one.Columns, one.SliceThickness = k + 1, _SHAPE[1], _SHAPE[2], 3
    one.PixelSpacing, one.ImageOrientationPatient = [1, 1], [1, 0, 0, 0, 1, 0]
    one.ImagePositionPatient = [-14, -12, 3.0 * k]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation, one.RescaleSlope, one.RescaleIntercept = 15, 0, 1, -1024
    one.PixelData = (voxels()[k] + 1024).astype("<u2").tobytes()
    return one


def dicom_folder(folder: Path, *, syntax: str = "") -> Path:
    """Write a CT series, a file a slice; `syntax` "deflated", "rle" or "jpeg2000" compresses it."""
    import imagecodecs
    from pydicom.encaps import encapsulate
    from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

    series = folder / "series"
    series.mkdir()
    for k in range(_SHAPE[0]):
        one = _slice(k)
        if syntax == "deflated":
            one.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        elif syntax == "rle":
            one.compress(RLELossless)
        elif syntax == "jpeg2000":
            coded = imagecodecs.jpeg2k_encode((voxels()[k] + 1024).astype(np.uint16), level=0, codecformat="j2k")
            one.PixelData = encapsulate([coded])
            one["PixelData"].VR = "OB"
            one.file_meta.TransferSyntaxUID = JPEG2000Lossless
        one.save_as(series / f"{k:03d}.dcm", enforce_file_format=True)
    return series


def with_outlines(folder: Path) -> Path:
    """Write a CT series with a structure set drawn on it."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    def part(**entries: Any) -> Dataset:
        one = Dataset()
        for key, value in entries.items():
            setattr(one, key, value)
        return one

    series = dicom_folder(folder)
    one = _dataset("RTSTRUCT", 100)
    of_series = part(SeriesInstanceUID=f"{_UID}.2")
    study = part(RTReferencedSeriesSequence=Sequence([of_series]))
    one.ReferencedFrameOfReferenceSequence = Sequence([part(RTReferencedStudySequence=Sequence([study]))])
    one.StructureSetROISequence = Sequence([part(ROINumber=1, ROIName="body")])
    outlines = [
        part(
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=4,
            ContourData=[-8, -6, 3 * k, 8, -6, 3 * k, 8, 6, 3 * k, -8, 6, 3 * k],
        )
        for k in (1, 2)
    ]
    one.ROIContourSequence = Sequence([part(ReferencedROINumber=1, ContourSequence=Sequence(outlines))])
    one.save_as(series / "structures.dcm", enforce_file_format=True)
    return series
