"""OME-TIFF with colours as JPEG, which every viewer reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.exports import ome_tiff
from diffuscope.exports.ome_tiff import Codec

if TYPE_CHECKING:
    from diffuscope.exports.request import Request

# All colours of all px: of every second one, as JPEG has it by habit, DAB would be smeared.
_JPEG = Codec(
    name="JPEG, quality 90",
    options={
        "subsampling": (1, 1),
        "compression": "jpeg",
        "compressionargs": {"level": 90},
    },
)

need = ome_tiff.need


def write(part: Path, request: Request) -> None:
    """Write as `diffuscope.exports.ome_tiff.write`, colours with loss."""
    ome_tiff.write(part, request, codec=_JPEG)
