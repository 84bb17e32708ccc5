"""A CT of a disc of water in air with a block of bone, as DICOM slices that a test may spoil; no patient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

DEPTH, HEIGHT, WIDTH, STEP = 8, 56, 64, 3.0
"""Slices, rows, columns, and mm between slices; rows and columns are 1 mm apart."""

Tweak = Callable[[Any, int], None]


def hounsfield(z: int) -> np.ndarray:
    """HU of slice `z`: air -1000, disc 40 + z, block 700 + z; what is asked of a reader, without one."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    plane = np.full((HEIGHT, WIDTH), -1000)
    plane[((x - 32) / 26) ** 2 + ((y - 28) / 22) ** 2 < 1] = 40 + z
    plane[(abs(x - 45) < 4) & (abs(y - 28) < 4)] = 700 + z
    return plane


def ct() -> np.ndarray:
    """All slices of `hounsfield`."""
    return np.stack([hounsfield(z) for z in range(DEPTH)])


def write_ct(folder: Path, tweak: Tweak | None = None, *, syntax: str = "1.2.840.10008.1.2.1", **about: Any) -> Path:
    """Write the slices as 000.dcm, 001.dcm …; `tweak(dataset, z)` may spoil each, `about` sets elements of all.

    Pixels are set before the tweak, so that it may replace them.
    """
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    uids = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    for z in range(DEPTH):
        kind = {"is_implicit_VR": syntax == "1.2.840.10008.1.2", "is_little_endian": syntax != "1.2.840.10008.1.2.2"}
        one = FileDataset("", {}, preamble=bytes(128), file_meta=FileMetaDataset(), **kind)
        one.file_meta.TransferSyntaxUID = syntax
        one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = CTImageStorage
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        for name, uid in uids.items():
            setattr(one, name, uid)
        one.PatientName, one.PatientID, one.Modality, one.SeriesDescription = "Made^Up", "M-4711", "CT", "made up"
        one.InstanceNumber, one.Rows, one.Columns, one.SliceThickness = z + 1, HEIGHT, WIDTH, STEP
        one.PixelSpacing, one.ImageOrientationPatient = [1, 1], [1, 0, 0, 0, 1, 0]
        one.ImagePositionPatient = [-32, -28, STEP * z]
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated = one.BitsStored = 16
        one.HighBit, one.PixelRepresentation = 15, 0
        one.RescaleSlope, one.RescaleIntercept = 1, -1024
        one.PixelData = (hounsfield(z) + 1024).astype("<u2").tobytes()
        one["PixelData"].VR = "OW"
        for name, value in about.items():
            setattr(one, name, value)
        if tweak:
            tweak(one, z)
        one.save_as(folder / f"{z:03d}.dcm", enforce_file_format=True)
    return folder


def only(number: int, **about: Any) -> Tweak:
    """Return a tweak that sets elements of one slice; those that are `...` are taken away."""

    def tweak(one: Any, z: int) -> None:
        if z == number:
            for name, value in about.items():
                if value is ...:
                    delattr(one, name)
                else:
                    setattr(one, name, value)

    return tweak


def box(x: float, y: float, half: float, z: float) -> list[float]:
    """Return the corners of a square in a slice, as ContourData has them, LPS mm."""
    return [n for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1)) for n in (x + dx * half, y + dy * half, z)]


def write_structures(
    folder: Path, rois: list[tuple[str, list[tuple[str, list[float]]]]], tweak: Callable[[Any], None] | None = None
) -> Path:
    """Write a structure set on the CT of a folder: structures by name, with the kind and the points of each outline."""
    import pydicom
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

    on = pydicom.dcmread(folder / "000.dcm", stop_before_pixels=True)
    one = FileDataset("", {}, preamble=bytes(128), file_meta=FileMetaDataset())
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    one.Modality, one.SeriesInstanceUID = "RTSTRUCT", pydicom.uid.generate_uid()
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID, study.RTReferencedSeriesSequence = on.SeriesInstanceUID, [series]
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = on.FrameOfReferenceUID, [study]
    one.ReferencedFrameOfReferenceSequence = [frame]
    one.StructureSetROISequence, one.ROIContourSequence = [], []
    for number, (name, outlines) in enumerate(rois, start=11):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, on.FrameOfReferenceUID
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for kind, points in outlines:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points) // 3
            contour.ContourData = [f"{number:.4f}" for number in points]
            drawn.ContourSequence.append(contour)
        one.StructureSetROISequence.append(roi)
        one.ROIContourSequence.append(drawn)
    if tweak:
        tweak(one)
    one.save_as(folder / "rs.dcm", enforce_file_format=True)
    return folder / "rs.dcm"
