"""A result of a volume as a derived DICOM series, which says that it is synthetic and not for diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.exports.computed import ComputedSlices
from diffuscope.exports.ome_tiff import software
from diffuscope.exports.patient import whole_lattice, whole_mask, whole_slice
from diffuscope.exports.shown import shown_port
from diffuscope.scans import open_volume
from diffuscope.scans.fingerprint import is_same
from diffuscope.scans.formats.dicom.files import quiet

if TYPE_CHECKING:
    from pydicom import Dataset

    from diffuscope.exports.request import Request
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result
    from diffuscope.scans.lattice import Lattice

NOT_FOR_DIAGNOSIS = "derived, synthetic, NOT FOR DIAGNOSIS"

# What a derived series shares with the series that it was made from: the patient, the study, the frame of reference.
_KEPT = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "PatientPosition",
)
# Attributes that the standard wants to be there, if only empty.
_EMPTY = ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
          "ReferringPhysicianName", "PositionReferenceIndicator", "AcquisitionNumber")  # fmt: skip


def need(request: Request) -> int:
    """Return the size of the slices in bytes."""
    lattice, _ = whole_lattice(request.result)
    return request.result.window[3] * (2 * lattice.shape[1] * lattice.shape[2] + 4096)


def write(part: Path, request: Request) -> None:
    """Write the slices of one output as a DICOM series: CT where its unit is HU, else MR.

    HU are stored as whole numbers; other values with the rescale slope and intercept that 16 bits need, which stand
    in the header. Only slices that the run took in are written, each as wide as the input. Pixels that were not
    computed, or of which nothing is known, hold the lowest number that fits, which the header declares as
    PixelPaddingValue. Patient, study and frame of reference are those of the request's source; without one the series
    is of a patient without a name, in a study of its own.

    Raises
    ------
    InputError
        The source is not the series that the run took in, or no value is known.
    """
    result, port = request.result, request.ports[0]
    lattice, _ = whole_lattice(result)
    template = _template(result, port, lattice, _kept(result, request.source))
    slices = ComputedSlices(result)
    masks = [_known(result, port, slices, number) for number in range(result.window[3])]
    lowest = None if all(mask.all() for mask in masks) else np.iinfo(_stored(port)).min
    if lowest is not None:
        template.add_new("PixelPaddingValue", "SS" if lowest < 0 else "US", int(lowest))
        template.ImageComments += " Pixels of PixelPaddingValue were not computed."
    intercept, slope = _rescaling(result, port, slices, masks, is_padded=lowest is not None)
    template.RescaleIntercept, template.RescaleSlope = _decimal(intercept), _decimal(slope)
    # What the header can hold of the two is what a reader will reckon with.
    intercept, slope = float(template.RescaleIntercept), float(template.RescaleSlope)
    part.mkdir()
    limits = np.iinfo(_stored(port))
    for number, mask in enumerate(masks):
        plane = whole_slice(result, slices, port, number).astype(np.float64)
        stored = np.rint((np.where(mask, plane, 0.0) - intercept) / slope)
        pixels = np.clip(stored, limits.min if lowest is None else limits.min + 1, limits.max).astype(_stored(port))
        if lowest is not None:
            pixels[~mask] = lowest
        _write(part / f"{number:05d}.dcm", template, lattice, result.window[0] + number, number + 1, pixels)


def _known(result: Result, port: Raster, slices: ComputedSlices, number: int) -> NDArray[np.bool_]:
    """Return which voxels of a slice were computed, and have a number."""
    return whole_mask(result, slices, number) & np.isfinite(whole_slice(result, slices, port, number))


def _kept(result: Result, source: Path | None) -> Dataset | None:
    """Return the first header of the source series, having seen that it is the one that the run took in."""
    import pydicom

    if source is None:
        return None
    volume = open_volume(source)
    if volume.series is None:
        raise InputError(f"{volume.name} is no DICOM series: leave out --source.")
    if not any(is_same(volume.fingerprint, one.get("fingerprint", "")) for one in result.record["inputs"].values()):
        raise InputError(f"{volume.name} is not the series that {result.path.name} was made from: give that one.")
    wanted = [*_KEPT, "SpecificCharacterSet"]
    with quiet():
        kept = pydicom.dcmread(volume.series.files[0], stop_before_pixels=True, specific_tags=wanted)
        # Texts become Unicode here: what the new series says of itself may have letters that the source's set lacks.
        kept.decode()
    return kept


def _template(result: Result, port: Raster, lattice: Lattice, kept: Dataset | None) -> Dataset:
    """Return what all slices of the series have in common."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

    is_ct = port.unit == "HU"
    one = Dataset()
    one.SpecificCharacterSet = "ISO_IR 192"
    for name in _EMPTY:
        setattr(one, name, None)
    one.PatientName, one.PatientID = "Anonymous", "Diffuscope"
    one.StudyInstanceUID, one.FrameOfReferenceUID = generate_uid(), generate_uid()
    for name in _KEPT if kept is not None else ():
        if kept is not None and name in kept:
            one[name] = kept[name]
    now = datetime.now(UTC)
    one.SOPClassUID = CTImageStorage if is_ct else MRImageStorage
    one.Modality = "CT" if is_ct else "MR"
    one.SeriesInstanceUID = generate_uid()
    one.SeriesNumber = 9000
    one.SeriesDescription = f"{port.name[: 62 - len(NOT_FOR_DIAGNOSIS)]}: {NOT_FOR_DIAGNOSIS}"
    one.ImageType = ["DERIVED", "SECONDARY", "AXIAL" if is_ct else "OTHER"]
    one.DerivationDescription = (
        f"{port.name}{f' ({port.unit})' if port.unit else ''}, computed by the diffusion model "
        f"{result.record['model']['name']} (Diffuscope). Synthetic; research use only; not for diagnosis."
    )
    one.ImageComments = "Synthetic image. Research use only; not for diagnosis."
    one.ContentQualification = "RESEARCH"
    one.BurnedInAnnotation = "NO"
    one.Manufacturer, one.SoftwareVersions = "Diffuscope", software()
    one.SeriesDate = one.ContentDate = one.InstanceCreationDate = now.strftime("%Y%m%d")
    one.SeriesTime = one.ContentTime = one.InstanceCreationTime = now.strftime("%H%M%S")
    if is_ct:
        one.KVP, one.RescaleType = None, "HU"
    else:
        one.ScanningSequence, one.SequenceVariant, one.ScanOptions = "RM", "NONE", None
        one.MRAcquisitionType, one.EchoTime, one.RepetitionTime, one.EchoTrainLength = "2D", None, None, None
    depth, height, width = lattice.spacing
    one.PixelSpacing = [_decimal(height), _decimal(width)]
    one.SliceThickness = one.SpacingBetweenSlices = _decimal(depth)
    # The direction of the columns' numbers first, then of the rows'.
    one.ImageOrientationPatient = [_decimal(part) for part in (*lattice.directions[2], *lattice.directions[1])]
    low, high = shown_port(result, port).range
    one.WindowCenter, one.WindowWidth = _decimal((low + high) / 2), _decimal(high - low)
    one.Rows, one.Columns = lattice.shape[1:]
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = 16
    one.HighBit, one.PixelRepresentation = 15, int(_stored(port) is np.int16)
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    return one


def _write(file: Path, template: Dataset, lattice: Lattice, z: int, number: int, pixels: NDArray[np.generic]) -> None:
    """Write one slice."""
    from pydicom.uid import generate_uid

    template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    template.InstanceNumber = number
    place = lattice.place((z, 0, 0))
    template.ImagePositionPatient = [_decimal(part) for part in place]
    template.SliceLocation = _decimal(float(np.dot(place, np.cross(lattice.directions[2], lattice.directions[1]))))
    template.PixelData = pixels.astype("<u2" if pixels.dtype.kind == "u" else "<i2").tobytes()
    template["PixelData"].VR = "OW"
    template.save_as(file, enforce_file_format=True)


def _rescaling(
    result: Result, port: Raster, slices: ComputedSlices, masks: Sequence[NDArray[np.bool_]], *, is_padded: bool
) -> tuple[float, float]:
    """Return intercept and slope by which 16 bits hold the values of an output, above the number of the padding."""
    first = int(is_padded)
    if port.dtype == "uint8":
        return -float(first), 1.0
    if not any(mask.any() for mask in masks):
        raise InputError(
            f"{port.name} of {result.path.name} is unknown (NaN), which DICOM cannot say: "
            "where it is a spread, run two samples or more."
        )
    low, high = np.inf, -np.inf
    for number, mask in enumerate(masks):
        known = whole_slice(result, slices, port, number)[mask]
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    if port.unit == "HU":
        return 0.0, 1.0
    slope = (high - low) / (np.iinfo(np.uint16).max - first) if high > low else 1.0
    return low - first * slope, slope


def _stored(port: Raster) -> type[np.int16 | np.uint16]:
    return np.int16 if port.unit == "HU" else np.uint16


def _decimal(value: float) -> str:
    """Return a number in the 16 characters that a decimal string has."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(value))
