"""OME-TIFF with colours as JPEG XL: smaller and truer than JPEG, and read by tifffile, not by QuPath."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.exports import ome_tiff
from diffuscope.exports.ome_tiff import Codec

if TYPE_CHECKING:
    from diffuscope.exports.request import Request

# A distance of 1 is what its makers call visually lossless; more effort takes twice as long for some per cent.
_JPEG_XL = Codec(
    name="JPEG XL, distance 1",
    options={"compression": "jpegxl", "compressionargs": {"distance": 1.0, "effort": 3, "lossless": False}},
)

need = ome_tiff.need


def write(part: Path, request: Request) -> None:
    """Write as `diffuscope.exports.ome_tiff.write`, colours with loss."""
    ome_tiff.write(part, request, codec=_JPEG_XL)
