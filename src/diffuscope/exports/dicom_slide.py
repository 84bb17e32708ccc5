"""A colour image of a slide's result as a DICOM whole-slide image, which says that it is synthetic."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffuscope.errors import InputError
from diffuscope.exports.dicom import NOT_FOR_DIAGNOSIS
from diffuscope.exports.ome_tiff import software
from diffuscope.exports.tiles import TILE, Tile, stored_images, tiles
from diffuscope.scans.formats.libraries import EXTRA_OF_VOLUMES, check_libraries

if TYPE_CHECKING:
    import dask.array as da
    import zarr
    from pydicom import Dataset

    from diffuscope.exports.request import Request
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result

_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
# Attributes that the standard wants to be there, if only empty.
_EMPTY = (
    "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName",
    "IssuerOfTheContainerIdentifierSequence", "AcquisitionContextSequence",
)  # fmt: skip


def need(request: Request) -> int:
    """Return an upper estimate of the files' size in bytes.

    Raises
    ------
    InputError
        More is asked for than one colour image, or pydicom is not there.
    """
    check_libraries("DICOM", "the format of the export", ("pydicom",), EXTRA_OF_VOLUMES)
    if len(request.ports) > 1 or request.ports[0].kind != "rgb":
        colours = [port.key for port in request.result.ports if port.kind == "rgb"]
        raise InputError(
            f"a DICOM slide holds one colour image: say which layer of {request.result.path.name} "
            f"({', '.join(colours) or 'it has none'}), and export maps as .ome.tif."
        )
    return int(1.5 * request.stored_bytes) + 2**20


def write(part: Path, request: Request) -> None:
    """Write a folder with a file a level, tiles of 256 px in JPEG 2000 without loss.

    The series is of a patient without a name, in a study of its own; where the image lies on the slide stands in the
    header (mm from the slide's upper left corner). Tiles are written one after the other: no level is held.
    """
    from pydicom.uid import generate_uid

    result, port = request.result, request.ports[0]
    shared = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    part.mkdir()
    stored = stored_images(result).get(port.key)
    for number, level in enumerate(result.images[port.key]):
        about = _head(result, port, level, number)
        for name, uid in shared.items():
            setattr(about, name, uid)
        _write(part / f"{number:02d}.dcm", about, level, port, stored[number] if stored is not None else None)


def _write(file: Path, about: Dataset, level: da.Array, port: Raster, stored: zarr.Array[Any] | None) -> None:
    """Write a head, and behind it the tiles: pydicom would hold them all."""
    from imagecodecs import jpeg2k_encode

    def code(tile: Tile) -> bytes:
        packed = bytes(jpeg2k_encode(tile, level=0, reversible=True, codecformat="j2k"))
        return packed + bytes(len(packed) % 2)

    about.save_as(file, enforce_file_format=True)
    with file.open("ab") as out:
        # Without a table of offsets, which would have to be known before the first tile.
        out.write(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + _ITEM + struct.pack("<I", 0))
        for packed in tiles(level, code, planar=False, fill=port.fill, stored=stored):
            out.write(_ITEM + struct.pack("<I", len(packed)) + packed)
        out.write(_END + struct.pack("<I", 0))


def _head(result: Result, port: Raster, level: da.Array, number: int) -> Dataset:
    from PIL import ImageCms
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import UID, generate_uid

    def item(**elements: Any) -> Dataset:
        held = Dataset()
        for name, value in elements.items():
            setattr(held, name, value)
        return held

    def code(value: str, scheme: str, meaning: str) -> Any:
        return Sequence([item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)])

    height, width = level.shape[:2]
    mm = result.mpp * 2**number / 1000
    now = datetime.now(UTC)
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = UID(_JPEG_2000_LOSSLESS)
    one.SpecificCharacterSet = "ISO_IR 192"
    for name in _EMPTY:
        setattr(one, name, None)
    one.PatientName, one.PatientID = "Anonymous", "Diffuscope"
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = UID(_WHOLE_SLIDE)
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    one.Modality, one.SeriesNumber, one.InstanceNumber = "SM", 9000, number + 1
    one.SeriesDescription = f"{port.name[: 62 - len(NOT_FOR_DIAGNOSIS)]}: {NOT_FOR_DIAGNOSIS}"
    one.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED" if number else "NONE"]
    one.DerivationDescription = (
        f"{port.name}, computed by a diffusion model (Diffuscope). Synthetic; research use only; not for diagnosis."
    )
    one.ImageComments = "Synthetic image. Research use only; not for diagnosis."
    one.ContentQualification, one.BurnedInAnnotation = "RESEARCH", "NO"
    one.Manufacturer, one.ManufacturerModelName, one.DeviceSerialNumber = "Diffuscope", "Diffuscope", "none"
    one.SoftwareVersions = software()
    one.ContentDate, one.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    one.AcquisitionDateTime = now.strftime("%Y%m%d%H%M%S")
    one.VolumetricProperties, one.PositionReferenceIndicator = "VOLUME", "SLIDE_CORNER"
    one.ContainerIdentifier = "Diffuscope"
    one.ContainerTypeCodeSequence = code("433466003", "SCT", "Microscope slide")
    one.SpecimenDescriptionSequence = Sequence(
        [item(SpecimenIdentifier="Diffuscope", SpecimenUID=generate_uid(), SpecimenPreparationSequence=Sequence())]
    )
    one.Rows = one.Columns = TILE
    one.TotalPixelMatrixRows, one.TotalPixelMatrixColumns, one.TotalPixelMatrixFocalPlanes = height, width, 1
    one.NumberOfFrames = -(-height // TILE) * -(-width // TILE)
    one.SamplesPerPixel, one.PhotometricInterpretation, one.PlanarConfiguration = 3, "YBR_RCT", 0
    one.BitsAllocated = one.BitsStored = 8
    one.HighBit, one.PixelRepresentation, one.LossyImageCompression = 7, 0, "00"
    one.DimensionOrganizationType = "TILED_FULL"
    one.DimensionOrganizationSequence = Sequence([item(DimensionOrganizationUID=generate_uid())])
    # Centre of the first px of this level, from the slide's upper left corner.
    y, x = (at * result.mpp / 1000 + mm / 2 for at in result.window[:2])
    one.TotalPixelMatrixOriginSequence = Sequence(
        [item(XOffsetInSlideCoordinateSystem=_decimal(x), YOffsetInSlideCoordinateSystem=_decimal(y))]
    )
    one.ImageOrientationSlide = [1, 0, 0, 0, 1, 0]
    one.ImagedVolumeWidth, one.ImagedVolumeHeight, one.ImagedVolumeDepth = width * mm, height * mm, 0.001
    one.SpecimenLabelInImage, one.FocusMethod, one.ExtendedDepthOfField = "NO", "AUTO", "NO"
    one.NumberOfOpticalPaths = 1
    one.OpticalPathSequence = Sequence(
        [
            item(
                OpticalPathIdentifier="0",
                IlluminationTypeCodeSequence=code("111744", "DCM", "Brightfield illumination"),
                IlluminationColorCodeSequence=code("414298005", "SCT", "Full Spectrum"),
                ICCProfile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
            )
        ]
    )
    measures = item(PixelSpacing=[_decimal(mm)] * 2, SliceThickness="0.001")
    frame = item(FrameType=list(one.ImageType))
    one.SharedFunctionalGroupsSequence = Sequence(
        [
            item(
                PixelMeasuresSequence=Sequence([measures]),
                WholeSlideMicroscopyImageFrameTypeSequence=Sequence([frame]),
                OpticalPathIdentificationSequence=Sequence([item(OpticalPathIdentifier="0")]),
            )
        ]
    )
    return one


def _decimal(value: float) -> str:
    """Return a number in the 16 characters that a decimal string has."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(value))
